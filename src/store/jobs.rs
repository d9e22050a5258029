//! Jobs: their rows, and how rows become what is on the wire.
//!
//! What happens to a job in a run is in `run_state`, its links in `job_links`.

use entity::job::{self, Column, Entity};
use entity::{job_depends_on, job_input_file};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use super::convert::{from_json, labels_from_column, status};
use super::job_links::{self, Links};
use super::paging::{contains, page};
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx, workflow_status};
use crate::wire::JobStatus;
use crate::wire::jobs::{JobModel, ListJobsQuery};
use crate::wire::page::{Page, Paging};

pub use entity::job::Model as JobRow;

table!(
    "job",
    job::Model,
    [
        workflow_id,
        name,
        command,
        cancel_on_blocking_job_failure,
        supports_termination,
        resource_requirements_id,
        invocation_script,
        status,
        scheduler_id,
        scheduler_type,
        schedule_compute_nodes,
        unblocking_processed,
        failure_handler_id,
        attempt_id,
        priority,
        env,
        origin,
        start_time,
        compute_node_id,
        labels,
        blockers,
        claim_token,
    ]
);

const DELETE_ALL: Sql = Sql::new("job.delete_all", "DELETE FROM job WHERE workflow_id = ?");

/// Columns that `sort_by` may name.
const SORTABLE: [&str; 13] = [
    "id",
    "workflow_id",
    "name",
    "command",
    "env",
    "cancel_on_blocking_job_failure",
    "supports_termination",
    "resource_requirements_id",
    "invocation_script",
    "status",
    "scheduler_id",
    "failure_handler_id",
    "attempt_id",
];

/// One job.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<JobRow>, StoreError> {
    rows::get(tx, id)
}

/// Replaces a job's row.
///
/// # Errors
///
/// What the database says.
pub fn update(tx: &WriteTx<'_>, row: &JobRow) -> Result<(), StoreError> {
    rows::update(tx, row)
}

/// Removes a job and what hangs on it.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<JobRow>(tx, id)?;
    Ok(())
}

/// Removes all jobs of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(DELETE_ALL, [workflow_id])? as i64)
}

/// A job as `GET` shows it: absent script, scheduler and handler as `""`, 0 and 0.
///
/// # Errors
///
/// [`StoreError::Corrupt`] when a column does not parse.
pub fn to_wire(row: JobRow, links: Links) -> Result<JobModel, StoreError> {
    let start_time = row.start_time.clone();
    let compute_node_id = row.compute_node_id;
    let mut model = to_wire_brief(row)?;
    model.start_time = start_time;
    model.compute_node_id = compute_node_id;
    model.invocation_script.get_or_insert_default();
    model.scheduler_id.get_or_insert(0);
    model.failure_handler_id.get_or_insert(0);
    links.fill(&mut model);
    Ok(model)
}

/// A job as claims and retries show it: without links, runtime state and placeholders.
///
/// # Errors
///
/// [`StoreError::Corrupt`] when a column does not parse.
pub fn to_wire_brief(row: JobRow) -> Result<JobModel, StoreError> {
    let labels = labels_from_column(row.labels.as_deref())?;
    Ok(JobModel {
        id: Some(row.id),
        workflow_id: row.workflow_id,
        name: row.name,
        command: row.command,
        invocation_script: row.invocation_script,
        env: from_json("job.env", row.env.as_deref())?,
        status: Some(status(row.status)?),
        schedule_compute_nodes: from_json(
            "job.schedule_compute_nodes",
            row.schedule_compute_nodes.as_deref(),
        )?,
        cancel_on_blocking_job_failure: Some(row.cancel_on_blocking_job_failure),
        supports_termination: Some(row.supports_termination),
        resource_requirements_id: row.resource_requirements_id,
        scheduler_id: row.scheduler_id,
        failure_handler_id: row.failure_handler_id,
        attempt_id: Some(row.attempt_id),
        priority: Some(row.priority),
        origin: row.origin,
        labels: (!labels.is_empty()).then_some(labels),
        ..JobModel::default()
    })
}

/// One job with its links, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<JobModel>, StoreError> {
    let Some(row) = Entity::find_by_id(id).one(conn).await? else {
        return Ok(None);
    };
    let links = job_links::read(conn, &[id])
        .await?
        .remove(&id)
        .unwrap_or_default();
    to_wire(row, links).map(Some)
}

