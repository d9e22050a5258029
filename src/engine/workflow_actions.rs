//! Workflow actions: created, read, changed, claimed, deleted. When they become due is
//! decided in `triggers`.

use serde_json::{Map, Value, json};

use super::{Engine, EngineError, Subject, access, action_config, triggers, weight};
use crate::clock;
use crate::store::{Command, Effects, WriteTx, workflow_actions as rows};
use crate::wire::page::MessageResponse;
use crate::wire::workflow_actions::{ClaimActionResponse, WorkflowActionModel};

struct CreateAction(WorkflowActionModel);

impl Command for CreateAction {
    const NAME: &'static str = "create_workflow_action";
    type Reply = WorkflowActionModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let mut action = self.0;
        access::workflow(tx, action.workflow_id)?;
        if let Some(ids) = &action.job_ids
            && let Some(foreign) = rows::foreign_job(tx, action.workflow_id, ids)?
        {
            return Err(EngineError::invalid(format!(
                "job_ids names job {foreign}, which workflow {} does not have",
                action.workflow_id
            )));
        }
        let stored = WorkflowActionModel {
            required_triggers: triggers::required(&action.trigger_type, action.job_ids.as_deref()),
            trigger_count: 0,
            executed: false,
            executed_at: None,
            executed_by: None,
            ..action.clone()
        };
        // The answer echoes the request; what the server computes shows on the next read.
        action.id = Some(rows::insert(tx, &stored)?);
        Ok(action)
    }

    fn bytes(&self) -> usize {
        let jobs = self.0.job_ids.as_ref().map_or(0, Vec::len);
        weight::of_json(&self.0.action_config) + jobs * size_of::<i64>()
    }
}

struct UpdateAction {
    workflow_id: i64,
    id: i64,
    change: Map<String, Value>,
}

impl Command for UpdateAction {
    const NAME: &'static str = "update_workflow_action";
    type Reply = WorkflowActionModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let mut action = stored(tx, self.workflow_id, self.id)?;
        match &mut action.action_config {
            Value::Object(fields) => fields.extend(self.change),
            other => *other = Value::Object(self.change),
        }
        action_config::check(&action.action_type, &action.action_config)?;
        rows::update(tx, self.id, &action)?;
        Ok(action)
    }

    fn bytes(&self) -> usize {
        self.change.values().map(weight::of_json).sum()
    }
}

struct DeleteAction {
    workflow_id: i64,
    id: i64,
}

impl Command for DeleteAction {
    const NAME: &'static str = "delete_workflow_action";
    type Reply = ();
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<(), EngineError> {
        stored(tx, self.workflow_id, self.id)?;
        Ok(rows::delete(tx, self.id)?)
    }
}

struct ClaimAction {
    workflow_id: i64,
    id: i64,
    compute_node_id: Option<i64>,
}

impl Command for ClaimAction {
    const NAME: &'static str = "claim_action";
    type Reply = ClaimActionResponse;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let action = stored(tx, self.workflow_id, self.id)?;
        let (id, now) = (self.id, clock::now_nanos_text());
        if rows::claim(tx, id, action.persistent, &now, self.compute_node_id)? {
            return Ok(ClaimActionResponse {
                action_id: id,
                success: true,
            });
        }
        Err(EngineError::Collision(json!({
            "message": format!("Action {id} already claimed"),
            "claimed": false,
        })))
    }
}

/// An action of this workflow.
fn stored(tx: &WriteTx<'_>, workflow_id: i64, id: i64) -> Result<WorkflowActionModel, EngineError> {
    access::workflow(tx, workflow_id)?;
    rows::get(tx, id)?
        .filter(|action| action.workflow_id == workflow_id)
        .ok_or_else(|| EngineError::not_found("Action", id))
}

impl Engine {
    /// Stores an action; how often its trigger must happen is computed.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a configuration that its type does not take, a job of another
    /// workflow.
    #[tracing::instrument(level = "debug", skip(self, action))]
    pub async fn create_workflow_action(
        &self,
        workflow_id: i64,
        action: WorkflowActionModel,
    ) -> Result<WorkflowActionModel, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        action_config::check(&action.action_type, &action.action_config)?;
        self.submit(CreateAction(WorkflowActionModel {
            workflow_id,
            ..action
        }))
        .await
    }

    /// The actions of a workflow, by id.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_workflow_actions(
        &self,
        workflow_id: i64,
    ) -> Result<Vec<WorkflowActionModel>, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read_list("get_workflow_actions").await?;
        access::workflow_read(&conn, workflow_id).await?;
        Ok(rows::list(&conn, workflow_id).await?)
    }

    /// The actions of a workflow that are due and not claimed, by id; only those of the
    /// named triggers, if any is named.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self, triggers))]
    pub async fn get_pending_actions(
        &self,
        workflow_id: i64,
        triggers: &[String],
    ) -> Result<Vec<WorkflowActionModel>, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read("get_pending_actions").await?;
        access::workflow_read(&conn, workflow_id).await?;
        Ok(rows::pending(&conn, workflow_id, triggers).await?)
    }

    /// Adds fields to the configuration of an action, or replaces them.
    ///
    /// # Errors
    ///
    /// An unknown action, a change that is no object or empty, a configuration that its
    /// type does not take.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_workflow_action(
        &self,
        workflow_id: i64,
        id: i64,
        change: Value,
    ) -> Result<WorkflowActionModel, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let change = match change {
            Value::Object(fields) if !fields.is_empty() => fields,
            _ => {
                return Err(EngineError::invalid(
                    "the change must be a JSON object with fields of action_config",
                ));
            }
        };
        self.submit(UpdateAction {
            workflow_id,
            id,
            change,
        })
        .await
    }

    /// Removes an action.
    ///
    /// # Errors
    ///
    /// An unknown action.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_workflow_action(
        &self,
        workflow_id: i64,
        id: i64,
    ) -> Result<MessageResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(DeleteAction { workflow_id, id }).await?;
        Ok(MessageResponse {
            message: format!("Action {id} deleted successfully"),
        })
    }

    /// Takes an action for a compute node, so that no other one does it; of a persistent
    /// one each worker takes its own.
    ///
    /// # Errors
    ///
    /// An unknown action or node, an action that was claimed.
    #[tracing::instrument(level = "debug", skip(self, compute_node_id))]
    pub async fn claim_action(
        &self,
        workflow_id: i64,
        action_id: i64,
        compute_node_id: Option<i64>,
    ) -> Result<ClaimActionResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(ClaimAction {
            workflow_id,
            id: action_id,
            compute_node_id,
        })
        .await
    }
}
