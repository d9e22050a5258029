//! Remote workers.

use entity::remote_worker::{self as table, Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::remote_workers::RemoteWorkerModel;

const INSERT: Sql = Sql::new(
    "remote_worker.insert",
    "INSERT OR IGNORE INTO remote_worker (worker, workflow_id) VALUES (?, ?)",
);
const DELETE: Sql = Sql::new(
    "remote_worker.delete",
    "DELETE FROM remote_worker WHERE worker = ? AND workflow_id = ?",
);

/// Adds a worker, unless the workflow has it already.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, workflow_id: i64, worker: &str) -> Result<(), StoreError> {
    tx.execute(INSERT, rusqlite::params![worker, workflow_id])?;
    Ok(())
}

/// Removes a worker; says whether there was one.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, workflow_id: i64, worker: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, rusqlite::params![worker, workflow_id])? > 0)
}

/// The workers of a workflow, by name.
///
/// # Errors
///
/// What the database says.
pub async fn list(conn: &ReadConn, workflow_id: i64) -> Result<Vec<RemoteWorkerModel>, StoreError> {
    let rows = Entity::find()
        .filter(Column::WorkflowId.eq(workflow_id))
        .order_by_asc(Column::Worker);
    let to_wire = |row: table::Model| RemoteWorkerModel {
        worker: row.worker,
        workflow_id: row.workflow_id,
    };
    Ok(rows.all(conn).await?.into_iter().map(to_wire).collect())
}
