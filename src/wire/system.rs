//! Ping and version.

use serde::{Deserialize, Serialize};

/// Answers `GET /ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingResponse {
    /// Always `ok`.
    pub status: String,
}

/// Answers `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionResponse {
    /// Version of the program, with the commit it was built from in brackets.
    pub version: String,
    /// Version of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Commit the program was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_hash: Option<String>,
}
