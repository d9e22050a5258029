//! Jobs that a running job adds to its workflow. Requests with unknown fields are refused.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job to add. Others are named, not numbered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpawnJobModel {
    /// Its name, unique in the workflow.
    pub name: String,
    /// What it runs.
    pub command: String,
    /// Name of what it needs; the workflow's `default` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_requirements: Option<String>,
    /// Higher goes first; 0 otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Whether it is cancelled when one that it waits for fails; true otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_on_blocking_job_failure: Option<bool>,
    /// Names of jobs that it waits for, of the workflow or of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<String>>,
    /// Workers that may run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

/// Jobs to add, which wait for their caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpawnJobsRequest {
    /// What the calls of one chain have in common; the caller's name otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
    /// The jobs; none ends the lineage.
    #[serde(deserialize_with = "super::object::list")]
    pub jobs: Vec<SpawnJobModel>,
    /// What the caller wants to remember of this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
}

/// What was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnJobsResponse {
    /// The jobs, in the order of the request.
    pub spawned_job_ids: Vec<i64>,
    /// Calls of the lineage that have added jobs.
    pub iteration: i64,
}
