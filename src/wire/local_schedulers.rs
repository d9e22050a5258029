//! Local schedulers: machines on which workers are started by hand.

use serde::{Deserialize, Serialize};

use super::page::list_query;

/// What a machine offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalSchedulerModel {
    /// Set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The workflow it belongs to.
    pub workflow_id: i64,
    /// Echoed when it is created, and not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Memory, such as `8g`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_cpus: Option<i64>,
}

list_query! {
    /// Filters of `GET /local_schedulers`.
    ListLocalSchedulersQuery {
        /// The workflow.
        pub workflow_id: i64,
        /// Exact memory.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub memory: Option<String>,
        /// Exact number of CPUs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub num_cpus: Option<i64>,
    }
}
