//! Slurm statistics: what Slurm says of attempts of jobs.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// What an attempt of a job used, by the accounting of Slurm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlurmStatsModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// The job.
    pub job_id: i64,
    /// The run of the workflow.
    pub run_id: i64,
    /// The attempt, from 1.
    pub attempt_id: i64,
    /// Number of the Slurm job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slurm_job_id: Option<String>,
    /// Most resident memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rss_bytes: Option<i64>,
    /// Most virtual memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_vm_size_bytes: Option<i64>,
    /// Read from disk by the busiest task, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_disk_read_bytes: Option<i64>,
    /// Written to disk by the busiest task, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_disk_write_bytes: Option<i64>,
    /// CPU time of an average task, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ave_cpu_seconds: Option<f64>,
    /// Its nodes, as Slurm abbreviates them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_list: Option<String>,
}

list_query! {
    /// Filters of `GET /slurm_stats`.
    ListSlurmStatsQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// Exact job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub job_id: Option<i64>,
        /// Exact run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub run_id: Option<i64>,
        /// Exact attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub attempt_id: Option<i64>,
    }
}
