//! The read connections: a few, held for good, never waiting for the writer.
//!
//! sqlx's own pool spawns a task for each statement that hands a connection
//! back, which costs more than the statement. So the connections are taken out
//! of it once and lent from here. They implement sea-orm's [`ConnectionTrait`],
//! and entities read through them as through any other connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::TryStreamExt;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use sqlx::Executor;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::StoreError;
use crate::telemetry::phase;
use crate::telemetry::request;
use crate::telemetry::resource::{self, Resource};

/// Lends read connections.
#[derive(Clone)]
pub struct Reads {
    inner: Arc<Inner>,
}

struct Inner {
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Arc<Semaphore>,
    /// One fewer than there are connections: long lists leave one for short questions,
    /// which workers ask all the time.
    lists: Arc<Semaphore>,
    resource: Resource,
}

impl Reads {
    /// Lends from `connections`; each is read-only.
    pub(super) fn new(connections: Vec<SqliteConnection>) -> Self {
        let permits = |n| resource::unseen(|| Arc::new(Semaphore::new(n)));
        let n = connections.len();
        Self {
            inner: Arc::new(Inner {
                idle: Mutex::new(connections),
                permits: permits(n),
                lists: permits(n.saturating_sub(1).max(1)),
                resource: Resource::new("ReadConnections", "Sync"),
            }),
        }
    }

    /// A connection for the statements of one operation, timed under `id`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Stopping`] when the store is closed.
    pub async fn get(&self, id: &'static str) -> Result<ReadConn, StoreError> {
        self.lend(id, None).await
    }

    /// Like [`Self::get`], for an operation that answers a list of any length.
    ///
    /// # Errors
    ///
    /// [`StoreError::Stopping`] when the store is closed.
    pub async fn get_for_list(&self, id: &'static str) -> Result<ReadConn, StoreError> {
        let list = self.permit(&self.inner.lists).await?;
        self.lend(id, Some(list)).await
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
    ) -> Result<ReadConn, StoreError> {
        let asked = Instant::now();
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
        let start = Instant::now();
        let mut held = self.conn.lock().await;
        let conn = held.as_mut().ok_or_else(gone)?;
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
