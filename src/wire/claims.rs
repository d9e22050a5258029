//! Claims: a worker asks for jobs.

use serde::{Deserialize, Serialize};

use super::jobs::JobModel;

/// What a worker has to offer, per node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ComputeNodesResources {
    /// Ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Free CPUs.
    pub num_cpus: i64,
    /// Free memory in GiB.
    pub memory_gb: f64,
    /// Free GPUs.
    pub num_gpus: i64,
    /// Nodes.
    pub num_nodes: i64,
    /// Time left, ISO 8601; absent means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<String>,
    /// The scheduler configuration the worker was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_config_id: Option<i64>,
    /// Labels the worker serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

/// Query of `claim_jobs_based_on_resources`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClaimByResourcesQuery {
    /// Refuse jobs of other schedulers even when there are no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_scheduler_match: Option<bool>,
}

/// Query of `claim_next_jobs`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClaimNextQuery {
    /// Jobs at most, 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Labels the worker serves, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
}

/// The jobs claimed, now pending.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ClaimResponse {
    /// In the order in which they should start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<JobModel>>,
    /// Why there are none, where that is worth a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Query of `ready_job_requirements`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReadyRequirementsQuery {
    /// Only jobs of this scheduler configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_config_id: Option<i64>,
}

/// What all ready jobs together would need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GetReadyJobRequirementsResponse {
    /// Ready jobs.
    pub num_jobs: i64,
    /// Their CPUs, summed.
    pub num_cpus: i64,
    /// Their GPUs, summed.
    pub num_gpus: i64,
    /// Their memory in GiB, summed.
    pub memory_gb: f64,
    /// The most nodes that one of them wants.
    pub max_num_nodes: i64,
    /// The longest runtime among them, ISO 8601.
    pub max_runtime: String,
}
