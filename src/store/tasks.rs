//! Tasks. Torc's table calls them handles.

use entity::async_handle::{self as table, Column, Entity};
use rusqlite::params;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;

use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::tasks::{TaskModel, TaskStatus};

table!(
    "async_handle",
    table::Model,
    [
        workflow_id,
        operation,
        status,
        created_at_ms,
        started_at_ms,
        finished_at_ms,
        requested_by,
        request_json,
        result_json,
        error,
    ]
);

const ACTIVE: Sql = Sql::new(
    "async_handle.active",
    "SELECT id FROM async_handle WHERE workflow_id = ? AND status IN ('queued', 'running')",
);
const START: Sql = Sql::new(
    "async_handle.start",
    "UPDATE async_handle SET status = 'running', started_at_ms = ?2 \
     WHERE id = ?1 AND status = 'queued'",
);
const FINISH: Sql = Sql::new(
    "async_handle.finish",
    "UPDATE async_handle SET status = iif(?3 IS NULL, 'succeeded', 'failed'), \
       finished_at_ms = ?2, error = ?3 WHERE id = ?1 AND status IN ('queued', 'running')",
);
const INTERRUPT: Sql = Sql::new(
    "async_handle.interrupt",
    "UPDATE async_handle SET status = 'failed', finished_at_ms = ?1, error = ?2 \
     WHERE status IN ('queued', 'running')",
);

fn to_wire(row: table::Model) -> Result<TaskModel, StoreError> {
    let status = serde_json::Value::String(row.status);
    Ok(TaskModel {
        id: row.id,
        workflow_id: row.workflow_id,
        operation: row.operation,
        status: TaskStatus::deserialize(status).map_err(|error| StoreError::Corrupt {
            what: "async_handle.status".to_owned(),
            cause: error.to_string(),
        })?,
        created_at_ms: row.created_at_ms,
        started_at_ms: row.started_at_ms,
        finished_at_ms: row.finished_at_ms,
        error: row.error,
    })
}

/// What is asked for.
pub struct NewTask<'a> {
    /// The workflow.
    pub workflow_id: i64,
    /// The operation.
    pub operation: &'a str,
    /// Who asks.
    pub requested_by: &'a str,
    /// What for, as JSON.
    pub request: &'a str,
    /// When, in milliseconds since 1970.
    pub now_ms: i64,
}

/// Adds a task that has not begun.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, new: &NewTask<'_>) -> Result<TaskModel, StoreError> {
    let mut row = table::Model {
        id: 0,
        workflow_id: new.workflow_id,
        operation: new.operation.to_owned(),
        status: "queued".to_owned(),
        created_at_ms: new.now_ms,
        started_at_ms: None,
        finished_at_ms: None,
        requested_by: Some(new.requested_by.to_owned()),
        request_json: Some(new.request.to_owned()),
        result_json: None,
        error: None,
    };
    row.id = rows::insert(tx, &row)?;
    to_wire(row)
}

/// The task of a workflow that is not over, with what was asked for.
///
/// # Errors
///
/// What the database says.
pub fn active(
    tx: &WriteTx<'_>,
    workflow_id: i64,
) -> Result<Option<(TaskModel, Option<String>)>, StoreError> {
    let Some(id) = tx.one(ACTIVE, [workflow_id], |row| row.get::<_, i64>(0))? else {
        return Ok(None);
    };
    let Some(mut row) = rows::get::<table::Model>(tx, id)? else {
        return Ok(None);
    };
    let request = row.request_json.take();
    Ok(Some((to_wire(row)?, request)))
}

/// Marks a task as going on; says whether it had not begun.
///
/// # Errors
///
/// What the database says.
pub fn start(tx: &WriteTx<'_>, id: i64, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(START, params![id, now_ms])? > 0)
}

/// Marks a task as over, failed if there is an `error`; says whether it was not over.
///
/// # Errors
///
/// What the database says.
pub fn finish(
    tx: &WriteTx<'_>,
    id: i64,
    now_ms: i64,
    error: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(tx.execute(FINISH, params![id, now_ms, error])? > 0)
}

/// Marks what an earlier process left unfinished as failed; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn interrupt_all(tx: &WriteTx<'_>, now_ms: i64, error: &str) -> Result<usize, StoreError> {
    tx.execute(INTERRUPT, params![now_ms, error])
}

/// One task, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<TaskModel>, StoreError> {
    let row = Entity::find_by_id(id).one(conn).await?;
    row.map(to_wire).transpose()
}

/// The task of a workflow that is not over, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read_active(
    conn: &ReadConn,
    workflow_id: i64,
) -> Result<Option<TaskModel>, StoreError> {
    let row = Entity::find()
        .filter(Column::WorkflowId.eq(workflow_id))
        .filter(Column::Status.is_in(["queued", "running"]));
    row.one(conn).await?.map(to_wire).transpose()
}
