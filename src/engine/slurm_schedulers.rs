//! Slurm schedulers: created, read, changed, deleted.

use super::owned::Noun;
use super::workflows::merge;
use super::{Engine, EngineError};
use crate::store::slurm_schedulers as rows;
use crate::wire::page::{DeleteCountResponse, Page};
use crate::wire::slurm_schedulers::{ListSlurmSchedulersQuery, SlurmSchedulerModel};

impl Noun for SlurmSchedulerModel {
    const TABLE: &'static str = "slurm_scheduler";
    const CREATE: &'static str = "create_slurm_scheduler";
    const UPDATE: &'static str = "update_slurm_scheduler";
    const DELETE: &'static str = "delete_slurm_scheduler";
    const DELETE_MANY: &'static str = "delete_slurm_schedulers";

    fn workflow_id(&self) -> i64 {
        self.workflow_id
    }

    fn id(&mut self) -> &mut Option<i64> {
        &mut self.id
    }

    fn merge(&mut self, change: Self) {
        self.workflow_id = change.workflow_id;
        merge(&mut self.name, change.name);
        self.account = change.account;
        merge(&mut self.gres, change.gres);
        merge(&mut self.mem, change.mem);
        self.nodes = change.nodes;
        merge(&mut self.ntasks_per_node, change.ntasks_per_node);
        merge(&mut self.partition, change.partition);
        merge(&mut self.qos, change.qos);
        merge(&mut self.tmp, change.tmp);
        self.walltime = change.walltime;
        merge(&mut self.extra, change.extra);
        merge(
            &mut self.serialize_allocations,
            change.serialize_allocations,
        );
    }
}

impl Engine {
    /// Stores a Slurm scheduler.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_slurm_scheduler(
        &self,
        model: SlurmSchedulerModel,
    ) -> Result<SlurmSchedulerModel, EngineError> {
        let serialize = model.serialize_allocations.unwrap_or(false);
        let model = SlurmSchedulerModel {
            serialize_allocations: Some(serialize),
            ..model
        };
        self.create_owned(model).await
    }

    /// A slurm scheduler.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_slurm_scheduler(&self, id: i64) -> Result<SlurmSchedulerModel, EngineError> {
        self.get_owned("get_slurm_scheduler", id).await
    }

    /// Those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_slurm_schedulers(
        &self,
        query: &ListSlurmSchedulersQuery,
    ) -> Result<Page<SlurmSchedulerModel>, EngineError> {
        let paging = query.paging();
        let conn = self
            .list_owned("list_slurm_schedulers", query.workflow_id, &paging)
            .await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Changes a Slurm scheduler; absent fields stay.
    ///
    /// # Errors
    ///
    /// An unknown one, an unknown workflow.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_slurm_scheduler(
        &self,
        id: i64,
        change: SlurmSchedulerModel,
    ) -> Result<SlurmSchedulerModel, EngineError> {
        self.update_owned(id, change).await
    }

    /// Removes a Slurm scheduler.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_slurm_scheduler(
        &self,
        id: i64,
    ) -> Result<SlurmSchedulerModel, EngineError> {
        self.delete_owned(id).await
    }

    /// Removes those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_slurm_schedulers(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.delete_all_owned::<SlurmSchedulerModel>(workflow_id)
            .await
    }
}
