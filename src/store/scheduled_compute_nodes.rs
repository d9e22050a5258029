//! Scheduled compute nodes.

use entity::scheduled_compute_node::{self as table, Column, Entity};

use super::owned::{self, Owned, equal};
use super::rows::table;
use super::sql::Sql;
use super::{ReadConn, StoreError};
use crate::wire::page::{Page, Paging};
use crate::wire::scheduled_compute_nodes::{
    ListScheduledComputeNodesQuery, ScheduledComputeNodesModel,
};

table!(
    "scheduled_compute_node",
    table::Model,
    [
        workflow_id,
        scheduler_config_id,
        scheduler_id,
        scheduler_type,
        status
    ]
);

impl Owned for ScheduledComputeNodesModel {
    type Row = table::Model;
    type Entity = Entity;

    const DELETE_ALL: Sql = Sql::new(
        "scheduled_compute_node.delete_all",
        "DELETE FROM scheduled_compute_node WHERE workflow_id = ?",
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
            scheduler_config_id: row.scheduler_config_id,
            scheduler_id: row.scheduler_id,
            scheduler_type: row.scheduler_type,
            status: row.status,
        })
    }

    fn to_row(&self, id: i64) -> Result<table::Model, StoreError> {
        Ok(table::Model {
            id,
            workflow_id: self.workflow_id,
            scheduler_config_id: self.scheduler_config_id,
            scheduler_id: self.scheduler_id,
            scheduler_type: self.scheduler_type.clone(),
            status: self.status.clone(),
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
    query: &ListScheduledComputeNodesQuery,
    paging: &Paging,
) -> Result<Page<ScheduledComputeNodesModel>, StoreError> {
    let select = owned::of_workflow::<ScheduledComputeNodesModel>(query.workflow_id);
    let select = equal(select, Column::SchedulerId, query.scheduler_id.as_deref());
    let select = equal(
        select,
        Column::SchedulerConfigId,
        query.scheduler_config_id.as_deref(),
    );
    let select = equal(select, Column::Status, query.status.as_deref());
    owned::list(conn, select, paging).await
}
