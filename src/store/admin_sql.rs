//! Statements of administrators, whose texts nobody knows beforehand, and their log.
//!
//! Reading opens a connection of its own, which can only read, so that a statement that
//! takes long keeps no other reader waiting. Both ways end after [`LONGEST`].

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity::admin_audit_log::{self as table, Column, Entity};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};
use sea_orm::{EntityTrait, PaginatorTrait, QueryOrder, QuerySelect};
use serde_json::{Map, Value};

use super::rows::{self, table};
use super::sql::timed;
use super::{ReadConn, StoreError, WriteTx, backend};
use crate::clock::Tick;
use crate::wire::admin::{AdminAuditLogEntry, AdminSqlResponse};
use crate::wire::page::Page;

table!(
    "admin_audit_log",
    table::Model,
    [
        user_name,
        timestamp,
        sql_text,
        is_write,
        allow_full_table,
        rows_affected,
        committed,
        success,
        error,
    ]
);

/// How long a statement may run.
pub const LONGEST: Duration = Duration::from_secs(60);
/// Bytes of texts that an answer may have.
const MOST_BYTES: usize = 64 << 20;
/// Steps of SQLite's machine between two looks at the clock: some microseconds.
const STEPS: std::ffi::c_int = 10_000;

/// Why a statement did not run to its end: SQLite's words, or ours.
pub type Failure = String;

/// Runs a statement that only reads, and returns `limit` rows at most. Blocks.
///
/// # Errors
///
/// What is wrong with it.
pub fn read(path: &Path, sql: &str, limit: usize) -> Result<AdminSqlResponse, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| error.to_string())?;
    let prepare = || {
        conn.busy_timeout(backend::BUSY)?;
        conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, MOST_BYTES as i32)?;
        conn.execute_batch("PRAGMA query_only = ON")
    };
    prepare().map_err(|error| error.to_string())?;
    let never = AtomicBool::new(false);
    timed(
        "admin_sql.read",
        |done: &Result<AdminSqlResponse, Failure>| rows_of(done),
        || within(&conn, &never, || collect(&mut conn.prepare(sql)?, limit)),
    )
}

fn rows_of(done: &Result<AdminSqlResponse, Failure>) -> u64 {
    done.as_ref().map_or(0, |answer| answer.items.len() as u64)
}

impl WriteTx<'_> {
    /// Runs a statement of an administrator; after a failure nothing of it remains.
    ///
    /// # Errors
    ///
    /// The database's own failures; what is wrong with the statement is inside.
    pub fn admin_sql(
        &self,
        sql: &str,
        keep: bool,
        limit: usize,
    ) -> Result<Result<AdminSqlResponse, Failure>, StoreError> {
        let conn = self.connection();
        conn.execute_batch("SAVEPOINT admin_sql")?;
        let done = timed("admin_sql.write", rows_of, || {
            within(conn, self.hurried(), || {
                let before = conn.total_changes();
                let mut answer = collect(&mut conn.prepare(sql)?, limit)?;
                // Those of triggers and cascades are no rows of the statement.
                let changed = if conn.total_changes() == before {
                    0
                } else {
                    conn.changes()
                };
                answer.rows_affected = Some(i64::try_from(changed).unwrap_or(i64::MAX));
                Ok(answer)
            })
        });
        if self.hurried().load(Ordering::Relaxed) {
            return Err(StoreError::Stopping);
        }
        if done.is_err() || !keep {
            conn.execute_batch("ROLLBACK TO admin_sql")?;
        }
        conn.execute_batch("RELEASE admin_sql")?;
        Ok(done)
    }
}

/// Why a statement ended early.
enum Early {
    Sqlite(rusqlite::Error),
    TooLarge,
}

