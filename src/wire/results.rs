//! Results: how the runs of jobs ended.

use serde::{Deserialize, Serialize};

use super::JobStatus;
use super::page::list_query;

/// How one attempt of a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The job.
    pub job_id: i64,
    /// Its workflow.
    pub workflow_id: i64,
    /// The workflow's run.
    pub run_id: i64,
    /// The job's attempt within the run, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<i64>,
    /// Where it ran.
    pub compute_node_id: i64,
    /// Exit code; 128 + n after signal n.
    pub return_code: i64,
    /// Wall time in minutes.
    pub exec_time_minutes: f64,
    /// When it ended, RFC 3339.
    pub completion_time: String,
    /// Highest memory use, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<i64>,
    /// Mean memory use, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_memory_bytes: Option<i64>,
    /// Highest CPU use, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_cpu_percent: Option<f64>,
    /// Mean CPU use, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_cpu_percent: Option<f64>,
    /// How it ended.
    pub status: JobStatus,
    /// Filled on reads, ignored on writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
}

list_query! {
    /// Filters of `GET /results`, all exact.
    ListResultsQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// The job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub job_id: Option<i64>,
        /// The run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub run_id: Option<i64>,
        /// Exit code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub return_code: Option<i64>,
        /// Status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub status: Option<JobStatus>,
        /// Where it ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub compute_node_id: Option<i64>,
        /// Also results that a later one has replaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub all_runs: Option<bool>,
    }
}
