//! `workflow_action`: what workers do when something happens to a workflow.

use sea_orm::entity::prelude::*;

/// A row of `workflow_action`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_action")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub workflow_id: i64,
    pub trigger_type: String,
    pub action_type: String,
    /// A JSON object.
    pub action_config: String,
    /// A JSON array of numbers.
    pub job_ids: Option<String>,
    pub trigger_count: i64,
    pub required_triggers: i64,
    pub executed: bool,
    pub executed_at: Option<String>,
    pub executed_by: Option<i64>,
    pub persistent: bool,
    pub is_recovery: bool,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
