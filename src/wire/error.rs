//! The error body: one object under `error`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What every refused request answers, save the framework's own plain-text refusals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// `{message}`, `{message, field, value}` or `{error: KIND, message}`.
    pub error: Value,
}

impl ErrorResponse {
    /// The human-readable part, whichever shape the object has.
    pub fn message(&self) -> String {
        match &self.error {
            Value::String(text) => text.clone(),
            other => other
                .get("message")
                .and_then(Value::as_str)
                .map_or_else(|| other.to_string(), str::to_owned),
        }
    }
}
