//! Tasks: work that goes on after its request was answered.

use serde::{Deserialize, Serialize};

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Not begun.
    Queued,
    /// Going on.
    Running,
    /// Done.
    Succeeded,
    /// Over, and not done.
    Failed,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskModel {
    /// Set by the server.
    pub id: i64,
    /// The workflow it is about.
    pub workflow_id: i64,
    /// The operation, such as `initialize_jobs`.
    pub operation: String,
    /// How far it is.
    pub status: TaskStatus,
    /// When it was asked for, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it began, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<i64>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at_ms: Option<i64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The task of a workflow that is not over; `null` if there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveTaskResponse {
    /// The task.
    pub task: Option<TaskModel>,
}
