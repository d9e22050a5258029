//! `slurm_scheduler`: how to ask Slurm for nodes.

use sea_orm::entity::prelude::*;

/// A row of `slurm_scheduler`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "slurm_scheduler")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub name: String,
    pub account: String,
    pub gres: Option<String>,
    pub mem: Option<String>,
    pub nodes: Option<i64>,
    pub ntasks_per_node: Option<i64>,
    pub partition: Option<String>,
    pub qos: Option<String>,
    pub tmp: Option<String>,
    pub walltime: String,
    pub extra: Option<String>,
    pub serialize_allocations: bool,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
