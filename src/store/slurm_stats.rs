//! Slurm statistics.

use entity::slurm_stats::{self as table, Column, Entity};

use super::owned::{self, Owned, equal};
use super::rows::table;
use super::sql::Sql;
use super::{ReadConn, StoreError};
use crate::wire::page::{Page, Paging};
use crate::wire::slurm_stats::{ListSlurmStatsQuery, SlurmStatsModel};

table!(
    "slurm_stats",
    table::Model,
    [
        workflow_id,
        job_id,
        run_id,
        attempt_id,
        slurm_job_id,
        max_rss_bytes,
        max_vm_size_bytes,
        max_disk_read_bytes,
        max_disk_write_bytes,
        ave_cpu_seconds,
        node_list
    ]
);

impl Owned for SlurmStatsModel {
    type Row = table::Model;
    type Entity = Entity;

    const DELETE_ALL: Sql = Sql::new(
        "slurm_stats.delete_all",
        "DELETE FROM slurm_stats WHERE workflow_id = ?",
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
            job_id: row.job_id,
            run_id: row.run_id,
            attempt_id: row.attempt_id,
            slurm_job_id: row.slurm_job_id,
            max_rss_bytes: row.max_rss_bytes,
            max_vm_size_bytes: row.max_vm_size_bytes,
            max_disk_read_bytes: row.max_disk_read_bytes,
            max_disk_write_bytes: row.max_disk_write_bytes,
            ave_cpu_seconds: row.ave_cpu_seconds,
            node_list: row.node_list,
        })
    }

    fn to_row(&self, id: i64) -> Result<table::Model, StoreError> {
        Ok(table::Model {
            id,
            workflow_id: self.workflow_id,
            job_id: self.job_id,
            run_id: self.run_id,
            attempt_id: self.attempt_id,
            slurm_job_id: self.slurm_job_id.clone(),
            max_rss_bytes: self.max_rss_bytes,
            max_vm_size_bytes: self.max_vm_size_bytes,
            max_disk_read_bytes: self.max_disk_read_bytes,
            max_disk_write_bytes: self.max_disk_write_bytes,
            ave_cpu_seconds: self.ave_cpu_seconds,
            node_list: self.node_list.clone(),
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
    query: &ListSlurmStatsQuery,
    paging: &Paging,
) -> Result<Page<SlurmStatsModel>, StoreError> {
    let select = owned::of_workflow::<SlurmStatsModel>(query.workflow_id);
    let select = equal(select, Column::JobId, query.job_id);
    let select = equal(select, Column::RunId, query.run_id);
    let select = equal(select, Column::AttemptId, query.attempt_id);
    owned::list(conn, select, paging).await
}
