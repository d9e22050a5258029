//! Slurm schedulers: how to ask Slurm for nodes.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// What `sbatch` is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlurmSchedulerModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// Its name, by which workflow files refer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Account to charge.
    pub account: String,
    /// Generic resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gres: Option<String>,
    /// Memory of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem: Option<String>,
    /// Nodes of an allocation.
    pub nodes: i64,
    /// Tasks of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ntasks_per_node: Option<i64>,
    /// Partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Quality of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<String>,
    /// Local disk of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tmp: Option<String>,
    /// Time of an allocation, such as `04:00:00`.
    pub walltime: String,
    /// Further options, as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// One allocation after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serialize_allocations: Option<bool>,
}

list_query! {
    /// Filters of `GET /slurm_schedulers`.
    ListSlurmSchedulersQuery {
        /// The workflow.
        pub workflow_id: i64,
    }
}
