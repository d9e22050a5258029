//! Compute nodes: the machines on which workers run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page::list_query;

/// A worker's machine, as the worker registered it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ComputeNodeModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it serves.
    pub workflow_id: i64,
    /// Name of the machine.
    pub hostname: String,
    /// Process id of the worker.
    pub pid: i64,
    /// When the worker started, RFC 3339.
    pub start_time: String,
    /// When its allocation ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// How long it ran, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// Whether the worker is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// CPUs of one node.
    pub num_cpus: i64,
    /// Memory of one node in GiB.
    pub memory_gb: f64,
    /// GPUs of one node.
    pub num_gpus: i64,
    /// Nodes.
    pub num_nodes: i64,
    /// Time the worker may run, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<String>,
    /// Scheduler configuration it was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_config_id: Option<i64>,
    /// `local`, `slurm` or another kind.
    pub compute_node_type: String,
    /// What the scheduler says about it; free JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Value>,
    /// Labels it serves; without any it serves unlabeled jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Samples of the resource monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_count: Option<i64>,
    /// Highest CPU use, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_cpu_percent: Option<f64>,
    /// Mean CPU use, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_cpu_percent: Option<f64>,
    /// Highest memory use, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<i64>,
    /// Mean memory use, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_memory_bytes: Option<i64>,
}

list_query! {
    /// Filters of `GET /compute_nodes`.
    ListComputeNodesQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// Part of the host name, in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hostname: Option<String>,
        /// Only active, or only inactive ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub is_active: Option<bool>,
        /// The integer at `scheduler_id` inside `scheduler`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scheduled_compute_node_id: Option<i64>,
    }
}
