//! User data.

use entity::user_data::{self as table, Column, Entity};
use entity::{job_input_user_data, job_output_user_data};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Statement,
};
use serde_json::Value;

use super::convert::{from_json, to_json};
use super::paging::{contains, page};
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::page::{Page, Paging};
use crate::wire::user_data::{ListUserDataQuery, UserDataModel};

table!(
    "user_data",
    table::Model,
    [workflow_id, name, is_ephemeral, data]
);

const DELETE_ALL: Sql = Sql::new(
    "user_data.delete_all",
    "DELETE FROM user_data WHERE workflow_id = ?",
);
/// Inputs without data that no job writes, and outputs without data of completed jobs.
const MISSING: &str = "SELECT u.id FROM user_data u WHERE u.workflow_id = ?1 AND u.data IS NULL AND (\
     (EXISTS (SELECT 1 FROM job_input_user_data i WHERE i.user_data_id = u.id) \
      AND NOT EXISTS (SELECT 1 FROM job_output_user_data o WHERE o.user_data_id = u.id)) \
     OR EXISTS (SELECT 1 FROM job_output_user_data o JOIN job j ON j.id = o.job_id \
                WHERE o.user_data_id = u.id AND j.status = 5)) ORDER BY u.id";

fn to_wire(row: table::Model) -> Result<UserDataModel, StoreError> {
    let data: Option<Value> = from_json("user_data.data", row.data.as_deref())?;
    Ok(UserDataModel {
        id: Some(row.id),
        workflow_id: row.workflow_id,
        is_ephemeral: Some(row.is_ephemeral),
        name: row.name,
        data: data.filter(|data| !data.is_null()),
    })
}

fn from_wire(id: i64, model: &UserDataModel) -> Result<table::Model, StoreError> {
    Ok(table::Model {
        id,
        workflow_id: model.workflow_id,
        name: model.name.clone(),
        is_ephemeral: model.is_ephemeral.unwrap_or(false),
        data: to_json(
            "user_data.data",
            model.data.as_ref().filter(|data| !data.is_null()),
        )?,
    })
}

/// Adds a record; answers its id.
///
/// # Errors
///
/// What the database says.
pub fn insert(tx: &WriteTx<'_>, model: &UserDataModel) -> Result<i64, StoreError> {
    rows::insert(tx, &from_wire(0, model)?)
}

/// One record.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<UserDataModel>, StoreError> {
    rows::get::<table::Model>(tx, id)?.map(to_wire).transpose()
}

/// Replaces a record.
///
/// # Errors
///
/// What the database says.
pub fn update(tx: &WriteTx<'_>, id: i64, model: &UserDataModel) -> Result<(), StoreError> {
    rows::update(tx, &from_wire(id, model)?)
}

/// Removes a record and its links.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<table::Model>(tx, id)?;
    Ok(())
}

/// Removes all records of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(DELETE_ALL, [workflow_id])? as i64)
}

/// One record, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<UserDataModel>, StoreError> {
    Entity::find_by_id(id)
        .one(conn)
        .await?
        .map(to_wire)
        .transpose()
}

/// Records that lack a value the workflow needs, by id.
///
/// # Errors
///
/// What the database says.
pub async fn missing(conn: &ReadConn, workflow_id: i64) -> Result<Vec<i64>, StoreError> {
    let statement =
        Statement::from_sql_and_values(conn.get_database_backend(), MISSING, [workflow_id.into()]);
    let mut ids = Vec::new();
    for row in conn.query_all_raw(statement).await? {
        ids.push(row.try_get_by_index(0)?);
    }
    Ok(ids)
}

/// A page of a workflow's records; here a record without data says `null`.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListUserDataQuery,
    paging: &Paging,
) -> Result<Page<UserDataModel>, StoreError> {
    let mut select = Entity::find().filter(Column::WorkflowId.eq(query.workflow_id));
    if let Some(part) = &query.name {
        select = select.filter(contains(Column::Name, part));
    }
    if let Some(ephemeral) = query.is_ephemeral {
        select = select.filter(Column::IsEphemeral.eq(ephemeral));
    }
    if let Some(job) = query.consumer_job_id {
        let read = job_input_user_data::Entity::find()
            .select_only()
            .column(job_input_user_data::Column::UserDataId)
            .filter(job_input_user_data::Column::JobId.eq(job))
            .into_query();
        select = select.filter(Column::Id.in_subquery(read));
    }
    if let Some(job) = query.producer_job_id {
        let written = job_output_user_data::Entity::find()
            .select_only()
            .column(job_output_user_data::Column::UserDataId)
            .filter(job_output_user_data::Column::JobId.eq(job))
            .into_query();
        select = select.filter(Column::Id.in_subquery(written));
    }
    let found = page(conn, select, None, paging, Column::Id, |_| true).await?;
    let items = found
        .rows
        .into_iter()
        .map(|row| {
            let mut model = to_wire(row)?;
            model.data.get_or_insert(Value::Null);
            Ok(model)
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Page::new(items, paging.offset, found.total))
}
