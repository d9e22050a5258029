//! `result`: how one attempt of a job ended.

use sea_orm::entity::prelude::*;

/// A row of `result`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "result")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub job_id: i64,
    pub run_id: i64,
    pub attempt_id: i64,
    pub compute_node_id: i64,
    pub return_code: i64,
    pub exec_time_minutes: f64,
    pub completion_time: String,
    /// The code of the status, as in `job.status`.
    pub status: i64,
    pub peak_memory_bytes: Option<i64>,
    pub avg_memory_bytes: Option<i64>,
    pub peak_cpu_percent: Option<f64>,
    pub avg_cpu_percent: Option<f64>,
    /// The idempotency key of the completion that wrote the row (ours).
    pub request_key: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
