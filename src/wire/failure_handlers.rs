//! Failure handlers: what workers do about jobs that fail.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// Rules for jobs that fail, which only workers read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureHandlerModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// Its name, by which workflow files refer to it.
    pub name: String,
    /// A list of rules as JSON text: exit codes, recovery script, retries.
    pub rules: String,
}

list_query! {
    /// Filters of `GET /workflows/{id}/failure_handlers`.
    ListFailureHandlersQuery {
    }
}

/// What is answered to the deletion of a handler: the handler for the published clients,
/// which read one, and the message that Torc sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeletedFailureHandler {
    /// What was removed.
    #[serde(flatten)]
    pub handler: FailureHandlerModel,
    /// Says so.
    pub message: String,
}
