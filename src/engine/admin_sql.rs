//! SQL of administrators: what reads runs beside everything else, what writes is a batch of
//! the writer's own, with its entry in the audit log in the same transaction.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Caller, Engine, EngineError, sql_check};
use crate::clock;
use crate::store::{Command, Effects, WriteTx, admin_sql as rows};
use crate::telemetry::{resource, task};
use crate::wire::admin::{AdminAuditLogEntry, AdminSqlRequest, AdminSqlResponse, AuditLogQuery};
use crate::wire::page::{MAX_LIMIT, Page};

/// Reading statements at one time.
const AT_ONCE: usize = 2;

/// Which SQL administrators may send.
#[derive(Debug, Clone)]
pub struct AdminSql {
    /// Any at all.
    pub enabled: bool,
    /// What writes.
    pub writes: bool,
    turns: Arc<Semaphore>,
}

impl AdminSql {
    /// As the configuration has it.
    pub fn new(enabled: bool, writes: bool) -> Self {
        Self {
            enabled,
            writes,
            turns: resource::unseen(|| Arc::new(Semaphore::new(AT_ONCE))),
        }
    }
}

impl Default for AdminSql {
    fn default() -> Self {
        Self::new(true, true)
    }
}

struct AdminSqlWrite {
    caller: Caller,
    request: AdminSqlRequest,
    limit: usize,
}

impl Command for AdminSqlWrite {
    const NAME: &'static str = "admin_sql";
    type Reply = Result<AdminSqlResponse, String>;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let request = self.request;
        let keep = !request.dry_run;
        let mut done = tx.admin_sql(&request.sql, keep, self.limit)?;
        if !keep {
            return Ok(done);
        }
        if let Ok(answer) = &mut done {
            answer.committed = true;
            if answer.rows_affected != Some(0) {
                rows::rebuild_counters(tx)?;
            }
        }
        rows::log(
            tx,
            &AdminAuditLogEntry {
                id: 0,
                user_name: self.caller.name().to_owned(),
                timestamp: clock::now_ms(),
                sql_text: request.sql,
                is_write: true,
                allow_full_table: request.allow_full_table,
                rows_affected: done.as_ref().ok().and_then(|answer| answer.rows_affected),
                committed: done.is_ok(),
                success: done.is_ok(),
                error: done.as_ref().err().cloned(),
            },
        )?;
        Ok(done)
    }

    fn alone(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        self.request.sql.len()
    }
}

fn refused(kind: &'static str, message: String) -> EngineError {
    EngineError::Statement { kind, message }
}

impl Engine {
    /// Runs a statement of an administrator.
    ///
    /// # Errors
    ///
    /// A caller that is no administrator, statements that are switched off or not allowed,
    /// what SQLite says of it.
    #[tracing::instrument(level = "debug", skip(self, request), fields(write = request.write))]
    pub async fn admin_sql(
        &self,
        request: AdminSqlRequest,
    ) -> Result<AdminSqlResponse, EngineError> {
        self.require_admin()?;
        let off = |what: &str| EngineError::Forbidden(format!("{what} switched off by a flag"));
        if !self.parts.sql.enabled {
            return Err(off("admin SQL is"));
        }
        if request.write && !self.parts.sql.writes {
            return Err(off("writes by admin SQL are"));
        }
        sql_check::check(&request.sql, request.write, request.allow_full_table)
            .map_err(|message| refused("InvalidStatement", message))?;
        let limit = request.limit.unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT) as usize;
        if request.write {
            let caller = self.caller().clone();
            let write = AdminSqlWrite {
                caller,
                request,
                limit,
            };
            let done = self.submit(write).await?;
            return done.map_err(|message| refused("ExecutionFailed", message));
        }
        let turn = Arc::clone(&self.parts.sql.turns).acquire_owned().await;
        let path = self.parts.reads.path().to_owned();
        let read = move || {
            // It goes on when its client has gone, and so does its turn.
            let _turn = turn;
            rows::read(&path, &request.sql, limit)
        };
        let done = task::spawn_blocking("admin-sql", read).await;
        let done = done.map_err(|_| EngineError::Store(crate::store::StoreError::Panicked))?;
        done.map_err(|message| refused("QueryFailed", message))
    }

    /// The log of statements that were to change rows, the newest first. A page out of
    /// bounds is cut.
    ///
    /// # Errors
    ///
    /// A caller that is no administrator.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn list_admin_audit_log(
        &self,
        query: AuditLogQuery,
    ) -> Result<Page<AdminAuditLogEntry>, EngineError> {
        self.require_admin()?;
        let offset = query.offset.unwrap_or(0).max(0);
        let limit = query.limit.unwrap_or(MAX_LIMIT).clamp(0, MAX_LIMIT);
        let conn = self.read_list("list_admin_audit_log").await?;
        Ok(rows::list_log(&conn, offset, limit).await?)
    }
}
