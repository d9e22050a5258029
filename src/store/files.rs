//! Files.

use entity::file::{self as table, Column, Entity};
use entity::job_output_file;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Statement,
};

use super::paging::{contains, page};
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::files::{FileModel, ListFilesQuery};
use crate::wire::page::{Page, Paging};

table!("file", table::Model, [workflow_id, name, path, st_mtime]);

const DELETE_ALL: Sql = Sql::new("file.delete_all", "DELETE FROM file WHERE workflow_id = ?");
/// Inputs that no job anywhere writes, and outputs of completed jobs.
const REQUIRED: &str = "SELECT i.file_id FROM job_input_file i WHERE i.workflow_id = ?1 \
     AND NOT EXISTS (SELECT 1 FROM job_output_file o WHERE o.file_id = i.file_id) \
     UNION SELECT o.file_id FROM job_output_file o JOIN job j ON j.id = o.job_id \
     WHERE o.workflow_id = ?1 AND j.status = 5 ORDER BY 1";

fn to_wire(row: table::Model) -> FileModel {
    FileModel {
        id: Some(row.id),
        workflow_id: row.workflow_id,
        name: row.name,
        path: row.path,
        st_mtime: row.st_mtime,
    }
}

fn from_wire(id: i64, model: &FileModel) -> table::Model {
    table::Model {
        id,
        workflow_id: model.workflow_id,
        name: model.name.clone(),
        path: model.path.clone(),
        st_mtime: model.st_mtime,
    }
}

/// Adds a file; answers its id.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, model: &FileModel) -> Result<i64, StoreError> {
    rows::insert(tx, &from_wire(0, model))
}

/// One file.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<FileModel>, StoreError> {
    Ok(rows::get::<table::Model>(tx, id)?.map(to_wire))
}

/// Replaces a file.
///
/// # Errors
///
/// What the database says.
pub fn update(tx: &WriteTx<'_>, id: i64, model: &FileModel) -> Result<(), StoreError> {
    rows::update(tx, &from_wire(id, model))
}

/// Removes a file and its links.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<table::Model>(tx, id)?;
    Ok(())
}

/// Removes all files of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(DELETE_ALL, [workflow_id])? as i64)
}

/// One file, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<FileModel>, StoreError> {
    Ok(Entity::find_by_id(id).one(conn).await?.map(to_wire))
}

/// Files that must exist for the workflow to run, by id.
///
/// # Errors
///
/// What the database says.
pub async fn required(conn: &ReadConn, workflow_id: i64) -> Result<Vec<i64>, StoreError> {
    let statement =
        Statement::from_sql_and_values(conn.get_database_backend(), REQUIRED, [workflow_id.into()]);
    let mut ids = Vec::new();
    for row in conn.query_all_raw(statement).await? {
        ids.push(row.try_get_by_index(0)?);
    }
    Ok(ids)
}

/// A page of a workflow's files.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListFilesQuery,
    paging: &Paging,
) -> Result<Page<FileModel>, StoreError> {
    let mut select = Entity::find().filter(Column::WorkflowId.eq(query.workflow_id));
    if let Some(name) = &query.name {
        select = select.filter(Column::Name.eq(name));
    }
    if let Some(part) = &query.path {
        select = select.filter(contains(Column::Path, part));
    }
    if query.produced_by_job_id.is_some() || query.is_output == Some(true) {
        let mut outputs = job_output_file::Entity::find()
            .select_only()
            .column(job_output_file::Column::FileId)
            .filter(job_output_file::Column::WorkflowId.eq(query.workflow_id));
        if let Some(job) = query.produced_by_job_id {
            outputs = outputs.filter(job_output_file::Column::JobId.eq(job));
        }
        select = select.filter(Column::Id.in_subquery(outputs.into_query()));
    }
    let found = page(conn, select, None, paging, Column::Id, |_| true).await?;
    let items = found.rows.into_iter().map(to_wire).collect();
    Ok(Page::new(items, paging.offset, found.total))
}
