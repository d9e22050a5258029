//! Failure handlers: created, read, deleted. What they say is for workers.

use super::owned::Noun;
use super::{Engine, EngineError};
use crate::store::failure_handlers as rows;
use crate::wire::failure_handlers::{
    DeletedFailureHandler, FailureHandlerModel, ListFailureHandlersQuery,
};
use crate::wire::page::Page;

impl Noun for FailureHandlerModel {
    const TABLE: &'static str = "failure_handler";
    const CREATE: &'static str = "create_failure_handler";
    const UPDATE: &'static str = "update_failure_handler";
    const DELETE: &'static str = "delete_failure_handler";
    const DELETE_MANY: &'static str = "delete_failure_handlers";

    fn workflow_id(&self) -> i64 {
        self.workflow_id
    }

    fn id(&mut self) -> &mut Option<i64> {
        &mut self.id
    }

    fn merge(&mut self, change: Self) {
        self.workflow_id = change.workflow_id;
        self.name = change.name;
        self.rules = change.rules;
    }
}

impl Engine {
    /// Stores a handler.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_failure_handler(
        &self,
        model: FailureHandlerModel,
    ) -> Result<FailureHandlerModel, EngineError> {
        self.create_owned(model).await
    }

    /// A handler.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_failure_handler(&self, id: i64) -> Result<FailureHandlerModel, EngineError> {
        self.get_owned("get_failure_handler", id).await
    }

    /// Those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn list_failure_handlers(
        &self,
        workflow_id: i64,
        query: &ListFailureHandlersQuery,
    ) -> Result<Page<FailureHandlerModel>, EngineError> {
        let paging = query.paging();
        let conn = self
            .list_owned("list_failure_handlers", workflow_id, &paging)
            .await?;
        Ok(rows::list(&conn, workflow_id, &paging).await?)
    }

    /// Removes a handler.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_failure_handler(
        &self,
        id: i64,
    ) -> Result<DeletedFailureHandler, EngineError> {
        let handler: FailureHandlerModel = self.delete_owned(id).await?;
        Ok(DeletedFailureHandler {
            handler,
            message: "Failure handler deleted successfully".to_owned(),
        })
    }
}
