//! Slurm statistics: stored once for each attempt of a job, and listed.

use super::owned::Noun;
use super::{Engine, EngineError, jobs};
use crate::store::{StoreError, WriteTx, slurm_stats as rows};
use crate::wire::page::Page;
use crate::wire::slurm_stats::{ListSlurmStatsQuery, SlurmStatsModel};

impl Noun for SlurmStatsModel {
    const TABLE: &'static str = "slurm_stats";
    const CREATE: &'static str = "create_slurm_stats";
    const UPDATE: &'static str = "update_slurm_stats";
    const DELETE: &'static str = "delete_slurm_stats";
    const DELETE_MANY: &'static str = "delete_all_slurm_stats";

    fn workflow_id(&self) -> i64 {
        self.workflow_id
    }

    fn id(&mut self) -> &mut Option<i64> {
        &mut self.id
    }

    fn merge(&mut self, change: Self) {
        *self = Self {
            id: self.id,
            ..change
        };
    }

    fn check(&self, tx: &WriteTx<'_>) -> Result<(), EngineError> {
        if jobs::stored(tx, self.job_id)?.workflow_id == self.workflow_id {
            return Ok(());
        }
        Err(EngineError::invalid(format!(
            "job_id={} does not belong to workflow {}",
            self.job_id, self.workflow_id
        )))
    }

    fn refused(error: StoreError) -> EngineError {
        match error {
            StoreError::Unique(_) => EngineError::Conflict(
                "Slurm statistics of this job, run and attempt exist already".to_owned(),
            ),
            other => other.into(),
        }
    }
}

impl Engine {
    /// Stores what Slurm says of an attempt.
    ///
    /// # Errors
    ///
    /// An unknown workflow or job, a job of another workflow, an attempt that has some.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_slurm_stats(
        &self,
        model: SlurmStatsModel,
    ) -> Result<SlurmStatsModel, EngineError> {
        self.create_owned(model).await
    }

    /// Those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_slurm_stats(
        &self,
        query: &ListSlurmStatsQuery,
    ) -> Result<Page<SlurmStatsModel>, EngineError> {
        let paging = query.paging();
        let conn = self
            .list_owned("list_slurm_stats", query.workflow_id, &paging)
            .await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }
}
