//! Compute nodes.

use entity::compute_node::{self as table, Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::convert::{from_json, labels_from_column, labels_to_column, to_json};
use super::paging::{contains, page};
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::compute_nodes::{ComputeNodeModel, ListComputeNodesQuery};
use crate::wire::page::{Page, Paging};

table!(
    "compute_node",
    table::Model,
    [
        workflow_id,
        hostname,
        pid,
        start_time,
        duration_seconds,
        is_active,
        num_cpus,
        memory_gb,
        num_gpus,
        num_nodes,
        time_limit,
        scheduler_config_id,
        compute_node_type,
        scheduler,
        sample_count,
        peak_cpu_percent,
        avg_cpu_percent,
        peak_memory_bytes,
        avg_memory_bytes,
        end_time,
        labels,
    ]
);

const DELETE_ALL: Sql = Sql::new(
    "compute_node.delete_all",
    "DELETE FROM compute_node WHERE workflow_id = ?",
);

fn to_wire(row: table::Model) -> Result<ComputeNodeModel, StoreError> {
    let labels = labels_from_column(row.labels.as_deref())?;
    Ok(ComputeNodeModel {
        id: Some(row.id),
        workflow_id: row.workflow_id,
        hostname: row.hostname,
        pid: row.pid,
        start_time: row.start_time,
        end_time: row.end_time,
        duration_seconds: row.duration_seconds,
        is_active: Some(row.is_active.unwrap_or(false)),
        num_cpus: row.num_cpus,
        memory_gb: row.memory_gb,
        num_gpus: row.num_gpus,
        num_nodes: row.num_nodes,
        time_limit: row.time_limit,
        scheduler_config_id: row.scheduler_config_id,
        compute_node_type: row.compute_node_type,
        scheduler: from_json("compute_node.scheduler", row.scheduler.as_deref())?,
        labels: (!labels.is_empty()).then_some(labels),
        sample_count: row.sample_count,
        peak_cpu_percent: row.peak_cpu_percent,
        avg_cpu_percent: row.avg_cpu_percent,
        peak_memory_bytes: row.peak_memory_bytes,
        avg_memory_bytes: row.avg_memory_bytes,
    })
}

fn from_wire(id: i64, model: &ComputeNodeModel) -> Result<table::Model, StoreError> {
    Ok(table::Model {
        id,
        workflow_id: model.workflow_id,
        hostname: model.hostname.clone(),
        pid: model.pid,
        start_time: model.start_time.clone(),
        duration_seconds: model.duration_seconds,
        is_active: model.is_active,
        num_cpus: model.num_cpus,
        memory_gb: model.memory_gb,
        num_gpus: model.num_gpus,
        num_nodes: model.num_nodes,
        time_limit: model.time_limit.clone(),
        scheduler_config_id: model.scheduler_config_id,
        compute_node_type: model.compute_node_type.clone(),
        scheduler: to_json("compute_node.scheduler", model.scheduler.as_ref())?,
        sample_count: model.sample_count,
        peak_cpu_percent: model.peak_cpu_percent,
        avg_cpu_percent: model.avg_cpu_percent,
        peak_memory_bytes: model.peak_memory_bytes,
        avg_memory_bytes: model.avg_memory_bytes,
        end_time: model.end_time.clone(),
        labels: labels_to_column(model.labels.as_deref().unwrap_or_default()),
    })
}

/// Adds a node; answers its id.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, model: &ComputeNodeModel) -> Result<i64, StoreError> {
    rows::insert(tx, &from_wire(0, model)?)
}

/// One node.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<ComputeNodeModel>, StoreError> {
    rows::get::<table::Model>(tx, id)?.map(to_wire).transpose()
}

/// Replaces a node.
///
/// # Errors
///
/// What the database says.
pub fn update(tx: &WriteTx<'_>, id: i64, model: &ComputeNodeModel) -> Result<(), StoreError> {
    rows::update(tx, &from_wire(id, model)?)
}

/// Removes a node, and the results of jobs that ran on it.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<table::Model>(tx, id)?;
    Ok(())
}

/// Removes all nodes of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(DELETE_ALL, [workflow_id])? as i64)
}

/// One node, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<ComputeNodeModel>, StoreError> {
    Entity::find_by_id(id)
        .one(conn)
        .await?
        .map(to_wire)
        .transpose()
}

/// A page of a workflow's nodes.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListComputeNodesQuery,
    paging: &Paging,
) -> Result<Page<ComputeNodeModel>, StoreError> {
    let mut select = Entity::find().filter(Column::WorkflowId.eq(query.workflow_id));
    if let Some(part) = &query.hostname {
        select = select.filter(contains(Column::Hostname, part));
    }
    if let Some(active) = query.is_active {
        // A node that never said so is shown as inactive.
        let is_active = Expr::col(Column::IsActive).if_null(false);
        select = select.filter(is_active.eq(active));
    }
    if let Some(scheduled) = query.scheduled_compute_node_id {
        // SQLite's own; PostgreSQL spells it scheduler ->> 'scheduler_id'.
        select = select.filter(
            Expr::cust(
                "iif(json_valid(scheduler), json_extract(scheduler, '$.scheduler_id'), NULL)",
            )
            .eq(scheduled),
        );
    }
    let found = page(conn, select, None, paging, Column::Id, |_| true).await?;
    let items = found
        .rows
        .into_iter()
        .map(to_wire)
        .collect::<Result<_, _>>()?;
    Ok(Page::new(items, paging.offset, found.total))
}
