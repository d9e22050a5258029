//! The open transaction of the writer. Only the writer can make one, so whoever
//! holds a [`WriteTx`] is inside a batch, and nobody else ever writes.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Params, Row, Statement, StatementStatus};

use super::StoreError;
use super::sql::{Sql, timed};
use super::statements;
use crate::telemetry::phase;

const TRIGGERS: DbConfig = DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER;

/// Records how many rows the last run of a statement went through for want of an index.
/// SQLite counts them anyway, so an index that is gone shows wherever it is missed.
fn note_scan(sql: Sql, statement: &Statement<'_>) {
    let rows = statement.reset_status(StatementStatus::FullscanStep);
    phase::scanned(sql.id, u64::try_from(rows).unwrap_or(0));
}

/// The seam between the nouns' SQL and the driver.
pub struct WriteTx<'c> {
    conn: &'c Connection,
    /// Set when the server has no more time: no further statement is begun.
    hurried: &'c AtomicBool,
    /// What the database said last when it refused a statement.
    failure: RefCell<Option<StoreError>>,
}

impl<'c> WriteTx<'c> {
    /// For the writer alone: `conn` is inside an open transaction.
    pub(super) fn new(conn: &'c Connection, hurried: &'c AtomicBool) -> Self {
        Self {
            conn,
            hurried,
            failure: RefCell::new(None),
        }
    }

    /// The last refusal of the database itself, for whoever finds the transaction gone.
    pub(super) fn last_failure(&self) -> Option<StoreError> {
        self.failure.borrow().clone()
    }

    /// Times a statement under its id, and remembers its failure.
    fn run<T>(
        &self,
        sql: Sql,
        rows: impl FnOnce(&T) -> u64,
        work: impl FnOnce() -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.hurried.load(Ordering::Relaxed) {
            return Err(StoreError::Stopping);
        }
        statements::note(sql);
        let count = |outcome: &rusqlite::Result<T>| outcome.as_ref().map_or(0, rows);
        timed(sql.id, count, work).map_err(|error| {
            let error = StoreError::from(error);
            self.failure.replace(Some(error.clone()));
            error
        })
    }

    /// Runs a statement that returns no rows; answers how many rows it changed.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub fn execute(&self, sql: Sql, params: impl Params) -> Result<usize, StoreError> {
        self.run(
            sql,
            |changed| *changed as u64,
            || {
                let mut statement = self.conn.prepare_cached(sql.text)?;
                let changed = statement.execute(params);
                note_scan(sql, &statement);
                changed
            },
        )
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub fn one<T>(
        &self,
        sql: Sql,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let count = |found: &Option<T>| u64::from(found.is_some());
        self.run(sql, count, || {
            let mut statement = self.conn.prepare_cached(sql.text)?;
            let mut rows = statement.query(params)?;
            let found = match rows.next()? {
                Some(row) => Some(read(row)?),
                None => None,
            };
            drop(rows);
            note_scan(sql, &statement);
            Ok(found)
        })
    }

    /// All rows.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub fn all<T>(
        &self,
        sql: Sql,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let count = |found: &Vec<T>| found.len() as u64;
        self.run(sql, count, || {
            let mut statement = self.conn.prepare_cached(sql.text)?;
            let mut rows = statement.query(params)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            drop(rows);
            note_scan(sql, &statement);
            Ok(found)
        })
    }

    /// Runs statements for which no trigger of the schema fires: their work is the
    /// caller's to do. Foreign keys act as ever.
    ///
    /// # Errors
    ///
    /// Those of `work`, and what the database says.
    pub fn without_triggers<T>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        /// Turns them on again, also when `work` panics.
        struct On<'c>(&'c Connection);
        impl Drop for On<'_> {
            fn drop(&mut self) {
                if let Err(error) = self.0.set_db_config(TRIGGERS, true) {
                    // Cannot happen on an open connection; counters would go wrong silently.
                    tracing::error!("triggers stay off: {error}");
                    std::process::abort();
                }
            }
        }
        self.conn.set_db_config(TRIGGERS, false)?;
        let _on = On(self.conn);
        work()
    }

    /// The connection, for statements whose texts are made by others (`store/admin_sql.rs`).
    pub(super) fn connection(&self) -> &'c Connection {
        self.conn
    }

    /// Whether the server has no more time.
    pub(super) fn hurried(&self) -> &'c AtomicBool {
        self.hurried
    }

    /// The id that the last insert was given.
    pub fn last_id(&self) -> i64 {
        self.conn.last_insert_rowid()
    }
}
