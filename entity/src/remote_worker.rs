//! `remote_worker`: machines on which a workflow may run.

use sea_orm::entity::prelude::*;

/// A row of `remote_worker`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "remote_worker")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub worker: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub workflow_id: i64,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
