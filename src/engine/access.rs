//! Who calls, and whether what they name exists.

use std::sync::Arc;

use super::{Engine, EngineError};
use crate::store::{ReadConn, WriteTx, workflows};

/// The caller of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Caller {
    /// Gave no credentials where none are required.
    #[default]
    Anonymous,
    /// Gave credentials that are wrong, where none are required.
    Unknown,
    /// Is who the name says.
    Named(Arc<str>),
}

impl Caller {
    /// The name that events carry.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Unknown => "unknown",
            Self::Named(name) => name,
        }
    }
}

/// What an operation is about, for the question who may. Each row belongs to a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A workflow, by its id.
    Workflow(i64),
    /// A row of the named table, by its id.
    Row(&'static str, i64),
}

impl Engine {
    /// Refuses the caller of this engine if it may not use `subject`.
    ///
    /// # Errors
    ///
    /// What the store says.
    #[allow(clippy::unused_async)]
    pub(crate) async fn may_use(&self, _subject: Subject) -> Result<(), EngineError> {
        Ok(())
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
