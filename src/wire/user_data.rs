//! User data: JSON values that jobs read and write.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page::list_query;

/// A JSON value of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserDataModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// Whether clients may clear it between runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_ephemeral: Option<bool>,
    /// How jobs of the spec call it.
    pub name: String,
    /// The value; absent while no job has written it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// Creates several records at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserDataListModel {
    /// The records, all of one workflow.
    #[serde(deserialize_with = "super::object::list")]
    pub user_data: Vec<UserDataModel>,
}

/// The records created, in the order of the request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateUserDataListResponse {
    /// The records with their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Vec<UserDataModel>>,
}

/// Records that lack a value the workflow needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListMissingUserDataResponse {
    /// Ids, ascending.
    pub user_data: Vec<i64>,
}

/// Links a new record to a job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CreateUserDataQuery {
    /// A job that reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_job_id: Option<i64>,
    /// A job that writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_job_id: Option<i64>,
}

list_query! {
    /// Filters of `GET /user_data`.
    ListUserDataQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// Only records that this job reads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub consumer_job_id: Option<i64>,
        /// Only records that this job writes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub producer_job_id: Option<i64>,
        /// Part of the name, in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// Only ephemeral, or only lasting ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub is_ephemeral: Option<bool>,
    }
}
