//! Scheduled compute nodes: created, read, changed, deleted.

use serde_json::json;

use super::owned::Noun;
use super::{Engine, EngineError};
use crate::store::{Effects, scheduled_compute_nodes as rows};
use crate::wire::events::Severity;
use crate::wire::page::{DeleteCountResponse, Page};
use crate::wire::scheduled_compute_nodes::{
    ListScheduledComputeNodesQuery, ScheduledComputeNodesModel,
};

impl Noun for ScheduledComputeNodesModel {
    const TABLE: &'static str = "scheduled_compute_node";
    const CREATE: &'static str = "create_scheduled_compute_node";
    const UPDATE: &'static str = "update_scheduled_compute_node";
    const DELETE: &'static str = "delete_scheduled_compute_node";
    const DELETE_MANY: &'static str = "delete_scheduled_compute_nodes";

    fn workflow_id(&self) -> i64 {
        self.workflow_id
    }

    fn id(&mut self) -> &mut Option<i64> {
        &mut self.id
    }

    fn created(&self, effects: &mut Effects) {
        effects.event(
            self.workflow_id,
            "scheduler_node_created",
            Severity::Info,
            json!({
                "category": "scheduler",
                "scheduled_compute_node_id": self.id,
                "scheduler_id": self.scheduler_id,
                "scheduler_config_id": self.scheduler_config_id,
                "scheduler_type": self.scheduler_type,
                "status": self.status,
            }),
        );
    }

    fn merge(&mut self, change: Self) {
        self.workflow_id = change.workflow_id;
        self.scheduler_id = change.scheduler_id;
        self.scheduler_config_id = change.scheduler_config_id;
        self.scheduler_type = change.scheduler_type;
        self.status = change.status;
    }
}

impl Engine {
    /// Stores a scheduled compute node.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_scheduled_compute_node(
        &self,
        model: ScheduledComputeNodesModel,
    ) -> Result<ScheduledComputeNodesModel, EngineError> {
        self.create_owned(model).await
    }

    /// A scheduled compute node.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_scheduled_compute_node(
        &self,
        id: i64,
    ) -> Result<ScheduledComputeNodesModel, EngineError> {
        self.get_owned("get_scheduled_compute_node", id).await
    }

    /// Those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_scheduled_compute_nodes(
        &self,
        query: &ListScheduledComputeNodesQuery,
    ) -> Result<Page<ScheduledComputeNodesModel>, EngineError> {
        let paging = query.paging();
        let conn = self
            .list_owned("list_scheduled_compute_nodes", query.workflow_id, &paging)
            .await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Changes a scheduled compute node; absent fields stay.
    ///
    /// # Errors
    ///
    /// An unknown one, an unknown workflow.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_scheduled_compute_node(
        &self,
        id: i64,
        change: ScheduledComputeNodesModel,
    ) -> Result<ScheduledComputeNodesModel, EngineError> {
        self.update_owned(id, change).await
    }

    /// Removes a scheduled compute node.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_scheduled_compute_node(
        &self,
        id: i64,
    ) -> Result<ScheduledComputeNodesModel, EngineError> {
        self.delete_owned(id).await
    }

    /// Removes those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_scheduled_compute_nodes(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.delete_all_owned::<ScheduledComputeNodesModel>(workflow_id)
            .await
    }
}
