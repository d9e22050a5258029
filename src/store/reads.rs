//! The read connections: a few, held for good, never waiting for the writer.
//!
//! sqlx's own pool spawns a task for each statement that hands a connection
//! back, which costs more than the statement. So the connections are taken out
//! of it once and lent from here. They implement sea-orm's [`ConnectionTrait`],
//! and entities read through them as through any other connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Executor, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::StoreError;
use super::statements::{self, Plans};
use crate::clock::Tick;
use crate::telemetry::phase;
use crate::telemetry::request;
use crate::telemetry::resource::{self, Resource};

/// Lends read connections.
#[derive(Clone)]
pub struct Reads {
    inner: Arc<Inner>,
}

struct Inner {
    /// The database, for who opens a connection of its own.
    path: PathBuf,
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Arc<Semaphore>,
    /// One fewer than there are connections: long lists leave one for short questions,
    /// which workers ask all the time.
    lists: Arc<Semaphore>,
    resource: Resource,
    plans: futures_util::lock::Mutex<Plans>,
}

impl Reads {
    /// Lends from `connections`; each is read-only.
    pub(super) fn new(path: PathBuf, connections: Vec<SqliteConnection>) -> Self {
        let permits = |n| resource::unseen(|| Arc::new(Semaphore::new(n)));
        let n = connections.len();
        Self {
            inner: Arc::new(Inner {
                path,
                idle: Mutex::new(connections),
                permits: permits(n),
                lists: permits(n.saturating_sub(1).max(1)),
                resource: Resource::new("ReadConnections", "Sync"),
                plans: futures_util::lock::Mutex::default(),
            }),
        }
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A connection for the statements of one operation, timed under `id`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Stopping`] when the store is closed.
    pub async fn get(&self, id: &'static str) -> Result<ReadConn, StoreError> {
        self.lend(id, None, Tick::now()).await
    }

    /// Like [`Self::get`], for an operation that answers a list of any length.
    ///
    /// # Errors
    ///
    /// [`StoreError::Stopping`] when the store is closed.
    pub async fn get_for_list(&self, id: &'static str) -> Result<ReadConn, StoreError> {
        let asked = Tick::now();
        let list = self.permit(&self.inner.lists).await?;
        self.lend(id, Some(list), asked).await
    }

    async fn permit(&self, of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = Arc::clone(of).acquire_owned();
        let permit = self.inner.resource.wait("ReadConnections::get", permit);
        permit.await.map_err(|_closed| StoreError::Stopping)
    }

    async fn lend(
        &self,
        id: &'static str,
        list: Option<OwnedSemaphorePermit>,
        asked: Tick,
    ) -> Result<ReadConn, StoreError> {
        let permit = self.permit(&self.inner.permits).await?;
        request::read_wait(asked.elapsed());
        let conn = self
            .inner
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .ok_or(StoreError::Stopping)?;
        Ok(ReadConn {
            id,
            conn: futures_util::lock::Mutex::new(Some(conn)),
            home: Arc::clone(&self.inner),
            _permit: permit,
            _list: list,
        })
    }

    /// The plans of this database's statements, as far as they were asked for.
    pub(super) fn plans(&self) -> &futures_util::lock::Mutex<Plans> {
        &self.inner.plans
    }

    /// Closes the connections that are idle now and refuses to lend more.
    pub(super) async fn close(&self) {
        use sqlx::Connection;
        self.inner.lists.close();
        self.inner.permits.close();
        let idle = std::mem::take(
            &mut *self
                .inner
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for conn in idle {
            if let Err(error) = conn.close().await {
                tracing::debug!("closing a read connection: {error}");
            }
        }
    }
}

/// A read connection on loan; it goes home when dropped.
pub struct ReadConn {
    id: &'static str,
    conn: futures_util::lock::Mutex<Option<SqliteConnection>>,
    home: Arc<Inner>,
    // Declared last: given back after the connection is home, so whoever gets it finds one.
    _permit: OwnedSemaphorePermit,
    _list: Option<OwnedSemaphorePermit>,
}

impl Drop for ReadConn {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.get_mut().take() {
            self.home
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(conn);
        }
    }
}

impl ReadConn {
    async fn fetch(
        &self,
        statement: Statement,
        first_only: bool,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let start = Tick::now();
        let mut held = self.conn.lock().await;
        let conn = held.as_mut().ok_or_else(gone)?;
        statements::note_read(self.id, &statement.sql);
        let values = SqlxValues(statement.values.unwrap_or(sea_orm::Values(Vec::new())));
        let query = sqlx::query_with(sqlx::AssertSqlSafe(statement.sql), values);
        let rows: Result<Vec<QueryResult>, sqlx::Error> = if first_only {
            conn.fetch_optional(query)
                .await
                .map(|row| row.map(QueryResult::from).into_iter().collect())
        } else {
            conn.fetch(query)
                .map_ok(QueryResult::from)
                .try_collect()
                .await
        };
        let count = rows.as_ref().map_or(0, |rows| rows.len() as u64);
        phase::statement(self.id, count, start.elapsed());
        rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }

    /// The steps of a statement's plan, inner ones indented; its parameters are as if null.
    pub(super) async fn plan(&self, text: &str) -> Result<Vec<String>, StoreError> {
        let rows = self.aside(format!("EXPLAIN QUERY PLAN {text}")).await?;
        let mut depths: Vec<(i64, usize)> = Vec::with_capacity(rows.len());
        let mut steps = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, parent): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let outer = depths.iter().find(|(id, _)| *id == parent);
            let depth = outer.map_or(0, |(_, depth)| depth + 1);
            depths.push((id, depth));
            let step: String = row.try_get(3)?;
            steps.push(format!("{:indent$}{step}", "", indent = 2 * depth));
        }
        Ok(steps)
    }

    /// The first column, of text.
    pub(super) async fn words(&self, sql: &str) -> Result<Vec<String>, StoreError> {
        let rows = self.aside(sql.to_owned()).await?;
        let words = rows.iter().map(|row| row.try_get(0));
        Ok(words.collect::<Result<_, sqlx::Error>>()?)
    }

    /// The first column, of numbers.
    pub(super) async fn numbers(&self, sql: &str) -> Result<Vec<i64>, StoreError> {
        let rows = self.aside(sql.to_owned()).await?;
        let numbers = rows.iter().map(|row| row.try_get(0));
        Ok(numbers.collect::<Result<_, sqlx::Error>>()?)
    }

    /// Asks the database about itself: timed like others, but not listed with them, nor
    /// kept prepared in place of one that is needed again.
    async fn aside(&self, sql: String) -> Result<Vec<SqliteRow>, StoreError> {
        let start = Tick::now();
        let mut held = self.conn.lock().await;
        let conn = held.as_mut().ok_or_else(gone)?;
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false);
        let rows: Vec<SqliteRow> = conn.fetch(query).try_collect().await?;
        phase::statement(self.id, rows.len() as u64, start.elapsed());
        Ok(rows)
    }
}

fn gone() -> DbErr {
    DbErr::Custom("the read connection is closed".to_owned())
}

fn read_only() -> DbErr {
    DbErr::Custom("a read connection does not write".to_owned())
}

#[async_trait::async_trait]
impl ConnectionTrait for ReadConn {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Sqlite
    }

    async fn execute_raw(&self, _statement: Statement) -> Result<ExecResult, DbErr> {
        Err(read_only())
    }

    async fn execute_unprepared(&self, _sql: &str) -> Result<ExecResult, DbErr> {
        Err(read_only())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.fetch(statement, true).await?.pop())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.fetch(statement, false).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use crate::store::{Durability, OpenOptions, Store};

    /// However many lists there are, a short question finds a connection.
    #[tokio::test]
    async fn lists_leave_a_connection_to_others() {
        let options = OpenOptions {
            path: None,
            durability: Durability::Process,
            queue_capacity: 1,
            readers: 3,
        };
        let store = Store::open(&options, Box::new(|_| ())).await.unwrap();
        let first = store.reads.get_for_list("list").await.unwrap();
        let _second = store.reads.get_for_list("list").await.unwrap();
        assert!(store.reads.get_for_list("list").now_or_never().is_none());
        let short = store.reads.get("short").now_or_never();
        assert!(short.is_some_and(|lent| lent.is_ok()));
        drop(first);
        assert!(store.reads.get_for_list("list").now_or_never().is_some());
        store.close().await;
    }
}
