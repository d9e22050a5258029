//! `resource_requirements`: what a job needs of a machine.

use sea_orm::entity::prelude::*;

/// A row of `resource_requirements`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resource_requirements")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub name: String,
    pub num_cpus: i64,
    pub num_gpus: i64,
    pub num_nodes: i64,
    pub memory: String,
    pub runtime: String,
    pub memory_bytes: i64,
    pub runtime_s: i64,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
