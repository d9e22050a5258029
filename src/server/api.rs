//! The handlers, one file per noun. Each takes a request apart, asks the engine,
//! and wraps the answer; rules and SQL are elsewhere.

pub mod access_groups;
pub mod admin;
pub mod claims;
pub mod compute_nodes;
pub mod events;
pub mod failure_handlers;
pub mod files;
pub mod job_runs;
pub mod jobs;
pub mod local_schedulers;
pub mod relationships;
pub mod remote_workers;
pub mod resource_requirements;
pub mod results;
pub mod ro_crate_entities;
pub mod scheduled_compute_nodes;
pub mod slurm_schedulers;
pub mod slurm_stats;
pub mod system;
pub mod tasks;
pub mod user_data;
pub mod workflow_actions;
pub mod workflow_runs;
pub mod workflows;

use axum::Json;

use super::error::ApiError;

/// What most handlers answer.
pub type Answer<T> = Result<Json<T>, ApiError>;

/// Wraps what the engine answered.
pub(super) fn answer<T>(result: Result<T, crate::engine::EngineError>) -> Answer<T> {
    Ok(Json(result?))
}