/// The workflow's job ids, ascending.
///
/// # Errors
///
/// What the database says.
pub async fn ids(conn: &ReadConn, workflow_id: i64) -> Result<Vec<i64>, StoreError> {
    Ok(Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::WorkflowId.eq(workflow_id))
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(conn)
        .await?)
}

/// A page of a workflow's jobs. `served` decides which label sets a `labels`
/// filter lets through.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListJobsQuery,
    paging: &Paging,
    served: impl Fn(&[String]) -> bool,
) -> Result<Page<JobModel>, StoreError> {
    let mut select = filtered(query);
    match query.labels.as_deref() {
        None => {}
        Some("") => select = select.filter(Column::Labels.is_null()),
        Some(_) => {
            let sets: Vec<String> = Entity::find()
                .select_only()
                .column(Column::Labels)
                .distinct()
                .filter(Column::WorkflowId.eq(query.workflow_id))
                .filter(Column::Labels.is_not_null())
                .into_tuple()
                .all(conn)
                .await?;
            let mut matching = Vec::new();
            for set in sets {
                if served(&labels_from_column(Some(&set))?) {
                    matching.push(set);
                }
            }
            select = select.filter(Column::Labels.is_in(matching));
        }
    }
    let counted = counted(conn, query).await?;
    let found = page(conn, select, counted, paging, Column::Id, |name| {
        SORTABLE.contains(&name)
    })
    .await?;
    let mut links = if query.include_relationships == Some(true) {
        let ids: Vec<i64> = found.rows.iter().map(|row| row.id).collect();
        job_links::read(conn, &ids).await?
    } else {
        std::collections::HashMap::new()
    };
    let items = found
        .rows
        .into_iter()
        .map(|row| {
            let links = links.remove(&row.id).unwrap_or_default();
            to_wire(row, links)
        })
        .collect::<Result<_, _>>()?;
    Ok(Page::new(items, paging.offset, found.total))
}

/// How many jobs a query finds, where the counters of its workflow tell: reading all rows
/// to count them would make a page of a large workflow as slow as the workflow is large.
async fn counted(conn: &ReadConn, query: &ListJobsQuery) -> Result<Option<i64>, StoreError> {
    // Every field by name, so that a new filter is not forgotten here.
    let ListJobsQuery {
        workflow_id,
        status,
        needs_file_id: None,
        upstream_job_id: None,
        include_relationships: _,
        active_compute_node_id: None,
        origin_is_set: None,
        name: None,
        command: None,
        labels: None,
        offset: _,
        limit: _,
        sort_by: _,
        reverse_sort: _,
    } = query
    else {
        return Ok(None);
    };
    let counts = workflow_status::counts(conn, *workflow_id).await?;
    let total = counts
        .iter()
        .zip(JobStatus::ALL)
        .filter(|(_, each)| status.is_none_or(|status| status == *each))
        .map(|(count, _)| count)
        .sum();
    Ok(Some(total))
}

fn filtered(query: &ListJobsQuery) -> sea_orm::Select<Entity> {
    let mut select = Entity::find().filter(Column::WorkflowId.eq(query.workflow_id));
    if let Some(status) = query.status {
        select = select.filter(Column::Status.eq(status.code()));
        if status != JobStatus::Uninitialized {
            // Says nothing new, but is the literal condition of the index.
            select = select.filter(Expr::cust("status <> 0"));
        }
    }
    if let Some(node) = query.active_compute_node_id {
        select = select.filter(Column::ComputeNodeId.eq(node));
    }
    if let Some(set) = query.origin_is_set {
        select = select.filter(if set {
            Column::Origin.is_not_null()
        } else {
            Column::Origin.is_null()
        });
    }
    if let Some(part) = &query.name {
        select = select.filter(contains(Column::Name, part));
    }
    if let Some(part) = &query.command {
        select = select.filter(contains(Column::Command, part));
    }
    if let Some(file) = query.needs_file_id {
        let readers = job_input_file::Entity::find()
            .select_only()
            .column(job_input_file::Column::JobId)
            .filter(job_input_file::Column::FileId.eq(file))
            .into_query();
        select = select.filter(Column::Id.in_subquery(readers));
    }
    if let Some(upstream) = query.upstream_job_id {
        let dependents = job_depends_on::Entity::find()
            .select_only()
            .column(job_depends_on::Column::JobId)
            .filter(job_depends_on::Column::DependsOnJobId.eq(upstream))
            .into_query();
        select = select.filter(Column::Id.in_subquery(dependents));
    }
    select
}
