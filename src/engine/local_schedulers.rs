//! Local schedulers: created, read, changed, deleted.

use super::owned::Noun;
use super::workflows::merge;
use super::{Engine, EngineError};
use crate::store::local_schedulers as rows;
use crate::wire::local_schedulers::{ListLocalSchedulersQuery, LocalSchedulerModel};
use crate::wire::page::{DeleteCountResponse, Page};

impl Noun for LocalSchedulerModel {
    const TABLE: &'static str = "local_scheduler";
    const CREATE: &'static str = "create_local_scheduler";
    const UPDATE: &'static str = "update_local_scheduler";
    const DELETE: &'static str = "delete_local_scheduler";
    const DELETE_MANY: &'static str = "delete_local_schedulers";

    fn workflow_id(&self) -> i64 {
        self.workflow_id
    }

    fn id(&mut self) -> &mut Option<i64> {
        &mut self.id
    }

    fn merge(&mut self, change: Self) {
        self.workflow_id = change.workflow_id;
        merge(&mut self.memory, change.memory);
        merge(&mut self.num_cpus, change.num_cpus);
    }
}

impl Engine {
    /// Stores a local scheduler.
    ///
    /// # Errors
    ///
    /// An unknown workflow. Memory or CPUs that are not told.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_local_scheduler(
        &self,
        model: LocalSchedulerModel,
    ) -> Result<LocalSchedulerModel, EngineError> {
        if model.memory.is_none() {
            return Err(EngineError::invalid("memory is required"));
        }
        if model.num_cpus.is_none() {
            return Err(EngineError::invalid("num_cpus is required"));
        }
        self.create_owned(model).await
    }

    /// A local scheduler.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_local_scheduler(&self, id: i64) -> Result<LocalSchedulerModel, EngineError> {
        self.get_owned("get_local_scheduler", id).await
    }

    /// Those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_local_schedulers(
        &self,
        query: &ListLocalSchedulersQuery,
    ) -> Result<Page<LocalSchedulerModel>, EngineError> {
        let paging = query.paging();
        let conn = self
            .list_owned("list_local_schedulers", query.workflow_id, &paging)
            .await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Changes a local scheduler; absent fields stay.
    ///
    /// # Errors
    ///
    /// An unknown one, an unknown workflow.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_local_scheduler(
        &self,
        id: i64,
        change: LocalSchedulerModel,
    ) -> Result<LocalSchedulerModel, EngineError> {
        self.update_owned(id, change).await
    }

    /// Removes a local scheduler.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_local_scheduler(
        &self,
        id: i64,
    ) -> Result<LocalSchedulerModel, EngineError> {
        self.delete_owned(id).await
    }

    /// Removes those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_local_schedulers(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.delete_all_owned::<LocalSchedulerModel>(workflow_id)
            .await
    }
}
