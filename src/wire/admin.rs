//! What administrators ask: SQL, its log, and what the server was asked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A statement to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminSqlRequest {
    /// The statement.
    pub sql: String,
    /// It may change rows.
    #[serde(default)]
    pub write: bool,
    /// It may change all rows of a table.
    #[serde(default)]
    pub allow_full_table: bool,
    /// Undo it again.
    #[serde(default)]
    pub dry_run: bool,
    /// Rows to return at most, 1 to 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What the statement did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdminSqlResponse {
    /// Names of the columns, each once.
    pub columns: Vec<String>,
    /// Rows, by column.
    pub items: Vec<Map<String, Value>>,
    /// Rows that were changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_affected: Option<i64>,
    /// The change stands.
    pub committed: bool,
}

/// A statement that was to change rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminAuditLogEntry {
    /// Set by the server.
    pub id: i64,
    /// Who sent it.
    pub user_name: String,
    /// When, in milliseconds since 1970.
    pub timestamp: i64,
    /// The statement.
    pub sql_text: String,
    /// It was to change rows.
    pub is_write: bool,
    /// It was allowed to change all rows of a table.
    pub allow_full_table: bool,
    /// Rows that were changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_affected: Option<i64>,
    /// The change stands.
    pub committed: bool,
    /// It ran.
    pub success: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which entries of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLogQuery {
    /// Entries to skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// Entries to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}
