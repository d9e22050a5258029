//! Resource requirements: what a job needs of a machine.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// A named set of needs that jobs share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRequirementsModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// How jobs of the spec call it.
    pub name: String,
    /// CPUs, at least 1.
    #[serde(default = "one")]
    pub num_cpus: i64,
    /// GPUs.
    #[serde(default)]
    pub num_gpus: i64,
    /// Nodes, at least 1.
    #[serde(default = "one")]
    pub num_nodes: i64,
    /// An integer with an optional suffix `k`, `m`, `g` or `t` (powers of 1024).
    #[serde(default = "default_memory")]
    pub memory: String,
    /// ISO 8601 duration.
    #[serde(default = "default_runtime")]
    pub runtime: String,
}

fn one() -> i64 {
    1
}

fn default_memory() -> String {
    "1m".to_owned()
}

fn default_runtime() -> String {
    "PT1M".to_owned()
}

list_query! {
    /// Filters of `GET /resource_requirements`, all exact.
    ListResourceRequirementsQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// The requirements of this job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub job_id: Option<i64>,
        /// Name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// Memory as written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub memory: Option<String>,
        /// CPUs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub num_cpus: Option<i64>,
        /// GPUs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub num_gpus: Option<i64>,
        /// Nodes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub num_nodes: Option<i64>,
        /// Runtime in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub runtime: Option<i64>,
    }
}
