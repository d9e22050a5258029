//! Resource requirements.

use entity::job;
use entity::resource_requirements::{self as table, Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::paging::page;
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::page::{Page, Paging};
use crate::wire::resource_requirements::{
    ListResourceRequirementsQuery, ResourceRequirementsModel,
};
use crate::wire::units::{parse_duration, parse_memory};

table!(
    "resource_requirements",
    table::Model,
    [
        workflow_id,
        name,
        num_cpus,
        num_gpus,
        num_nodes,
        memory,
        runtime,
        memory_bytes,
        runtime_s
    ]
);

const ONLY_DEFAULT: Sql = Sql::new(
    "resource_requirements.only_default",
    "SELECT min(id) FROM resource_requirements WHERE workflow_id = ? AND name = 'default' \
     HAVING count(*) = 1",
);
const DELETE_ALL: Sql = Sql::new(
    "resource_requirements.delete_all",
    "DELETE FROM resource_requirements WHERE workflow_id = ?",
);

fn to_wire(row: table::Model) -> ResourceRequirementsModel {
    ResourceRequirementsModel {
        id: Some(row.id),
        workflow_id: row.workflow_id,
        name: row.name,
        num_cpus: row.num_cpus,
        num_gpus: row.num_gpus,
        num_nodes: row.num_nodes,
        memory: row.memory,
        runtime: row.runtime,
    }
}

fn from_wire(id: i64, model: &ResourceRequirementsModel) -> Result<table::Model, StoreError> {
    let corrupt = |what: &str, cause| StoreError::Corrupt {
        what: format!("resource_requirements.{what}"),
        cause,
    };
    Ok(table::Model {
        id,
        workflow_id: model.workflow_id,
        name: model.name.clone(),
        num_cpus: model.num_cpus,
        num_gpus: model.num_gpus,
        num_nodes: model.num_nodes,
        memory: model.memory.clone(),
        runtime: model.runtime.clone(),
        memory_bytes: parse_memory(&model.memory).map_err(|e| corrupt("memory", e))?,
        runtime_s: parse_duration(&model.runtime).map_err(|e| corrupt("runtime", e))?,
    })
}

/// Adds requirements, whose texts are checked; answers their id.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, model: &ResourceRequirementsModel) -> Result<i64, StoreError> {
    rows::insert(tx, &from_wire(0, model)?)
}

/// One set of requirements.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<ResourceRequirementsModel>, StoreError> {
    Ok(rows::get::<table::Model>(tx, id)?.map(to_wire))
}

/// Replaces a set of requirements.
///
/// # Errors
///
/// What the database says.
pub fn update(
    tx: &WriteTx<'_>,
    id: i64,
    model: &ResourceRequirementsModel,
) -> Result<(), StoreError> {
    rows::update(tx, &from_wire(id, model)?)
}

/// Removes a set of requirements, and the jobs that have it.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<table::Model>(tx, id)?;
    Ok(())
}

/// Removes all requirements of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(DELETE_ALL, [workflow_id])? as i64)
}

/// The id of the requirements named `default`, where there is exactly one such row.
///
/// # Errors
///
/// What the database says.
pub fn only_default(tx: &WriteTx<'_>, workflow_id: i64) -> Result<Option<i64>, StoreError> {
    tx.one(ONLY_DEFAULT, [workflow_id], |row| row.get(0))
}

/// One set of requirements, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(
    conn: &ReadConn,
    id: i64,
) -> Result<Option<ResourceRequirementsModel>, StoreError> {
    Ok(Entity::find_by_id(id).one(conn).await?.map(to_wire))
}

/// A page of a workflow's requirements.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListResourceRequirementsQuery,
    paging: &Paging,
) -> Result<Page<ResourceRequirementsModel>, StoreError> {
    let mut select = Entity::find().filter(Column::WorkflowId.eq(query.workflow_id));
    if let Some(job_id) = query.job_id {
        let of_job = job::Entity::find()
            .select_only()
            .column(job::Column::ResourceRequirementsId)
            .filter(job::Column::Id.eq(job_id))
            .into_query();
        select = select.filter(Column::Id.in_subquery(of_job));
    }
    for (column, text) in [(Column::Name, &query.name), (Column::Memory, &query.memory)] {
        if let Some(text) = text {
            select = select.filter(column.eq(text));
        }
    }
    for (column, number) in [
        (Column::NumCpus, query.num_cpus),
        (Column::NumGpus, query.num_gpus),
        (Column::NumNodes, query.num_nodes),
        (Column::RuntimeS, query.runtime),
    ] {
        if let Some(number) = number {
            select = select.filter(column.eq(number));
        }
    }
    let found = page(conn, select, None, paging, Column::Id, |_| true).await?;
    let items = found.rows.into_iter().map(to_wire).collect();
    Ok(Page::new(items, paging.offset, found.total))
}
