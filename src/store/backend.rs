//! What is SQLite's own: pragmas, connection options, the check of a file's head.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};

use super::StoreError;

/// How long a connection waits for another process that holds the database.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// `PRAGMA synchronous` of the write connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Synchronous {
    /// A commit survives the loss of power.
    Full,
    /// A commit survives the end of the process.
    Normal,
    /// Nothing is promised; for databases that go with the process.
    Off,
}

/// Opens a connection that may write, to an existing, migrated database.
pub(super) fn open_writer(path: &Path, synchronous: Synchronous) -> Result<Connection, StoreError> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(512);
    let synchronous = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
        Synchronous::Off => "OFF",
    };
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Database(format!(
            "it cannot be switched to a write-ahead log (journal mode {mode}); \
             its file system may not support shared memory"
        )));
    }
    conn.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous}; \
         PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; \
         PRAGMA temp_store = MEMORY;"
    ))?;
    Ok(conn)
}

/// Opens one read-only connection.
pub(super) async fn open_reader(path: &Path) -> Result<SqliteConnection, StoreError> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
        .pragma("query_only", "ON")
        .pragma("cache_size", "-16384")
        .statement_cache_capacity(256)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|error| StoreError::Database(error.to_string()))
}

/// Options with which the migrations open, and where need be make, the file.
pub(super) fn migration_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .disable_statement_logging()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY)
        .foreign_keys(false)
}

/// Whether an existing file may be a database: empty, or with SQLite's magic at its head.
pub(super) fn looks_like_database(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::with_capacity(16);
    std::fs::File::open(path)?.take(16).read_to_end(&mut head)?;
    Ok(head.is_empty() || head == b"SQLite format 3\0")
}
