//! RO-Crate entities: what a workflow tells of itself and its files.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::page::list_query;

/// An entity of the crate that a workflow is exported as.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoCrateEntityModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// The file that it describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<i64>,
    /// Its `@id`, unique in the workflow.
    pub entity_id: String,
    /// Its `@type`, such as `File`.
    pub entity_type: String,
    /// Its JSON-LD.
    pub metadata: Map<String, Value>,
}

list_query! {
    /// Filters of `GET /workflows/{id}/ro_crate_entities`.
    ListRoCrateEntitiesQuery {
        /// Exact file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub file_id: Option<i64>,
        /// Exact `@id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub entity_id: Option<String>,
    }
}

/// How many entities were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRoCrateEntitiesResponse {
    /// Says so.
    pub message: String,
    /// Entities removed.
    pub deleted_count: i64,
}
