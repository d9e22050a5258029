//! Remote workers: machines on which a workflow may run, reached by SSH.

use serde::{Deserialize, Serialize};

/// A machine, as `ssh` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteWorkerModel {
    /// `[user@]host[:port]`.
    pub worker: String,
    /// The workflow that may run there.
    pub workflow_id: i64,
}
