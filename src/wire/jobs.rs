//! Jobs: the shell commands of a workflow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::JobStatus;
use super::page::list_query;
use super::results::ResultModel;

/// A job, as created and as read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// How the spec calls it.
    pub name: String,
    /// What `bash -c` runs.
    pub command: String,
    /// Goes before the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_script: Option<String>,
    /// Environment, with the workflow's merged in on reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    /// Nodes to schedule when it is ready.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::option"
    )]
    pub schedule_compute_nodes: Option<ComputeNodeSchedule>,
    /// When it was started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_node_id: Option<i64>,
    /// Cancelled when a job it waits for fails; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_on_blocking_job_failure: Option<bool>,
    /// Accepted and stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supports_termination: Option<bool>,
    /// Jobs it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on_job_ids: Option<Vec<i64>>,
    /// Files it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_file_ids: Option<Vec<i64>>,
    /// Files it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_file_ids: Option<Vec<i64>>,
    /// User data it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_user_data_ids: Option<Vec<i64>>,
    /// User data it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_user_data_ids: Option<Vec<i64>>,
    /// What it needs of a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_requirements_id: Option<i64>,
    /// The scheduler configuration whose nodes alone may run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_id: Option<i64>,
    /// What to do when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_handler_id: Option<i64>,
    /// Which attempt this is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<i64>,
    /// Claimed earlier when higher; at least 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// `spawn` or `retry` where it did not come from the spec alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Only workers with all of these may run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

/// Nodes to schedule when a job is ready; stored, not acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputeNodeSchedule {
    /// Jobs at once per worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel_jobs: Option<i64>,
    /// Allocations to ask for.
    pub num_jobs: i64,
    /// The scheduler configuration.
    pub scheduler_id: i64,
    /// A worker on each node of the allocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_one_worker_per_node: Option<bool>,
}

/// Creates several jobs at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobsModel {
    /// The jobs, all of one workflow, at most 100,000.
    #[serde(deserialize_with = "super::object::list")]
    pub jobs: Vec<JobModel>,
}

/// The jobs created, in the order of the request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateJobsResponse {
    /// The jobs with their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<JobModel>>,
}

list_query! {
    /// Filters of `GET /jobs`.
    ListJobsQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// Status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub status: Option<JobStatus>,
        /// Jobs that read this file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub needs_file_id: Option<i64>,
        /// Jobs that wait for this job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub upstream_job_id: Option<i64>,
        /// Fill in the five id lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub include_relationships: Option<bool>,
        /// Jobs on this compute node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub active_compute_node_id: Option<i64>,
        /// Whether `origin` is set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub origin_is_set: Option<bool>,
        /// Part of the name, in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// Part of the command, in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub command: Option<String>,
        /// Labels of a worker, separated by commas: jobs it could claim. Empty: unlabeled jobs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub labels: Option<String>,
    }
}

/// One ending within a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobCompletionEntry {
    /// The job.
    pub job_id: i64,
    /// How it ended.
    pub status: JobStatus,
    /// The workflow's run.
    pub run_id: i64,
    /// The result to store.
    #[serde(deserialize_with = "super::object::one")]
    pub result: ResultModel,
}

/// Several endings at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchCompleteJobsRequest {
    /// The endings.
    #[serde(deserialize_with = "super::object::list")]
    pub completions: Vec<JobCompletionEntry>,
}

/// What became of each ending of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchCompleteJobsResponse {
    /// Jobs whose ending was recorded.
    pub completed: Vec<i64>,
    /// Jobs whose ending was refused.
    pub errors: Vec<JobCompletionError>,
}

/// Why one ending of a batch was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCompletionError {
    /// The job.
    pub job_id: i64,
    /// The reason.
    pub message: String,
}

/// Query of `retry`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RetryJobQuery {
    /// Attempts at most.
    pub max_retries: i64,
}

/// Query of `reset_job_status`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ResetJobStatusQuery {
    /// Only jobs that ended badly, and what depends on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_only: Option<bool>,
}

/// Answers `reset_job_status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetJobStatusResponse {
    /// The workflow.
    pub workflow_id: i64,
    /// Jobs reset directly.
    pub updated_count: i64,
    /// Their status now.
    pub status: JobStatus,
    /// `failed_only`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_type: Option<String>,
}

/// A job that runs now, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningJobModel {
    /// The job.
    pub job_id: i64,
    /// Its name.
    pub job_name: String,
    /// Host name of its compute node.
    pub compute_node_name: String,
    /// Kind of its compute node.
    pub scheduler_type: String,
    /// The scheduler's own id of the allocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_job_id: Option<String>,
    /// When it started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
}

/// Paging of `running_jobs`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct RunningJobsQuery {
    /// Rows to skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Rows to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}
