//! `compute_node`: a machine (one runner process on it) that takes jobs of a workflow.

use sea_orm::entity::prelude::*;

/// A row of `compute_node`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "compute_node")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub hostname: String,
    pub pid: i64,
    pub start_time: String,
    pub duration_seconds: Option<f64>,
    pub is_active: Option<bool>,
    pub num_cpus: i64,
    pub memory_gb: f64,
    pub num_gpus: i64,
    pub num_nodes: i64,
    pub time_limit: Option<String>,
    pub scheduler_config_id: Option<i64>,
    pub compute_node_type: String,
    pub scheduler: Option<String>,
    pub sample_count: Option<i64>,
    pub peak_cpu_percent: Option<f64>,
    pub avg_cpu_percent: Option<f64>,
    pub peak_memory_bytes: Option<i64>,
    pub avg_memory_bytes: Option<i64>,
    pub end_time: Option<String>,
    pub labels: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
