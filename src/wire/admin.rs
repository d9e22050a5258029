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

/// A request that was answered, as it is streamed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiEvent {
    /// When it came, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The status of its answer.
    pub status: u16,
    /// How long it took until the answer began, in milliseconds.
    pub latency_ms: u64,
    /// The id that its answer carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Who sent it, or claims to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<CapturedBody>,
    /// The body of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_body: Option<CapturedBody>,
}

impl ApiEvent {
    /// The same for who does not ask for bodies.
    #[must_use]
    pub fn without_bodies(&self) -> Self {
        Self {
            request_body: None,
            response_body: None,
            ..self.clone()
        }
    }
}

/// What is shown of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedBody {
    /// Bytes of the whole.
    pub bytes: u64,
    /// Not all of it is shown.
    pub truncated: bool,
    /// Its beginning; absent if it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Query of the stream of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiEventsQuery {
    /// Bodies too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_bodies: Option<bool>,
}

/// Query of the counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiStatsQuery {
    /// Seconds to look back, 3600 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<i64>,
    /// Seconds of a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<i64>,
}

/// What the server was asked lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiStats {
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// Seconds of a bucket.
    pub interval_seconds: i64,
    /// Seconds of all buckets.
    pub window_seconds: i64,
    /// The newest first.
    pub buckets: Vec<ApiStatsBucket>,
}

/// What the server was asked in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiStatsBucket {
    /// When it begins, in milliseconds since 1970.
    pub start_ms: i64,
    /// Requests that were answered.
    pub request_count: u64,
    /// Bytes of their bodies.
    pub bytes_in: u64,
    /// Bytes of bodies that were sent.
    pub bytes_out: u64,
    /// Answers with a status of 200 to 299.
    pub status_2xx: u64,
    /// Answers with a status of 400 to 499.
    pub status_4xx: u64,
    /// Answers with a status of 500 to 599.
    pub status_5xx: u64,
    /// All others.
    pub status_other: u64,
}
