//! Failure handlers.

use entity::failure_handler::{self as table, Column, Entity};

use super::owned::{self, Owned};
use super::rows::table;
use super::sql::Sql;
use super::{ReadConn, StoreError};
use crate::wire::failure_handlers::FailureHandlerModel;
use crate::wire::page::{Page, Paging};

table!("failure_handler", table::Model, [workflow_id, name, rules]);

impl Owned for FailureHandlerModel {
    type Row = table::Model;
    type Entity = Entity;

    const DELETE_ALL: Sql = Sql::new(
        "failure_handler.delete_all",
        "DELETE FROM failure_handler WHERE workflow_id = ?",
    );

    fn workflow_column() -> Column {
        Column::WorkflowId
    }

    fn id_column() -> Column {
        Column::Id
    }

    fn from_row(row: table::Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: Some(row.id),
            workflow_id: row.workflow_id,
            name: row.name,
            rules: row.rules,
        })
    }

    fn to_row(&self, id: i64) -> Result<table::Model, StoreError> {
        Ok(table::Model {
            id,
            workflow_id: self.workflow_id,
            name: self.name.clone(),
            rules: self.rules.clone(),
        })
    }
}

/// A page of a workflow's.
///
/// # Errors
///
/// What the database says.
pub async fn list(
    conn: &ReadConn,
    workflow_id: i64,
    paging: &Paging,
) -> Result<Page<FailureHandlerModel>, StoreError> {
    let select = owned::of_workflow::<FailureHandlerModel>(workflow_id);
    owned::list(conn, select, paging).await
}
