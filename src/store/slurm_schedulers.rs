//! Slurm schedulers.

use entity::slurm_scheduler::{self as table, Column, Entity};

use super::owned::{self, Owned};
use super::rows::table;
use super::sql::Sql;
use super::{ReadConn, StoreError};
use crate::wire::page::{Page, Paging};
use crate::wire::slurm_schedulers::{ListSlurmSchedulersQuery, SlurmSchedulerModel};

table!(
    "slurm_scheduler",
    table::Model,
    [
        workflow_id,
        name,
        account,
        gres,
        mem,
        nodes,
        ntasks_per_node,
        partition,
        qos,
        tmp,
        walltime,
        extra,
        serialize_allocations
    ]
);

impl Owned for SlurmSchedulerModel {
    type Row = table::Model;
    type Entity = Entity;

    const DELETE_ALL: Sql = Sql::new(
        "slurm_scheduler.delete_all",
        "DELETE FROM slurm_scheduler WHERE workflow_id = ?",
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
            name: Some(row.name),
            account: row.account,
            gres: row.gres,
            mem: row.mem,
            nodes: row.nodes.unwrap_or(1),
            ntasks_per_node: row.ntasks_per_node,
            partition: row.partition,
            qos: row.qos,
            tmp: row.tmp,
            walltime: row.walltime,
            extra: row.extra,
            serialize_allocations: Some(row.serialize_allocations),
        })
    }

    fn to_row(&self, id: i64) -> Result<table::Model, StoreError> {
        Ok(table::Model {
            id,
            workflow_id: self.workflow_id,
            name: self.name.clone().unwrap_or_default(),
            account: self.account.clone(),
            gres: self.gres.clone(),
            mem: self.mem.clone(),
            nodes: Some(self.nodes),
            ntasks_per_node: self.ntasks_per_node,
            partition: self.partition.clone(),
            qos: self.qos.clone(),
            tmp: self.tmp.clone(),
            walltime: self.walltime.clone(),
            extra: self.extra.clone(),
            serialize_allocations: self.serialize_allocations.unwrap_or(false),
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
    query: &ListSlurmSchedulersQuery,
    paging: &Paging,
) -> Result<Page<SlurmSchedulerModel>, StoreError> {
    let select = owned::of_workflow::<SlurmSchedulerModel>(query.workflow_id);
    owned::list(conn, select, paging).await
}
