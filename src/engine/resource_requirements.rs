//! Resource requirements: created, read, replaced, deleted.

use serde_json::json;

use super::events::record_action;
use super::{Caller, Engine, EngineError, Subject, access, check_paging};
use crate::store::{Command, Effects, WriteTx, resource_requirements as rows};
use crate::wire::page::{DeleteCountResponse, Page};
use crate::wire::resource_requirements::{
    ListResourceRequirementsQuery, ResourceRequirementsModel,
};
use crate::wire::units::{parse_duration, parse_memory};

/// Refuses needs that no machine could be measured against.
fn check(model: &ResourceRequirementsModel) -> Result<(), EngineError> {
    for (field, number) in [("num_cpus", model.num_cpus), ("num_nodes", model.num_nodes)] {
        if number <= 0 {
            let message = format!("{field} must be > 0, got {number}");
            return Err(EngineError::field(message, field, number));
        }
    }
    if model.num_gpus < 0 {
        let message = format!("num_gpus must be >= 0, got {}", model.num_gpus);
        return Err(EngineError::field(message, "num_gpus", model.num_gpus));
    }
    for (field, text, parsed) in [
        ("memory", &model.memory, parse_memory(&model.memory)),
        ("runtime", &model.runtime, parse_duration(&model.runtime)),
    ] {
        if let Err(cause) = parsed {
            let message = format!("Invalid {field} format '{text}': {cause}");
            return Err(EngineError::field(message, field, text.as_str()));
        }
    }
    Ok(())
}

struct CreateRequirements(ResourceRequirementsModel);

impl Command for CreateRequirements {
    const NAME: &'static str = "create_resource_requirements";
    type Reply = ResourceRequirementsModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let mut model = self.0;
        access::workflow(tx, model.workflow_id)?;
        model.id = Some(rows::insert(tx, &model)?);
        Ok(model)
    }
}

struct UpdateRequirements {
    caller: Caller,
    id: i64,
    model: ResourceRequirementsModel,
}

impl Command for UpdateRequirements {
    const NAME: &'static str = "update_resource_requirements";
    type Reply = ResourceRequirementsModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let before = stored(tx, self.id)?;
        let mut model = self.model;
        access::workflow(tx, model.workflow_id)?;
        model.id = Some(self.id);
        rows::update(tx, self.id, &model)?;
        record_action(
            tx,
            &self.caller,
            before.workflow_id,
            "update_resource_requirements",
            json!({
                "resource_requirements_id": self.id,
                "name": model.name,
                "num_cpus": model.num_cpus,
                "num_gpus": model.num_gpus,
                "num_nodes": model.num_nodes,
                "memory": model.memory,
                "runtime": model.runtime,
            }),
        )?;
        Ok(model)
    }
}

struct DeleteRequirements(i64);

impl Command for DeleteRequirements {
    const NAME: &'static str = "delete_resource_requirement";
    type Reply = ResourceRequirementsModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let model = stored(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(model)
    }
}

struct DeleteAllRequirements(i64);

impl Command for DeleteAllRequirements {
    const NAME: &'static str = "delete_resource_requirements";
    type Reply = i64;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<i64, EngineError> {
        access::workflow(tx, self.0)?;
        Ok(rows::delete_all(tx, self.0)?)
    }

    fn alone(&self) -> bool {
        true
    }
}

fn stored(tx: &WriteTx<'_>, id: i64) -> Result<ResourceRequirementsModel, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_in("resource_requirements", id))
}

impl Engine {
    /// Creates a set of requirements.
    ///
    /// # Errors
    ///
    /// An unknown workflow, needs that are no numbers, sizes or durations.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_resource_requirements(
        &self,
        model: ResourceRequirementsModel,
    ) -> Result<ResourceRequirementsModel, EngineError> {
        self.may_use(Subject::Workflow(model.workflow_id)).await?;
        check(&model)?;
        self.submit(CreateRequirements(model)).await
    }

    /// One set of requirements.
    ///
    /// # Errors
    ///
    /// Unknown requirements.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_resource_requirements(
        &self,
        id: i64,
    ) -> Result<ResourceRequirementsModel, EngineError> {
        self.may_use(Subject::Row("resource_requirements", id))
            .await?;
        let conn = self.read("get_resource_requirements").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_in("resource_requirements", id))
    }

    /// The requirements of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_resource_requirements(
        &self,
        query: &ListResourceRequirementsQuery,
    ) -> Result<Page<ResourceRequirementsModel>, EngineError> {
        self.may_use(Subject::Workflow(query.workflow_id)).await?;
        let paging = query.paging();
        check_paging(&paging)?;
        let conn = self.read_list("list_resource_requirements").await?;
        access::workflow_read(&conn, query.workflow_id).await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Replaces a set of requirements as a whole.
    ///
    /// # Errors
    ///
    /// Unknown requirements or workflow, needs that are no numbers, sizes or durations.
    #[tracing::instrument(level = "debug", skip(self, model))]
    pub async fn update_resource_requirements(
        &self,
        id: i64,
        model: ResourceRequirementsModel,
    ) -> Result<ResourceRequirementsModel, EngineError> {
        self.may_use(Subject::Row("resource_requirements", id))
            .await?;
        self.may_use(Subject::Workflow(model.workflow_id)).await?;
        check(&model)?;
        self.submit(UpdateRequirements {
            caller: self.caller().clone(),
            id,
            model,
        })
        .await
    }

    /// Removes a set of requirements, and the jobs that have it.
    ///
    /// # Errors
    ///
    /// Unknown requirements.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_resource_requirement(
        &self,
        id: i64,
    ) -> Result<ResourceRequirementsModel, EngineError> {
        self.may_use(Subject::Row("resource_requirements", id))
            .await?;
        self.submit(DeleteRequirements(id)).await
    }

    /// Removes all requirements of a workflow, and the jobs that have them.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_resource_requirements(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let count = self.submit(DeleteAllRequirements(workflow_id)).await?;
        Ok(DeleteCountResponse {
            count,
            deleted_count: None,
        })
    }
}