impl From<rusqlite::Error> for Early {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Does `work` for [`LONGEST`] at most, or until `hurried`.
fn within<T>(
    conn: &Connection,
    hurried: &AtomicBool,
    work: impl FnOnce() -> Result<T, Early>,
) -> Result<T, Failure> {
    let begun = Tick::now();
    // The handler must own what it looks at; the flag is looked at beside it.
    let watched = conn.progress_handler(STEPS, Some(move || begun.elapsed() > LONGEST));
    watched.map_err(|error| error.to_string())?;
    let done = work();
    let unwatched = conn.progress_handler(STEPS, None::<fn() -> bool>);
    unwatched.map_err(|error| error.to_string())?;
    done.map_err(|early| match early {
        Early::TooLarge => format!(
            "the answer is larger than {} MiB; ask for fewer rows or columns",
            MOST_BYTES >> 20
        ),
        Early::Sqlite(error) => {
            let interrupted = error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted);
            if interrupted && !hurried.load(Ordering::Relaxed) {
                format!("the statement took longer than {} s", LONGEST.as_secs())
            } else {
                words(&error)
            }
        }
    })
}

/// What SQLite says, without rusqlite's additions.
fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

/// All rows of a statement, up to `limit`; a statement that writes runs to its end.
fn collect(statement: &mut Statement<'_>, limit: usize) -> Result<AdminSqlResponse, Early> {
    let columns = unique(statement.column_names());
    let mut items = Vec::new();
    let mut bytes = 0;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            continue;
        }
        let mut item = Map::new();
        for (at, column) in columns.iter().enumerate() {
            let value = row.get_ref(at)?;
            bytes += column.len() + shown_bytes(value);
            if bytes > MOST_BYTES {
                return Err(Early::TooLarge);
            }
            item.insert(column.clone(), json(value));
        }
        items.push(item);
    }
    Ok(AdminSqlResponse {
        columns,
        items,
        rows_affected: None,
        committed: false,
    })
}

/// The names of columns, the second of a name with `_2` and so on.
fn unique(names: Vec<&str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let mut given = name.to_owned();
        let mut number = 2;
        while all.contains(&given) {
            given = format!("{name}_{number}");
            number += 1;
        }
        all.push(given);
    }
    all
}

/// Bytes that a value takes in an answer, roughly.
fn shown_bytes(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(text) => text.len(),
        ValueRef::Blob(bytes) => 2 * bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 16,
    }
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        // Infinity has no form in JSON.
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into(),
    }
}

/// Adds an entry to the log.
///
/// # Errors
///
/// What the database says.
pub fn log(tx: &WriteTx<'_>, entry: &AdminAuditLogEntry) -> Result<(), StoreError> {
    rows::insert(
        tx,
        &table::Model {
            id: 0,
            user_name: entry.user_name.clone(),
            timestamp: entry.timestamp,
            sql_text: entry.sql_text.clone(),
            is_write: entry.is_write,
            allow_full_table: entry.allow_full_table,
            rows_affected: entry.rows_affected,
            committed: entry.committed,
            success: entry.success,
            error: entry.error.clone(),
        },
    )?;
    Ok(())
}

/// Makes every maintained counter what the rows say.
///
/// # Errors
///
/// What the database says.
pub fn rebuild_counters(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    let all = migration::REBUILD_COUNTERS.iter();
    for sql in all.chain(migration::REBUILD_ACTION_JOBS) {
        timed(
            "admin_sql.rebuild",
            |_| 0,
            || tx.connection().execute(sql, ()),
        )?;
    }
    Ok(())
}

/// A page of the log, the newest entry first.
///
/// # Errors
///
/// What the database says.
pub async fn list_log(
    conn: &ReadConn,
    offset: i64,
    limit: i64,
) -> Result<Page<AdminAuditLogEntry>, StoreError> {
    let select = Entity::find();
    let total = i64::try_from(select.clone().count(conn).await?).unwrap_or(i64::MAX);
    let rows = select
        .order_by_desc(Column::Id)
        .offset(u64::try_from(offset).unwrap_or(0))
        .limit(u64::try_from(limit).unwrap_or(0));
    let items = rows
        .all(conn)
        .await?
        .into_iter()
        .map(|row| AdminAuditLogEntry {
            id: row.id,
            user_name: row.user_name,
            timestamp: row.timestamp,
            sql_text: row.sql_text,
            is_write: row.is_write,
            allow_full_table: row.allow_full_table,
            rows_affected: row.rows_affected,
            committed: row.committed,
            success: row.success,
            error: row.error,
        });
    Ok(Page::new(items.collect(), offset, total))
}
