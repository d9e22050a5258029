//! `file`: files that jobs read and write.

use sea_orm::entity::prelude::*;

/// A row of `file`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "file")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub name: String,
    pub path: String,
    /// Seconds since 1970.
    pub st_mtime: Option<f64>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
