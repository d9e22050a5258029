//! Workflows: a set of jobs with what they share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::page::list_query;
use super::workflow_config::{DynamicJobsConfig, ExecutionConfig, ResourceMonitorConfig};

/// A workflow, as created and as read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its name; need not be unique.
    pub name: String,
    /// Its owner.
    pub user: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Environment of all its jobs; fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// When it was created, UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Accepted and stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_node_expiration_buffer_seconds: Option<i64>,
    /// How long an idle worker waits for jobs; 0 for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_node_wait_for_new_jobs_seconds: Option<i64>,
    /// Workers stay after the workflow is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_node_ignore_workflow_completion: Option<bool>,
    /// How long workers retry a server that does not answer, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_node_wait_for_healthy_database_minutes: Option<i64>,
    /// Workers with less time left take no new jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_node_min_time_for_new_jobs_seconds: Option<i64>,
    /// How workers watch resources.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::option"
    )]
    pub resource_monitor_config: Option<ResourceMonitorConfig>,
    /// Slurm options for every allocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slurm_defaults: Option<Map<String, Value>>,
    /// Failed jobs without a handler wait for their user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_pending_failed: Option<bool>,
    /// Record provenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_ro_crate: Option<bool>,
    /// Project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Free JSON of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// How workers run its jobs.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::option"
    )]
    pub execution_config: Option<ExecutionConfig>,
    /// Limits of spawning; fixed at creation.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::option"
    )]
    pub dynamic_jobs: Option<DynamicJobsConfig>,
    /// Where it was submitted; fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission_directory: Option<String>,
    /// Groups that may see it, sorted names; fixed at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_groups: Option<Vec<String>>,
    /// The current run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<i64>,
    /// Whether it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_canceled: Option<bool>,
    /// Whether it was put away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_archived: Option<bool>,
}

list_query! {
    /// Filters of `GET /workflows`.
    ListWorkflowsQuery {
        /// Exact name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// Exact owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub user: Option<String>,
        /// Part of the description, in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
        /// Only archived, or only others; absent: both.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub is_archived: Option<bool>,
        /// Name of a group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub access_group: Option<String>,
    }
}

/// Jobs in each status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is the count of the status it is named after"
)]
pub struct JobStatusCounts {
    pub uninitialized: i64,
    pub blocked: i64,
    pub ready: i64,
    pub pending: i64,
    pub running: i64,
    pub completed: i64,
    pub failed: i64,
    pub canceled: i64,
    pub terminated: i64,
    pub disabled: i64,
    pub pending_failed: i64,
}

/// Answers `GET /workflows/{id}/status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowStatusResponse {
    /// The workflow.
    pub workflow_id: i64,
    /// Its name.
    pub workflow_name: String,
    /// Its owner.
    pub workflow_user: String,
    /// Jobs in all.
    pub total_jobs: i64,
    /// Jobs in each status.
    pub jobs_by_status: JobStatusCounts,
    /// Wall time of the current results, summed, in minutes.
    pub total_exec_time_minutes: f64,
    /// From the first start to the last end of the current results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walltime_seconds: Option<f64>,
    /// Workers that are there.
    pub active_compute_nodes: i64,
    /// Allocations asked for.
    pub pending_scheduled_nodes: i64,
    /// Allocations that run.
    pub active_scheduled_nodes: i64,
    /// Nothing is left to do, or the workflow was cancelled.
    pub is_complete: bool,
    /// The workflow was cancelled.
    pub is_canceled: bool,
    /// Longest time left among active nodes, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_allocation_remaining_seconds: Option<i64>,
    /// Unlabeled ready jobs that need longer than any node has left.
    pub runtime_blocked_ready_jobs: i64,
    /// The longest runtime among those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ready_runtime_seconds: Option<i64>,
    /// Ready jobs per label set that no active node serves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unserved_ready_labels: BTreeMap<String, i64>,
}

/// Answers `is_complete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsCompleteResponse {
    /// The workflow was cancelled.
    pub is_canceled: bool,
    /// Nothing is left to do, or the workflow was cancelled.
    pub is_complete: bool,
}

/// Answers `is_uninitialized`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsUninitializedResponse {
    /// Every job is uninitialized or disabled.
    pub is_uninitialized: bool,
}

/// Answers `job_ids`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListJobIdsResponse {
    /// Ids, ascending.
    pub job_ids: Vec<i64>,
    /// How many.
    pub count: i64,
}

/// Query of `initialize_jobs`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct InitializeJobsQuery {
    /// Leave jobs alone that have been initialized already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_uninitialized: Option<bool>,
    /// Ours: do nothing if a job has been initialized already, else begin the first run,
    /// so that of many workers that start a workflow at one time a single one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_uninitialized: Option<bool>,
    /// Accepted, without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_ephemeral_user_data: Option<bool>,
    /// Answer before the work is done.
    #[serde(default, rename = "async", skip_serializing_if = "Option::is_none")]
    pub run_async: Option<bool>,
}

/// Query of `reset_status`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ResetStatusQuery {
    /// Even while jobs run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

/// Puts a workflow away, or takes it out again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ArchiveWorkflowRequest {
    /// Away or not.
    pub is_archived: bool,
}

/// Query of `process_changed_job_inputs`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ProcessChangedQuery {
    /// Only look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// Answers `process_changed_job_inputs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessChangedJobInputsResponse {
    /// Names of the jobs whose inputs changed, in the order of their ids.
    pub reinitialized_jobs: Vec<String>,
}
