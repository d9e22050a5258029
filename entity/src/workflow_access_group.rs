//! `workflow_access_group`: which groups may use a workflow.

use sea_orm::entity::prelude::*;

/// A row of `workflow_access_group`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_access_group")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workflow_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_id: i64,
    pub created_at: String,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
