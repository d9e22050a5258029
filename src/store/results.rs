//! Results, and which one of each job is the current.

use entity::result::{self as table, Column, Entity};
use entity::{job, workflow_result};
use rusqlite::params;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::convert::status;
use super::paging::{among, page};
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::page::{Page, Paging};
use crate::wire::results::{ListResultsQuery, ResultModel};

table!(
    "result",
    table::Model,
    [
        workflow_id,
        job_id,
        run_id,
        attempt_id,
        compute_node_id,
        return_code,
        exec_time_minutes,
        completion_time,
        status,
        peak_memory_bytes,
        avg_memory_bytes,
        peak_cpu_percent,
        avg_cpu_percent,
        request_key,
    ]
);

const SET_CURRENT: Sql = Sql::new(
    "workflow_result.set",
    "INSERT INTO workflow_result (workflow_id, job_id, result_id) VALUES (?1, ?2, ?3) \
     ON CONFLICT (workflow_id, job_id) DO UPDATE SET result_id = excluded.result_id",
);
const FIND: Sql = Sql::new(
    "result.find",
    "SELECT id FROM result WHERE job_id = ?1 AND run_id = ?2 AND attempt_id = ?3",
);
const JOB_NAME: Sql = Sql::new("job.name", "SELECT name FROM job WHERE id = ?");
const DELETE_ALL: Sql = Sql::new(
    "result.delete_all",
    "DELETE FROM result WHERE workflow_id = ?",
);

fn to_wire(row: table::Model, job_name: Option<String>) -> Result<ResultModel, StoreError> {
    Ok(ResultModel {
        id: Some(row.id),
        job_id: row.job_id,
        workflow_id: row.workflow_id,
        run_id: row.run_id,
        attempt_id: Some(row.attempt_id),
        compute_node_id: row.compute_node_id,
        return_code: row.return_code,
        exec_time_minutes: row.exec_time_minutes,
        completion_time: row.completion_time,
        peak_memory_bytes: row.peak_memory_bytes,
        avg_memory_bytes: row.avg_memory_bytes,
        peak_cpu_percent: row.peak_cpu_percent,
        avg_cpu_percent: row.avg_cpu_percent,
        status: status(row.status)?,
        job_name,
    })
}

fn from_wire(id: i64, model: &ResultModel, request_key: Option<&str>) -> table::Model {
    table::Model {
        id,
        workflow_id: model.workflow_id,
        job_id: model.job_id,
        run_id: model.run_id,
        attempt_id: model.attempt_id.unwrap_or(1),
        compute_node_id: model.compute_node_id,
        return_code: model.return_code,
        exec_time_minutes: model.exec_time_minutes,
        completion_time: model.completion_time.clone(),
        status: model.status.code(),
        peak_memory_bytes: model.peak_memory_bytes,
        avg_memory_bytes: model.avg_memory_bytes,
        peak_cpu_percent: model.peak_cpu_percent,
        avg_cpu_percent: model.avg_cpu_percent,
        request_key: request_key.map(str::to_owned),
    }
}

/// Adds a result under the key of the request that brought it; answers its id.
///
/// # Errors
///
/// [`StoreError::Unique`] when the attempt has one, [`StoreError::ForeignKey`]
/// when its node or job does not exist.
pub fn insert(
    tx: &WriteTx<'_>,
    model: &ResultModel,
    request_key: Option<&str>,
) -> Result<i64, StoreError> {
    rows::insert(tx, &from_wire(0, model, request_key))
}

/// Makes a result the current one of its job.
///
/// # Errors
///
/// What the database says.
pub fn set_current(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    job_id: i64,
    result_id: i64,
) -> Result<(), StoreError> {
    tx.execute(SET_CURRENT, params![workflow_id, job_id, result_id])?;
    Ok(())
}

