//! Authentication.

use serde::{Deserialize, Serialize};

/// Answers `POST /admin/reload-auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadAuthResponse {
    /// For people.
    pub message: String,
    /// Users in the file.
    pub user_count: i64,
}
