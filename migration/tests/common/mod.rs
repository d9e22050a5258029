//! A database in a file of its own, and the questions that every test asks of it.

use migration::{Migrator, MigratorTrait};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbBackend, QueryResult, Statement,
};

/// A connection, and the directory that goes away with it.
pub struct TestDb {
    pub db: DatabaseConnection,
    _dir: tempfile::TempDir,
}

impl TestDb {
    /// An empty file. One connection, so that a pragma holds for all that follows.
    pub async fn empty() -> Result<Self, DbErr> {
        let dir = tempfile::tempdir().map_err(|error| DbErr::Custom(error.to_string()))?;
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("test.db").display());
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await?;
        db.execute_unprepared(
            "PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL",
        )
        .await?;
        Ok(Self { db, _dir: dir })
    }

    /// A file with the newest schema.
    pub async fn migrated() -> Result<Self, DbErr> {
        let test = Self::empty().await?;
        Migrator::up(&test.db, None).await?;
        Ok(test)
    }

    /// Runs statements without parameters.
    pub async fn run(&self, sql: &str) -> Result<(), DbErr> {
        self.db.execute_unprepared(sql).await.map(drop)
    }

    /// All rows of a query.
    pub async fn rows(&self, sql: &str) -> Result<Vec<QueryResult>, DbErr> {
        self.db
            .query_all_raw(Statement::from_string(DbBackend::Sqlite, sql))
            .await
    }

    /// The first column of every row, as text.
    pub async fn texts(&self, sql: &str) -> Result<Vec<String>, DbErr> {
        self.rows(sql)
            .await?
            .iter()
            .map(|row| row.try_get_by_index(0))
            .collect()
    }

    /// The first column of every row, as an integer.
    pub async fn integers(&self, sql: &str) -> Result<Vec<i64>, DbErr> {
        self.rows(sql)
            .await?
            .iter()
            .map(|row| row.try_get_by_index(0))
            .collect()
    }

    /// The counters as the triggers keep them. Empty counts say nothing, so they are left out.
    pub async fn counters(&self) -> Result<Vec<String>, DbErr> {
        self.texts(
            "SELECT * FROM (SELECT 'job ' || id || ': ' || blockers FROM job ORDER BY id)
             UNION ALL
             SELECT * FROM (SELECT 'workflow ' || workflow_id || ' status ' || status || ': ' || jobs
                            FROM job_status_count WHERE jobs <> 0 ORDER BY workflow_id, status)",
        )
        .await
    }
}
