//! What our engine adds to Torc's tables: counters, the columns behind them, and indexes.
//!
//! `job.blockers` and `job_status_count` are kept by triggers, so that no statement can forget them, cascades included.
//! SQLite fires no trigger for a row that `INSERT OR REPLACE` pushes out (`recursive_triggers` is off): nothing may use
//! it on `job` or `job_depends_on` without running [`REBUILD_COUNTERS`] in the same transaction.

mod indexes;
mod triggers;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// A column that we add: its table, its name, its definition.
type Addition = (&'static str, &'static str, &'static str);

/// Virtual columns can be added to a table with rows; stored ones cannot. The key of a group is never NULL, since NULLs
/// are all different to an index search; an absent id is none that a row could have; and the free text stands last, so
/// no two combinations share a key.
const COLUMNS: &[Addition] = &[
    ("workflow", "has_failures", "INTEGER NOT NULL DEFAULT 0"),
    ("job", "blockers", "INTEGER NOT NULL DEFAULT 0"),
    ("job", "claim_token", "TEXT"),
    (
        "job",
        "claim_group",
        "TEXT GENERATED ALWAYS AS (printf('%s|%s|%s', \
         ifnull(resource_requirements_id, '-'), ifnull(scheduler_id, '-'), ifnull(labels, ''))) VIRTUAL",
    ),
    ("result", "request_key", "TEXT"),
];

/// Torc declares this column as JSON, which SQLite takes for a numeric type: a document that is a bare number is stored
/// as a number, and reading it as text fails. Done column by column, since remaking the table would cascade.
const DATA_AS_TEXT: &str = "
ALTER TABLE user_data ADD COLUMN data_text TEXT;
UPDATE user_data SET data_text = CAST(data AS TEXT);
ALTER TABLE user_data DROP COLUMN data;
ALTER TABLE user_data RENAME COLUMN data_text TO data;
";

/// Jobs by status. A row may stay with `jobs = 0`: the next job of that status then costs an update in place.
const STATUS_COUNT: &str = "
CREATE TABLE IF NOT EXISTS job_status_count (
    workflow_id INTEGER NOT NULL,
    status INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, status)
) WITHOUT ROWID;
";

/// Recomputes `job.blockers` and `job_status_count` from the rows, for all workflows. To be run in order, in one
/// transaction. Blockers are the dependencies that exist and have not ended (5 completed to 8 terminated).
pub const REBUILD_COUNTERS: &[&str] = &[
    "UPDATE job SET blockers = counted.blockers
     FROM (SELECT dependent.id AS id, count(blocker.id) AS blockers
           FROM job AS dependent
           LEFT JOIN job_depends_on AS link ON link.job_id = dependent.id
           LEFT JOIN job AS blocker ON blocker.id = link.depends_on_job_id AND blocker.status NOT BETWEEN 5 AND 8
           GROUP BY dependent.id) AS counted
     WHERE counted.id = job.id AND counted.blockers <> job.blockers",
    "DELETE FROM job_status_count",
    "INSERT INTO job_status_count (workflow_id, status, jobs)
     SELECT workflow_id, status, count(*) FROM job GROUP BY workflow_id, status",
];

/// Adds columns, indexes, counters and triggers, and counts what is there.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for &(table, column, definition) in COLUMNS {
            if !has_column(manager, table, column, "%").await? {
                db.execute_unprepared(&format!(
                    "ALTER TABLE {table} ADD COLUMN {column} {definition}"
                ))
                .await?;
            }
        }
        if has_column(manager, "user_data", "data", "JSON").await? {
            db.execute_unprepared(DATA_AS_TEXT).await?;
        }
        db.execute_unprepared(STATUS_COUNT).await?;
        db.execute_unprepared(indexes::JOB).await?;
        db.execute_unprepared(indexes::LOOKUPS).await?;
        db.execute_unprepared(triggers::STATUS_COUNT).await?;
        db.execute_unprepared(triggers::BLOCKERS).await?;
        for statement in REBUILD_COUNTERS {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Whether there is such a column, with a declared type like `kind`. (`SchemaManager::has_column` reads
/// `pragma_table_info`, which leaves generated columns out.)
async fn has_column(
    manager: &SchemaManager<'_>,
    table: &str,
    column: &str,
    kind: &str,
) -> Result<bool, DbErr> {
    let found = manager
        .get_connection()
        .query_one_raw(Statement::from_sql_and_values(
            DbBackend::Sqlite,
            "SELECT 1 FROM pragma_table_xinfo(?) WHERE name = ? AND type LIKE ?",
            [table.into(), column.into(), kind.into()],
        ))
        .await?;
    Ok(found.is_some())
}