/// The result of one attempt, with the key of the request that brought it.
///
/// # Errors
///
/// What the database says.
pub fn find(
    tx: &WriteTx<'_>,
    job_id: i64,
    run_id: i64,
    attempt_id: i64,
) -> Result<Option<(ResultModel, Option<String>)>, StoreError> {
    let Some(id) = tx.one(FIND, params![job_id, run_id, attempt_id], |row| row.get(0))? else {
        return Ok(None);
    };
    let Some(mut row) = rows::get::<table::Model>(tx, id)? else {
        return Ok(None);
    };
    let key = row.request_key.take();
    Ok(Some((to_wire(row, None)?, key)))
}

/// One result, with its job's name.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<ResultModel>, StoreError> {
    let Some(row) = rows::get::<table::Model>(tx, id)? else {
        return Ok(None);
    };
    let name = tx.one(JOB_NAME, [row.job_id], |row| row.get(0))?;
    to_wire(row, name).map(Some)
}

/// Replaces what a result says; the key of its request stays.
///
/// # Errors
///
/// What the database says.
pub fn update(tx: &WriteTx<'_>, id: i64, model: &ResultModel) -> Result<(), StoreError> {
    let key = rows::get::<table::Model>(tx, id)?.and_then(|row| row.request_key);
    rows::update(tx, &from_wire(id, model, key.as_deref()))
}

/// Removes a result.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<table::Model>(tx, id)?;
    Ok(())
}

/// Removes all results of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(DELETE_ALL, [workflow_id])? as i64)
}

/// One result with its job's name, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<ResultModel>, StoreError> {
    let Some(row) = Entity::find_by_id(id).one(conn).await? else {
        return Ok(None);
    };
    let name = names(conn, &[row.job_id])
        .await?
        .pop()
        .map(|(_, name)| name);
    to_wire(row, name).map(Some)
}

/// Names of jobs, by id ascending.
async fn names(conn: &ReadConn, jobs: &[i64]) -> Result<Vec<(i64, String)>, StoreError> {
    let mut all = Vec::with_capacity(jobs.len());
    for condition in among(job::Column::Id, jobs) {
        let some: Vec<(i64, String)> = job::Entity::find()
            .select_only()
            .column(job::Column::Id)
            .column(job::Column::Name)
            .filter(condition)
            .into_tuple()
            .all(conn)
            .await?;
        all.extend(some);
    }
    all.sort_unstable_by_key(|(id, _)| *id);
    Ok(all)
}

/// A page of a workflow's results: the current ones, or those of all runs.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListResultsQuery,
    paging: &Paging,
) -> Result<Page<ResultModel>, StoreError> {
    let mut select = Entity::find().filter(Column::WorkflowId.eq(query.workflow_id));
    if query.all_runs != Some(true) {
        let current = workflow_result::Entity::find()
            .select_only()
            .column(workflow_result::Column::ResultId)
            .filter(workflow_result::Column::WorkflowId.eq(query.workflow_id))
            .into_query();
        select = select.filter(Column::Id.in_subquery(current));
    }
    for (column, number) in [
        (Column::JobId, query.job_id),
        (Column::RunId, query.run_id),
        (Column::ReturnCode, query.return_code),
        (
            Column::Status,
            query.status.map(crate::wire::JobStatus::code),
        ),
        (Column::ComputeNodeId, query.compute_node_id),
    ] {
        if let Some(number) = number {
            select = select.filter(column.eq(number));
        }
    }
    let found = page(conn, select, None, paging, Column::Id, |name| {
        name != "request_key"
    })
    .await?;
    let jobs: Vec<i64> = found.rows.iter().map(|row| row.job_id).collect();
    let names: std::collections::HashMap<i64, String> =
        names(conn, &jobs).await?.into_iter().collect();
    let items = found
        .rows
        .into_iter()
        .map(|row| {
            let name = names.get(&row.job_id).cloned();
            to_wire(row, name)
        })
        .collect::<Result<_, _>>()?;
    Ok(Page::new(items, paging.offset, found.total))
}
