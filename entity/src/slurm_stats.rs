//! `slurm_stats`: what Slurm says of an attempt of a job.

use sea_orm::entity::prelude::*;

/// A row of `slurm_stats`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "slurm_stats")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub job_id: i64,
    pub run_id: i64,
    pub attempt_id: i64,
    pub slurm_job_id: Option<String>,
    pub max_rss_bytes: Option<i64>,
    pub max_vm_size_bytes: Option<i64>,
    pub max_disk_read_bytes: Option<i64>,
    pub max_disk_write_bytes: Option<i64>,
    pub ave_cpu_seconds: Option<f64>,
    pub node_list: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
