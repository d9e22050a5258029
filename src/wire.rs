//! The types on the wire, as Torc 1.0.0 has them: what both server and clients see.
//!
//! Absent optional fields are omitted, never `null`. Nothing here knows a
//! database, a socket or a rule; the one exception is a status's own table of
//! what counts as complete, which both sides need.

pub mod access_groups;
pub mod admin;
pub mod auth;
pub mod claims;
pub mod compute_nodes;
pub mod debug;
pub mod error;
pub mod events;
pub mod failure_handlers;
pub mod files;
pub mod jobs;
pub mod local_schedulers;
pub mod object;
pub mod page;
pub mod relationships;
pub mod remote_workers;
pub mod resource_requirements;
pub mod results;
pub mod ro_crate_entities;
pub mod scheduled_compute_nodes;
pub mod slurm_schedulers;
pub mod slurm_stats;
pub mod spawn_jobs;
pub mod status;
pub mod system;
pub mod tasks;
pub mod units;
pub mod user_data;
pub mod vitals;
pub mod workflow_actions;
pub mod workflow_config;
pub mod workflows;

pub use status::JobStatus;

/// The path under which the whole API lives.
pub const BASE_PATH: &str = "/torc-service/v1";

/// The contract's version, compared by published clients before every command.
pub const API_VERSION: &str = "0.23.0";

/// Header with which a client names a claim or a completion, so that repeating it is safe.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Identifies a workflow.
pub type WorkflowId = i64;
/// Identifies a job.
pub type JobId = i64;
/// Counts the runs of a workflow; 0 until the first reset.
pub type RunId = i64;
