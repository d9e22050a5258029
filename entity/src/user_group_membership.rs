//! `user_group_membership`: who is in which group.

use sea_orm::entity::prelude::*;

/// A row of `user_group_membership`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_group_membership")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_name: String,
    pub group_id: i64,
    /// `member`, or `admin` of the group.
    pub role: String,
    /// As SQLite's `datetime('now')` has it.
    pub created_at: String,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
