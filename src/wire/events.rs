//! Events: stored ones, and those that are only streamed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page::list_query;

/// A stored event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// Milliseconds since the epoch; the server's time, whatever was sent.
    pub timestamp: i64,
    /// Any JSON.
    pub data: Value,
}

list_query! {
    /// Filters of `GET /events`.
    ListEventsQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// The string at `category` inside `data`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub category: Option<String>,
        /// Only later ones, milliseconds since the epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub after_timestamp: Option<i64>,
    }
}

/// How loud a streamed event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For programs.
    Debug,
    /// The usual.
    Info,
    /// Something was stopped.
    Warning,
    /// Something failed.
    Error,
}

impl Severity {
    /// The minimum that a `level` query asks for; unknown words mean `info`.
    pub fn from_level(level: Option<&str>) -> Self {
        match level.map(str::to_ascii_lowercase).as_deref() {
            Some("debug") => Self::Debug,
            Some("warning") => Self::Warning,
            Some("error") => Self::Error,
            _ => Self::Info,
        }
    }
}

/// One frame of the event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamEvent {
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Name of the frame, such as `job_started`.
    pub event_type: String,
    /// How loud it is.
    pub severity: Severity,
    /// What happened.
    pub data: Value,
}

/// Our own addition to the stream, at severity `debug`: jobs became claimable.
pub const JOBS_READY: &str = "jobs_ready";

/// The frame that tells a slow reader how many events it missed.
pub const DROPPED_FRAME: &str = "warning";
