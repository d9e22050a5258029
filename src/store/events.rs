//! Stored events.

use entity::event::{self, Column, Entity};
use rusqlite::params;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

use super::convert::from_json;
use super::paging::page;
use super::rows::{self, table};
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::events::{EventModel, ListEventsQuery};
use crate::wire::page::{Page, Paging};

table!("event", event::Model, [workflow_id, timestamp, data]);

const SET_DATA: Sql = Sql::new("event.set_data", "UPDATE event SET data = ?2 WHERE id = ?1");
const DELETE_ALL: Sql = Sql::new(
    "event.delete_all",
    "DELETE FROM event WHERE workflow_id = ?",
);
const INSERT: Sql = Sql::new(
    "event.insert",
    "INSERT INTO event (workflow_id, timestamp, data) VALUES (?1, ?2, ?3)",
);

fn to_wire(row: event::Model) -> Result<EventModel, StoreError> {
    Ok(EventModel {
        id: Some(row.id),
        workflow_id: row.workflow_id,
        timestamp: row.timestamp,
        data: from_json("event.data", Some(&row.data))?.unwrap_or(Value::Null),
    })
}

/// Adds an event; answers its id.
///
/// # Errors
///
/// What the database says.
pub fn insert(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    timestamp: i64,
    data: &Value,
) -> Result<i64, StoreError> {
    tx.execute(INSERT, params![workflow_id, timestamp, data.to_string()])?;
    Ok(tx.last_id())
}

/// One event.
///
/// # Errors
///
/// What the database says.
pub fn get(tx: &WriteTx<'_>, id: i64) -> Result<Option<EventModel>, StoreError> {
    rows::get::<event::Model>(tx, id)?.map(to_wire).transpose()
}

/// Replaces the data of an event.
///
/// # Errors
///
/// What the database says.
pub fn set_data(tx: &WriteTx<'_>, id: i64, data: &Value) -> Result<(), StoreError> {
    tx.execute(SET_DATA, params![id, data.to_string()])?;
    Ok(())
}

/// Removes an event.
///
/// # Errors
///
/// What the database says.
pub fn delete(tx: &WriteTx<'_>, id: i64) -> Result<(), StoreError> {
    rows::delete::<event::Model>(tx, id)?;
    Ok(())
}

/// Removes the events of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn delete_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<i64, StoreError> {
    Ok(tx.execute(DELETE_ALL, [workflow_id])? as i64)
}

/// One event, for readers.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, id: i64) -> Result<Option<EventModel>, StoreError> {
    Entity::find_by_id(id)
        .one(conn)
        .await?
        .map(to_wire)
        .transpose()
}

/// A page of a workflow's events.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    query: &ListEventsQuery,
    paging: &Paging,
) -> Result<Page<EventModel>, StoreError> {
    let mut select = Entity::find().filter(Column::WorkflowId.eq(query.workflow_id));
    if let Some(after) = query.after_timestamp {
        select = select.filter(Column::Timestamp.gt(after));
    }
    if let Some(category) = &query.category {
        // SQLite's own; PostgreSQL spells it data ->> 'category'.
        select = select.filter(
            Expr::cust("iif(json_valid(data), json_extract(data, '$.category'), NULL)")
                .eq(category.as_str()),
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
