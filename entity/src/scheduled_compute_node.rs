//! `scheduled_compute_node`: a machine asked for at a scheduler.

use sea_orm::entity::prelude::*;

/// A row of `scheduled_compute_node`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "scheduled_compute_node")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub scheduler_config_id: i64,
    pub scheduler_id: i64,
    pub scheduler_type: String,
    pub status: String,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
