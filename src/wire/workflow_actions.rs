//! Workflow actions: what workers do when something happens to a workflow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

const fn one() -> i64 {
    1
}

/// An action, and how far its trigger has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowActionModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to; the path decides.
    pub workflow_id: i64,
    /// When it is to be done, such as `on_workflow_start`.
    pub trigger_type: String,
    /// What is to be done: `run_commands`, `schedule_nodes`, or what only workers know.
    pub action_type: String,
    /// How, as an object; its fields depend on the type.
    pub action_config: Value,
    /// The jobs that the two triggers about jobs wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_ids: Option<Vec<i64>>,
    /// How often what it waits for has happened.
    #[serde(default)]
    pub trigger_count: i64,
    /// How often it must happen; the server computes it.
    #[serde(default = "one")]
    pub required_triggers: i64,
    /// It was claimed, and is not to be done again in this run.
    #[serde(default)]
    pub executed: bool,
    /// When it was claimed last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_at: Option<String>,
    /// The compute node that claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_by: Option<i64>,
    /// Every worker does it, not only the first.
    #[serde(default)]
    pub persistent: bool,
    /// Made for one recovery; the next initialisation removes it.
    #[serde(default)]
    pub is_recovery: bool,
}

/// Who claims an action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimActionRequest {
    /// The compute node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_node_id: Option<i64>,
}

/// An action was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimActionResponse {
    /// The action.
    pub action_id: i64,
    /// Always true: who loses is refused.
    pub success: bool,
}
