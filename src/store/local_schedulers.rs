//! Local schedulers. Their table has no name.

use entity::local_scheduler::{self as table, Column, Entity};

use super::owned::{self, Owned, equal};
use super::rows::table;
use super::sql::Sql;
use super::{ReadConn, StoreError};
use crate::wire::local_schedulers::{ListLocalSchedulersQuery, LocalSchedulerModel};
use crate::wire::page::{Page, Paging};

table!(
    "local_scheduler",
    table::Model,
    [workflow_id, memory, num_cpus]
);

impl Owned for LocalSchedulerModel {
    type Row = table::Model;
    type Entity = Entity;

    const DELETE_ALL: Sql = Sql::new(
        "local_scheduler.delete_all",
        "DELETE FROM local_scheduler WHERE workflow_id = ?",
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
            name: None,
            memory: Some(row.memory),
            num_cpus: Some(row.num_cpus),
        })
    }

    fn to_row(&self, id: i64) -> Result<table::Model, StoreError> {
        Ok(table::Model {
            id,
            workflow_id: self.workflow_id,
            memory: self.memory.clone().unwrap_or_default(),
            num_cpus: self.num_cpus.unwrap_or_default(),
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
    query: &ListLocalSchedulersQuery,
    paging: &Paging,
) -> Result<Page<LocalSchedulerModel>, StoreError> {
    let select = owned::of_workflow::<LocalSchedulerModel>(query.workflow_id);
    let select = equal(select, Column::Memory, query.memory.as_deref());
    let select = equal(select, Column::NumCpus, query.num_cpus);
    owned::list(conn, select, paging).await
}
