//! The state of a workflow at a glance: counts, times, nodes.
//!
//! Counts come from `job_status_count`, which the schema's triggers keep; no
//! query here reads all jobs of a workflow.

use entity::{compute_node, job, resource_requirements, scheduled_compute_node};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Statement,
};

use super::convert::labels_from_column;
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::JobStatus;
use crate::wire::jobs::RunningJobModel;
use crate::wire::page::Page;

const SCHEDULED: Sql = Sql::new(
    "scheduled_compute_node.any_alive",
    "SELECT EXISTS (SELECT 1 FROM scheduled_compute_node \
     WHERE workflow_id = ? AND status IN ('pending', 'active'))",
);
const STATE: &str = "SELECT name, user, is_canceled FROM workflow WHERE id = ?1";
const COUNTS: &str = "SELECT status, jobs FROM job_status_count WHERE workflow_id = ?1";
const COUNTS_OF_ALL: &str = "SELECT status, sum(jobs) FROM job_status_count GROUP BY status";
// julianday keeps about a hundredth of a millisecond, as much as the contract shows.
const TIMES: &str = "SELECT coalesce(sum(r.exec_time_minutes), 0.0), \
     (max(julianday(r.completion_time)) \
      - min(julianday(r.completion_time) - r.exec_time_minutes / 1440.0)) * 86400.0 \
     FROM workflow_result w JOIN result r ON r.id = w.result_id WHERE w.workflow_id = ?1";
const RUNNING: &str = "SELECT j.id, j.name, coalesce(n.hostname, ''), \
     coalesce(n.compute_node_type, ''), n.scheduler, j.start_time, s.scheduler_id \
     FROM job j LEFT JOIN compute_node n ON n.id = j.compute_node_id \
     LEFT JOIN scheduled_compute_node s ON s.workflow_id = j.workflow_id AND s.id = \
       iif(json_valid(n.scheduler), json_extract(n.scheduler, '$.scheduler_id'), NULL) \
     WHERE j.workflow_id = ?1 AND j.status <> 0 AND j.status = 4 ORDER BY j.id LIMIT ?2 OFFSET ?3";

/// A workflow's name, owner and whether it was cancelled.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub user: String,
    /// It was cancelled.
    pub is_canceled: bool,
}

/// An active compute node, as far as the status looks at it.
#[derive(Debug, Clone)]
pub struct ActiveNode {
    /// When its allocation ends, RFC 3339.
    pub end_time: Option<String>,
    /// Labels it serves.
    pub labels: Vec<String>,
}

/// Whether an allocation of the workflow is pending or active.
///
/// # Errors
///
/// What the database says.
pub fn has_scheduled_nodes(tx: &WriteTx<'_>, workflow_id: i64) -> Result<bool, StoreError> {
    Ok(tx
        .one(SCHEDULED, [workflow_id], |row| row.get(0))?
        .unwrap_or(false))
}

fn statement(conn: &ReadConn, sql: &str, workflow_id: i64) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), sql, [workflow_id.into()])
}

/// The workflow's head, if it exists.
///
/// # Errors
///
/// What the database says.
pub async fn head(conn: &ReadConn, workflow_id: i64) -> Result<Option<Head>, StoreError> {
    let Some(row) = conn
        .query_one_raw(statement(conn, STATE, workflow_id))
        .await?
    else {
        return Ok(None);
    };
    Ok(Some(Head {
        name: row.try_get_by_index(0)?,
        user: row.try_get_by_index(1)?,
        is_canceled: row.try_get_by_index(2)?,
    }))
}

/// How many jobs are in each status, by code.
///
/// # Errors
///
/// What the database says.
pub async fn counts(
    conn: &ReadConn,
    workflow_id: i64,
) -> Result<[i64; JobStatus::ALL.len()], StoreError> {
    by_status(conn, statement(conn, COUNTS, workflow_id)).await
}

/// How many jobs of all workflows are in each status, by code.
///
/// # Errors
///
/// What the database says.
pub async fn counts_of_all(conn: &ReadConn) -> Result<[i64; JobStatus::ALL.len()], StoreError> {
    let backend = conn.get_database_backend();
    by_status(conn, Statement::from_string(backend, COUNTS_OF_ALL)).await
}

async fn by_status(
    conn: &ReadConn,
    statement: Statement,
) -> Result<[i64; JobStatus::ALL.len()], StoreError> {
    let mut counts = [0; JobStatus::ALL.len()];
    for row in conn.query_all_raw(statement).await? {
        let code: i64 = row.try_get_by_index(0)?;
        if let Some(count) = usize::try_from(code)
            .ok()
            .and_then(|code| counts.get_mut(code))
        {
            *count = row.try_get_by_index(1)?;
        }
    }
    Ok(counts)
}

/// Minutes of all current results together, and seconds from the first start to the last end.
///
/// # Errors
///
/// What the database says.
pub async fn times(conn: &ReadConn, workflow_id: i64) -> Result<(f64, Option<f64>), StoreError> {
    match conn
        .query_one_raw(statement(conn, TIMES, workflow_id))
        .await?
    {
        Some(row) => Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)),
        None => Ok((0.0, None)),
    }
}

