//! The rules: what may follow what, who may do it, what others hear of it.
//!
//! Changes are commands handed to the store's writer; looking is a function on
//! a read connection. The pure parts ([`transition`], [`fit`]) know neither
//! database nor clock. No HTTP, no SQL here.

pub mod access;
pub mod access_groups;
mod action_config;
pub mod admin_sql;
mod bulk;
pub mod claims;
pub mod compute_nodes;
pub mod error;
pub mod events;
pub mod failure_handlers;
pub mod files;
pub mod fit;
pub mod input_hash;
pub mod job_runs;
pub mod job_update;
pub mod jobs;
pub mod labels;
pub mod local_schedulers;
mod owned;
pub mod relationships;
pub mod release;
pub mod remote_workers;
pub mod resource_requirements;
pub mod results;
mod ro_crate_automatic;
pub mod ro_crate_entities;
pub mod scheduled_compute_nodes;
pub mod slurm_schedulers;
pub mod slurm_stats;
pub mod spawn_jobs;
mod sql_check;
pub mod statements;
pub mod status_changes;
pub mod status_moves;
pub mod sweep;
pub mod tasks;
pub mod transition;
mod triggers;
pub mod user_data;
mod weight;
pub mod workflow_actions;
pub mod workflow_runs;
pub mod workflow_status;
pub mod workflows;

use std::sync::Arc;

pub use access::{AccessRules, Caller, Subject};
pub use admin_sql::AdminSql;
pub use error::EngineError;
pub use events::Broadcaster;

pub use crate::store::list_sizes::Listed;
use crate::store::{Command, ReadConn, Reads, Writer, list_sizes};
use crate::wire::page::{MAX_LIMIT, Paging};

/// The rules over an open store. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
    caller: Caller,
}

/// What every caller's engine has in common.
#[derive(Clone)]
struct Parts {
    writer: Writer,
    reads: Reads,
    events: Broadcaster,
    rules: AccessRules,
    sql: AdminSql,
}

/// Rows from which on a command is a batch of its own: others should not wait for it
/// inside of its transaction.
const MANY: usize = 1_000;

impl Engine {
    /// An engine that writes and reads through these, and broadcasts through `events`.
    pub fn new(writer: Writer, reads: Reads, events: Broadcaster) -> Self {
        Self {
            parts: Arc::new(Parts {
                writer,
                reads,
                events,
                rules: AccessRules::default(),
                sql: AdminSql::default(),
            }),
            caller: Caller::default(),
        }
    }

    /// The same engine, where `rules` say who may do what; without them everybody may do
    /// everything.
    #[must_use]
    pub fn with_access_rules(mut self, rules: AccessRules) -> Self {
        Arc::make_mut(&mut self.parts).rules = rules;
        self
    }

    /// The same engine, where administrators may send this SQL.
    #[must_use]
    pub fn with_admin_sql(mut self, sql: AdminSql) -> Self {
        Arc::make_mut(&mut self.parts).sql = sql;
        self
    }

    /// The same engine on behalf of `caller`: what it is asked from then on, that one asks.
    #[must_use]
    pub fn on_behalf_of(&self, caller: Caller) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            caller,
        }
    }

    /// On whose behalf it acts.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The live event streams.
    pub fn events(&self) -> &Broadcaster {
        &self.parts.events
    }

    /// Hands a command to the writer.
    pub(crate) async fn submit<C>(&self, command: C) -> Result<C::Reply, EngineError>
    where
        C: Command<Error = EngineError>,
    {
        self.parts.writer.submit(command).await
    }

    /// A read connection for the operation `id`.
    pub(crate) async fn read(&self, id: &'static str) -> Result<ReadConn, EngineError> {
        Ok(self.parts.reads.get(id).await?)
    }

    /// Rows that a list may have before any filter, `most` at most; cheap to find out.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn list_size(
        &self,
        listed: Listed,
        workflow_id: i64,
        most: i64,
    ) -> Result<i64, EngineError> {
        let conn = self.read("list_size").await?;
        Ok(list_sizes::rows(&conn, listed, workflow_id, most).await?)
    }

    /// A read connection for the operation `id`, which answers a list of any length.
    pub(crate) async fn read_list(&self, id: &'static str) -> Result<ReadConn, EngineError> {
        Ok(self.parts.reads.get_for_list(id).await?)
    }
}

/// Refuses a page that the contract does not grant.
pub(crate) fn check_paging(paging: &Paging) -> Result<(), EngineError> {
    if paging.offset < 0 {
        return Err(EngineError::invalid("offset cannot be negative"));
    }
    check_limit(paging.limit)
}

/// Refuses a limit outside 0 to [`MAX_LIMIT`].
pub(crate) fn check_limit(limit: i64) -> Result<(), EngineError> {
    if limit < 0 {
        return Err(EngineError::invalid("limit cannot be negative"));
    }
    if limit > MAX_LIMIT {
        return Err(EngineError::invalid(format!(
            "Limit cannot exceed {MAX_LIMIT}"
        )));
    }
    Ok(())
}
