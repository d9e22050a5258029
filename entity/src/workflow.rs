//! `workflow`: a set of jobs that run together.

use sea_orm::entity::prelude::*;

/// A row of `workflow`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub name: String,
    pub description: Option<String>,
    pub user: String,
    pub timestamp: String,
    pub is_archived: bool,
    pub compute_node_expiration_buffer_seconds: Option<i64>,
    pub compute_node_wait_for_new_jobs_seconds: i64,
    pub compute_node_ignore_workflow_completion: bool,
    pub compute_node_wait_for_healthy_database_minutes: i64,
    pub compute_node_min_time_for_new_jobs_seconds: i64,
    pub resource_monitor_config: Option<String>,
    pub slurm_defaults: Option<String>,
    pub use_pending_failed: Option<bool>,
    pub enable_ro_crate: Option<bool>,
    pub project: Option<String>,
    pub metadata: Option<String>,
    pub slurm_config: Option<String>,
    pub execution_config: Option<String>,
    pub env: Option<String>,
    pub run_id: i64,
    pub is_canceled: bool,
    pub dynamic_jobs: Option<String>,
    pub submission_directory: Option<String>,
    /// Whether a result of this run failed, so that endings cancel what waits on them (ours).
    pub has_failures: bool,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
