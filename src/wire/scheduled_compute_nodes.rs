//! Scheduled compute nodes: allocations that a scheduler was asked for.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// An allocation that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduledComputeNodesModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// Its id in the scheduler, such as the number of the Slurm job.
    pub scheduler_id: i64,
    /// The scheduler of the workflow that it was asked of.
    pub scheduler_config_id: i64,
    /// `slurm`, or another kind.
    pub scheduler_type: String,
    /// `pending`, `active` or `complete`; others are kept as they are.
    pub status: String,
}

list_query! {
    /// Filters of `GET /scheduled_compute_nodes`.
    ListScheduledComputeNodesQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// Exact id in the scheduler.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scheduler_id: Option<String>,
        /// Exact scheduler.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scheduler_config_id: Option<String>,
        /// Exact status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub status: Option<String>,
    }
}
