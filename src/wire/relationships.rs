//! Relationships: which job waits for which, who writes and who reads what, and which
//! Slurm job ran which of ours.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// A job and one that it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDependencyModel {
    /// Who waits.
    pub job_id: i64,
    /// Its name.
    pub job_name: String,
    /// For whom.
    pub depends_on_job_id: i64,
    /// Its name.
    pub depends_on_job_name: String,
    /// The workflow of both.
    pub workflow_id: i64,
}

/// A file with one job that writes it and one that reads it, as far as there are any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFileRelationshipModel {
    /// The file.
    pub file_id: i64,
    /// Its name.
    pub file_name: String,
    /// Its path.
    pub file_path: String,
    /// Who writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_job_id: Option<i64>,
    /// Name of who writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_job_name: Option<String>,
    /// Who reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_job_id: Option<i64>,
    /// Name of who reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_job_name: Option<String>,
    /// The workflow.
    pub workflow_id: i64,
}

/// User data with one job that writes it and one that reads it, as far as there are any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobUserDataRelationshipModel {
    /// The user data.
    pub user_data_id: i64,
    /// Its name.
    pub user_data_name: String,
    /// Who writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_job_id: Option<i64>,
    /// Name of who writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer_job_name: Option<String>,
    /// Who reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_job_id: Option<i64>,
    /// Name of who reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_job_name: Option<String>,
    /// The workflow.
    pub workflow_id: i64,
}

/// A job and a Slurm job in which it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlurmJobCorrelationModel {
    /// Number of the Slurm job.
    pub slurm_job_id: String,
    /// The job.
    pub job_id: i64,
    /// Its name.
    pub job_name: String,
}

list_query! {
    /// Paging of a list of relationships.
    ListRelationshipsQuery {
    }
}
