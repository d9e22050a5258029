//! Who calls, and whether what they name exists.

use crate::store::{ReadConn, WriteTx, workflows};

use super::EngineError;

/// The caller of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name that events carry.
    pub user: String,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            user: "anonymous".to_owned(),
        }
    }
}

/// The workflow must exist.
///
/// # Errors
///
/// [`EngineError::NotFound`].
pub fn workflow(tx: &WriteTx<'_>, id: i64) -> Result<(), EngineError> {
    if workflows::exists(tx, id)? {
        Ok(())
    } else {
        Err(EngineError::not_found("Workflow", id))
    }
}

/// The workflow must exist, asked of a read connection.
///
/// # Errors
///
/// [`EngineError::NotFound`].
pub async fn workflow_read(conn: &ReadConn, id: i64) -> Result<(), EngineError> {
    if workflows::read_exists(conn, id).await? {
        Ok(())
    } else {
        Err(EngineError::not_found("Workflow", id))
    }
}
