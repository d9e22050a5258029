//! Files: paths that jobs read and write.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// A file of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// How jobs of the spec call it.
    pub name: String,
    /// Where it lies, as the jobs see it.
    pub path: String,
    /// Modification time in seconds since the epoch; absent while it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub st_mtime: Option<f64>,
}

/// Creates several files at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FilesModel {
    /// The files, all of one workflow.
    #[serde(deserialize_with = "super::object::list")]
    pub files: Vec<FileModel>,
}

/// The files created, in the order of the request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateFilesResponse {
    /// The files with their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileModel>>,
}

/// Files that must exist for the workflow to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRequiredExistingFilesResponse {
    /// File ids, ascending.
    pub files: Vec<i64>,
}

list_query! {
    /// Filters of `GET /files`.
    ListFilesQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// Only files that this job writes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub produced_by_job_id: Option<i64>,
        /// Exact name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// Part of the path, in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub path: Option<String>,
        /// `true`: only files that some job writes; `false` is ignored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub is_output: Option<bool>,
    }
}
