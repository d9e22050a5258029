//! `workflow_result`: the latest result of each job of a workflow.

use sea_orm::entity::prelude::*;

/// A row of `workflow_result`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_result")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workflow_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: i64,
    pub result_id: i64,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