/// The workflow's active compute nodes.
///
/// # Errors
///
/// What the database says.
pub async fn active_nodes(
    conn: &ReadConn,
    workflow_id: i64,
) -> Result<Vec<ActiveNode>, StoreError> {
    compute_node::Entity::find()
        .filter(compute_node::Column::WorkflowId.eq(workflow_id))
        .filter(compute_node::Column::IsActive.eq(true))
        .all(conn)
        .await?
        .into_iter()
        .map(|node| {
            Ok(ActiveNode {
                labels: labels_from_column(node.labels.as_deref())?,
                end_time: node.end_time,
            })
        })
        .collect()
}

/// How many allocations of the workflow are pending, and how many active.
///
/// # Errors
///
/// What the database says.
pub async fn scheduled_nodes(conn: &ReadConn, workflow_id: i64) -> Result<(i64, i64), StoreError> {
    let states: Vec<String> = scheduled_compute_node::Entity::find()
        .select_only()
        .column(scheduled_compute_node::Column::Status)
        .filter(scheduled_compute_node::Column::WorkflowId.eq(workflow_id))
        .filter(scheduled_compute_node::Column::Status.is_in(["pending", "active"]))
        .into_tuple()
        .all(conn)
        .await?;
    let pending = states.iter().filter(|state| *state == "pending").count() as i64;
    Ok((pending, states.len() as i64 - pending))
}

/// Unlabeled ready jobs that need more than `seconds`: how many, and the longest need.
///
/// # Errors
///
/// What the database says.
pub async fn ready_longer_than(
    conn: &ReadConn,
    workflow_id: i64,
    seconds: i64,
) -> Result<(i64, Option<i64>), StoreError> {
    let found: Option<(i64, Option<i64>)> = job::Entity::find()
        .select_only()
        .expr(Expr::col((job::Entity, job::Column::Id)).count())
        .expr(
            Expr::col((
                resource_requirements::Entity,
                resource_requirements::Column::RuntimeS,
            ))
            .max(),
        )
        .join(
            sea_orm::JoinType::InnerJoin,
            job::Entity::belongs_to(resource_requirements::Entity)
                .from(job::Column::ResourceRequirementsId)
                .to(resource_requirements::Column::Id)
                .into(),
        )
        .filter(job::Column::WorkflowId.eq(workflow_id))
        .filter(job::Column::Status.eq(JobStatus::Ready.code()))
        .filter(job::Column::Labels.is_null())
        .filter(resource_requirements::Column::RuntimeS.gt(seconds))
        .into_tuple()
        .one(conn)
        .await?;
    Ok(found.unwrap_or((0, None)))
}

/// The label sets that ready jobs ask for, with how many ask.
///
/// # Errors
///
/// What the database says.
pub async fn ready_labels(
    conn: &ReadConn,
    workflow_id: i64,
) -> Result<Vec<(Vec<String>, i64)>, StoreError> {
    let sets: Vec<(String, i64)> = job::Entity::find()
        .select_only()
        .column(job::Column::Labels)
        .expr(Expr::col(job::Column::Id).count())
        .filter(job::Column::WorkflowId.eq(workflow_id))
        .filter(job::Column::Status.eq(JobStatus::Ready.code()))
        .filter(job::Column::Labels.is_not_null())
        .group_by(job::Column::Labels)
        .into_tuple()
        .all(conn)
        .await?;
    sets.into_iter()
        .map(|(labels, jobs)| Ok((labels_from_column(Some(&labels))?, jobs)))
        .collect()
}

/// A page of the jobs that run now, and where.
///
/// # Errors
///
/// What the database says.
pub async fn running_jobs(
    conn: &ReadConn,
    workflow_id: i64,
    offset: i64,
    limit: i64,
) -> Result<Page<RunningJobModel>, StoreError> {
    let total = job::Entity::find()
        .filter(job::Column::WorkflowId.eq(workflow_id))
        .filter(job::Column::Status.eq(JobStatus::Running.code()))
        .count(conn)
        .await?;
    let statement = Statement::from_sql_and_values(
        conn.get_database_backend(),
        RUNNING,
        [workflow_id.into(), limit.into(), offset.into()],
    );
    let mut items = Vec::new();
    for row in conn.query_all_raw(statement).await? {
        let scheduler: Option<String> = row.try_get_by_index(4)?;
        let allocated: Option<i64> = row.try_get_by_index(6)?;
        let allocation = || allocated.map(|id| id.to_string());
        items.push(RunningJobModel {
            job_id: row.try_get_by_index(0)?,
            job_name: row.try_get_by_index(1)?,
            compute_node_name: row.try_get_by_index(2)?,
            scheduler_type: row.try_get_by_index(3)?,
            scheduler_job_id: scheduler
                .as_deref()
                .and_then(slurm_job_id)
                .or_else(allocation),
            start_time: row.try_get_by_index(5)?,
        });
    }
    Ok(Page::new(items, offset, total as i64))
}

/// The scheduler's own id of an allocation, where its JSON names one.
fn slurm_job_id(scheduler: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(scheduler).ok()?;
    match value.get("slurm_job_id")? {
        serde_json::Value::String(id) => Some(id.clone()),
        serde_json::Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}
