//! RO-Crate entities: created, read, replaced, deleted. Those that the server writes by
//! itself are in `ro_crate_automatic`.

use super::owned::Noun;
use super::{Engine, EngineError};
use crate::store::{StoreError, WriteTx, files, ro_crate_entities as rows};
use crate::wire::page::{MessageResponse, Page};
use crate::wire::ro_crate_entities::{
    DeleteRoCrateEntitiesResponse, ListRoCrateEntitiesQuery, RoCrateEntityModel,
};

impl Noun for RoCrateEntityModel {
    const TABLE: &'static str = "ro_crate_entity";
    const CREATE: &'static str = "create_ro_crate_entity";
    const UPDATE: &'static str = "update_ro_crate_entity";
    const DELETE: &'static str = "delete_ro_crate_entity";
    const DELETE_MANY: &'static str = "delete_ro_crate_entities";

    fn workflow_id(&self) -> i64 {
        self.workflow_id
    }

    fn id(&mut self) -> &mut Option<i64> {
        &mut self.id
    }

    fn merge(&mut self, change: Self) {
        self.file_id = change.file_id;
        self.entity_id = change.entity_id;
        self.entity_type = change.entity_type;
        self.metadata = change.metadata;
    }

    fn check(&self, tx: &WriteTx<'_>) -> Result<(), EngineError> {
        let Some(file_id) = self.file_id else {
            return Ok(());
        };
        let file = files::get(tx, file_id)?;
        if file.is_some_and(|file| file.workflow_id == self.workflow_id) {
            return Ok(());
        }
        Err(EngineError::invalid(format!(
            "file_id={file_id} is no file of workflow {}",
            self.workflow_id
        )))
    }

    fn refused(error: StoreError) -> EngineError {
        let link = match &error {
            StoreError::Unique(text) if text.contains("file_id") => "file",
            StoreError::Unique(_) => "entity_id",
            _ => return error.into(),
        };
        EngineError::invalid(format!(
            "RO-Crate entity already exists for this workflow/{link} link"
        ))
    }
}

impl Engine {
    /// Stores an entity.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a file of another one, an entity for the same file or `@id`.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_ro_crate_entity(
        &self,
        model: RoCrateEntityModel,
    ) -> Result<RoCrateEntityModel, EngineError> {
        self.create_owned(model).await
    }

    /// An entity.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_ro_crate_entity(&self, id: i64) -> Result<RoCrateEntityModel, EngineError> {
        self.get_owned("get_ro_crate_entity", id).await
    }

    /// Those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn list_ro_crate_entities(
        &self,
        workflow_id: i64,
        query: &ListRoCrateEntitiesQuery,
    ) -> Result<Page<RoCrateEntityModel>, EngineError> {
        let paging = query.paging();
        let conn = self
            .list_owned("list_ro_crate_entities", workflow_id, &paging)
            .await?;
        Ok(rows::list(&conn, workflow_id, query, &paging).await?)
    }

    /// Replaces what an entity says; it stays in its workflow.
    ///
    /// # Errors
    ///
    /// An unknown one, an unknown workflow, a file of another workflow, an entity for the
    /// same file or `@id`.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_ro_crate_entity(
        &self,
        id: i64,
        change: RoCrateEntityModel,
    ) -> Result<RoCrateEntityModel, EngineError> {
        self.update_owned(id, change).await
    }

    /// Removes an entity.
    ///
    /// # Errors
    ///
    /// An unknown one.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_ro_crate_entity(&self, id: i64) -> Result<MessageResponse, EngineError> {
        self.delete_owned::<RoCrateEntityModel>(id).await?;
        Ok(MessageResponse {
            message: "RO-Crate entity deleted successfully".to_owned(),
        })
    }

    /// Removes those of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_ro_crate_entities(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteRoCrateEntitiesResponse, EngineError> {
        let deleted = self
            .delete_all_owned::<RoCrateEntityModel>(workflow_id)
            .await?;
        Ok(DeleteRoCrateEntitiesResponse {
            message: format!("Deleted {} RO-Crate entities", deleted.count),
            deleted_count: deleted.count,
        })
    }
}
