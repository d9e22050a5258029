//! `async_handle`: work that goes on after its request was answered.

use sea_orm::entity::prelude::*;

/// A row of `async_handle`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "async_handle")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub operation: String,
    /// `queued`, `running`, `succeeded` or `failed`.
    pub status: String,
    pub created_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    pub requested_by: Option<String>,
    /// What was asked for, to tell a repetition from another request.
    pub request_json: Option<String>,
    pub result_json: Option<String>,
    pub error: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
