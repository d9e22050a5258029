//! Who calls, whether what they name exists, and whether they may use it.
//!
//! Where access control is not enforced everybody may do everything. Where it is, a
//! workflow and all that belongs to it is its owner's, its groups' and the administrators'
//! (contract, behaviour 17). It is asked on a read connection before a command is made, so
//! the writer never waits for it.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Engine, EngineError};
use crate::store::{ReadConn, WriteTx, access as rows, workflows};

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

    /// The name of one that is known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Anonymous | Self::Unknown => None,
        }
    }
}

/// Whether anybody is asked who they are, and who may do everything.
#[derive(Debug, Clone, Default)]
pub struct AccessRules {
    /// Callers may use only what is theirs.
    pub enforced: bool,
    /// Names of those who may use everything.
    pub admins: HashSet<String>,
}

/// What an operation is about, for the question who may. Each row belongs to a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A workflow, by its id.
    Workflow(i64),
    /// A row of the named table, by its id.
    Row(&'static str, i64),
}

impl Subject {
    /// It does not exist.
    fn missing(self) -> EngineError {
        match self {
            Self::Workflow(id) => EngineError::not_found("Workflow", id),
            Self::Row("job", id) => EngineError::not_found("Job", id),
            Self::Row(table, id) => EngineError::not_in(table, id),
        }
    }
}

/// What anonymous callers are told.
const NAMELESS: &str = "this server asks who you are: send the name and password of a user";

impl Engine {
    /// Refuses the caller of this engine if it may not use `subject`. Free where access
    /// control is not enforced: there the operation itself finds out what does not exist.
    ///
    /// # Errors
    ///
    /// What does not exist, before anything else; a caller that may not.
    pub(crate) async fn may_use(&self, subject: Subject) -> Result<(), EngineError> {
        if !self.parts.rules.enforced {
            return Ok(());
        }
        let (table, id) = match subject {
            Subject::Workflow(id) => (None, id),
            Subject::Row(table, id) => (Some(table), id),
        };
        let name = self.caller.known();
        let conn = self.read("access").await?;
        let standing = rows::standing(&conn, table, id, name.unwrap_or_default()).await?;
        let standing = standing.ok_or_else(|| subject.missing())?;
        let Some(name) = name else {
            return Err(EngineError::Forbidden(NAMELESS.to_owned()));
        };
        if standing.owner || standing.member || self.parts.rules.admins.contains(name) {
            return Ok(());
        }
        Err(EngineError::Forbidden(format!(
            "user '{name}' does not have access to workflow {}",
            standing.workflow_id
        )))
    }

    /// Refuses a caller that is no administrator.
    ///
    /// # Errors
    ///
    /// Such a caller, where access control is enforced.
    pub fn require_admin(&self) -> Result<(), EngineError> {
        if self.is_admin() {
            return Ok(());
        }
        Err(match self.caller.known() {
            None => EngineError::Forbidden(NAMELESS.to_owned()),
            Some(name) => {
                EngineError::Forbidden(format!("user '{name}' is no administrator of this server"))
            }
        })
    }

    /// Whether the caller may do everything.
    pub(super) fn is_admin(&self) -> bool {
        let admin = |name| self.parts.rules.admins.contains(name);
        !self.parts.rules.enforced || self.caller.known().is_some_and(admin)
    }

    /// Whether callers may use only what is theirs.
    pub fn enforces_access(&self) -> bool {
        self.parts.rules.enforced
    }

    /// Refuses a caller that is neither this user nor an administrator.
    pub(super) fn require_self(&self, user: &str) -> Result<(), EngineError> {
        if self.caller.known() == Some(user) {
            return Ok(());
        }
        self.require_admin()
    }

    /// Refuses a caller that is neither an admin of the group nor an administrator.
    pub(super) async fn require_group_admin(&self, group_id: i64) -> Result<(), EngineError> {
        if self.is_admin() {
            return Ok(());
        }
        let Some(name) = self.caller.known() else {
            return Err(EngineError::Forbidden(NAMELESS.to_owned()));
        };
        let conn = self.read("access").await?;
        if rows::is_group_admin(&conn, group_id, name).await? {
            return Ok(());
        }
        Err(EngineError::Forbidden(format!(
            "user '{name}' is no admin of group {group_id}"
        )))
    }

    /// Refuses a caller that neither owns the workflow, which must exist, nor is an admin
    /// of the group.
    pub(super) async fn require_owner_or_group_admin(
        &self,
        workflow_id: i64,
        group_id: i64,
    ) -> Result<(), EngineError> {
        if self.is_admin() {
            return Ok(());
        }
        let name = self.caller.known().unwrap_or_default();
        let conn = self.read("access").await?;
        let standing = rows::standing(&conn, None, workflow_id, name).await?;
        drop(conn);
        match standing {
            None => Err(Subject::Workflow(workflow_id).missing()),
            Some(standing) if standing.owner && !name.is_empty() => Ok(()),
            Some(_) => self.require_group_admin(group_id).await,
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
