//! `job`: one command to run, and how far it is.

use sea_orm::entity::prelude::*;

/// A row of `job`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub name: String,
    pub command: String,
    pub cancel_on_blocking_job_failure: bool,
    pub supports_termination: bool,
    pub resource_requirements_id: Option<i64>,
    pub invocation_script: Option<String>,
    /// The code of the status: 0 uninitialized, 1 blocked, 2 ready, 3 pending, 4 running, 5 completed, 6 failed,
    /// 7 canceled, 8 terminated, 9 disabled, 10 pending_failed.
    pub status: i64,
    pub scheduler_id: Option<i64>,
    pub scheduler_type: Option<String>,
    /// JSON.
    pub schedule_compute_nodes: Option<String>,
    /// Whether the sweep has looked at the ending of this job.
    pub unblocking_processed: bool,
    pub failure_handler_id: Option<i64>,
    pub attempt_id: i64,
    pub priority: i64,
    /// JSON.
    pub env: Option<String>,
    pub origin: Option<String>,
    pub start_time: Option<String>,
    pub compute_node_id: Option<i64>,
    pub labels: Option<String>,
    /// How many dependencies have not ended (ours; kept by triggers, never written by hand).
    pub blockers: i64,
    /// The idempotency key of the claim that took the job (ours).
    pub claim_token: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
