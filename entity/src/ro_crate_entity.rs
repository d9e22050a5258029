//! `ro_crate_entity`: what a workflow tells of itself in an RO-Crate.

use sea_orm::entity::prelude::*;

/// A row of `ro_crate_entity`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ro_crate_entity")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub file_id: Option<i64>,
    /// The `@id` in the crate, unique in its workflow.
    pub entity_id: String,
    pub entity_type: String,
    /// A JSON object.
    pub metadata: String,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
