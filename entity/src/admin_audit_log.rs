//! `admin_audit_log`: statements by which administrators changed rows.

use sea_orm::entity::prelude::*;

/// A row of `admin_audit_log`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "admin_audit_log")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_name: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub sql_text: String,
    pub is_write: bool,
    pub allow_full_table: bool,
    pub rows_affected: Option<i64>,
    pub committed: bool,
    pub success: bool,
    pub error: Option<String>,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
