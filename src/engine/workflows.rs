//! Workflows: created, read, changed, deleted. Their runs are in `workflow_runs`.

use std::collections::BTreeMap;

use super::{Caller, Engine, EngineError, Subject, access, check_paging};
use crate::clock;
use crate::store::workflow_lists::{self as lists, Visible};
use crate::store::{Command, Effects, WriteTx, resource_requirements, workflows as rows};
use crate::wire::page::Page;
use crate::wire::resource_requirements::ResourceRequirementsModel;
use crate::wire::workflows::{ListWorkflowsQuery, WorkflowModel};

/// Refuses environment names that no shell takes; `of` names whose they are.
pub(super) fn check_env(
    env: Option<&BTreeMap<String, String>>,
    of: &str,
) -> Result<(), EngineError> {
    let valid = |key: &str| {
        let mut letters = key.chars();
        letters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match env.into_iter().flatten().find(|(key, _)| !valid(key)) {
        None => Ok(()),
        Some((key, _)) => Err(EngineError::invalid(format!(
            "Invalid {of} env key '{key}'; expected [A-Za-z_][A-Za-z0-9_]*"
        ))),
    }
}

struct CreateWorkflow(WorkflowModel);

impl Command for CreateWorkflow {
    const NAME: &'static str = "create_workflow";
    type Reply = WorkflowModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<WorkflowModel, EngineError> {
        let mut model = self.0;
        let mut groups = Vec::new();
        for name in model.access_groups.iter().flatten() {
            groups.push(rows::group_id(tx, name)?.ok_or_else(|| {
                EngineError::invalid(format!(
                    "Unknown access group '{name}': create the group before referencing it"
                ))
            })?);
        }
        model.timestamp = Some(clock::now_millis_text());
        let stored = WorkflowModel {
            run_id: Some(0),
            is_canceled: Some(false),
            is_archived: Some(false),
            ..model.clone()
        };
        let id = rows::insert(tx, &stored)?;
        for group in groups {
            rows::link_group(tx, id, group)?;
        }
        resource_requirements::insert(tx, &default_requirements(id))?;
        // The answer echoes the request; what the server fills in shows on the next read.
        model.id = Some(id);
        model.run_id = None;
        model.is_canceled = None;
        model.is_archived = None;
        Ok(model)
    }
}

/// What jobs get that name no requirements.
fn default_requirements(workflow_id: i64) -> ResourceRequirementsModel {
    ResourceRequirementsModel {
        id: None,
        workflow_id,
        name: "default".to_owned(),
        num_cpus: 1,
        num_gpus: 0,
        num_nodes: 1,
        memory: "1m".to_owned(),
        runtime: "P0DT1M".to_owned(),
    }
}

struct UpdateWorkflow {
    id: i64,
    change: WorkflowModel,
}

impl Command for UpdateWorkflow {
    const NAME: &'static str = "update_workflow";
    type Reply = WorkflowModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<WorkflowModel, EngineError> {
        let mut stored = get(tx, self.id)?;
        let change = self.change;
        let fixed = [
            (
                "env",
                change
                    .env
                    .as_ref()
                    .is_some_and(|env| *env != stored.env.clone().unwrap_or_default()),
            ),
            (
                "submission_directory",
                differs(
                    change.submission_directory.as_ref(),
                    stored.submission_directory.as_ref(),
                ),
            ),
            (
                "dynamic_jobs",
                differs(change.dynamic_jobs.as_ref(), stored.dynamic_jobs.as_ref()),
            ),
            (
                "access_groups",
                change.access_groups.clone().is_some_and(|mut names| {
                    names.sort();
                    names != stored.access_groups.clone().unwrap_or_default()
                }),
            ),
        ];
        if let Some((field, _)) = fixed.into_iter().find(|(_, differs)| *differs) {
            return Err(EngineError::invalid(format!(
                "Cannot modify {field} - this field is immutable after workflow creation"
            )));
        }
        stored.name = change.name;
        stored.user = change.user;
        merge(&mut stored.description, change.description);
        merge(
            &mut stored.compute_node_expiration_buffer_seconds,
            change.compute_node_expiration_buffer_seconds,
        );
        merge(
            &mut stored.compute_node_wait_for_new_jobs_seconds,
            change.compute_node_wait_for_new_jobs_seconds,
        );
        merge(
            &mut stored.compute_node_ignore_workflow_completion,
            change.compute_node_ignore_workflow_completion,
        );
        merge(
            &mut stored.compute_node_wait_for_healthy_database_minutes,
            change.compute_node_wait_for_healthy_database_minutes,
        );
        merge(&mut stored.use_pending_failed, change.use_pending_failed);
        merge(&mut stored.enable_ro_crate, change.enable_ro_crate);
        merge(&mut stored.project, change.project);
        merge(&mut stored.metadata, change.metadata);
        merge(&mut stored.execution_config, change.execution_config);
        rows::update(tx, self.id, &stored)?;
        Ok(stored)
    }
}

fn differs<T: PartialEq>(given: Option<&T>, stored: Option<&T>) -> bool {
    given.is_some() && given != stored
}

/// Takes the new value where one was sent.
pub(super) fn merge<T>(stored: &mut Option<T>, change: Option<T>) {
    if change.is_some() {
        *stored = change;
    }
}

struct DeleteWorkflow(i64);

impl Command for DeleteWorkflow {
    const NAME: &'static str = "delete_workflow";
    type Reply = WorkflowModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<WorkflowModel, EngineError> {
        let model = get(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(model)
    }

    fn alone(&self) -> bool {
        true
    }
}

/// The whole workflow, which must exist.
pub(super) fn get(tx: &WriteTx<'_>, id: i64) -> Result<WorkflowModel, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_found("Workflow", id))
}

impl Engine {
    /// Creates a workflow, with resource requirements named `default`.
    ///
    /// # Errors
    ///
    /// Bad environment names, unknown or repeated groups, a spawn limit below 1.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id))]
    pub async fn create_workflow(
        &self,
        mut model: WorkflowModel,
    ) -> Result<WorkflowModel, EngineError> {
        if let Caller::Named(name) = self.caller() {
            model.user = name.as_ref().to_owned();
        }
        check_env(model.env.as_ref(), "workflow")?;
        if let Some(given) = model
            .dynamic_jobs
            .as_ref()
            .and_then(|config| config.max_iterations)
            && given < 1
        {
            return Err(EngineError::invalid(format!(
                "dynamic_jobs.max_iterations must be >= 1 (got {given}); \
                 omit the field to use the server default"
            )));
        }
        if let Some(groups) = &mut model.access_groups {
            groups.sort();
            if let Some(pair) = groups.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(EngineError::invalid(format!(
                    "Duplicate access group '{}'",
                    pair[0]
                )));
            }
        }
        let created = self.submit(CreateWorkflow(model)).await?;
        // Empty until now: the database gives the id.
        tracing::Span::current().record("workflow_id", created.id);
        Ok(created)
    }

    /// One workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = id))]
    pub async fn get_workflow(&self, id: i64) -> Result<WorkflowModel, EngineError> {
        self.may_use(Subject::Workflow(id)).await?;
        let conn = self.read("get_workflow").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_found("Workflow", id))
    }

    /// Workflows.
    ///
    /// # Errors
    ///
    /// A page out of bounds.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn list_workflows(
        &self,
        query: &ListWorkflowsQuery,
    ) -> Result<Page<WorkflowModel>, EngineError> {
        let paging = query.paging();
        check_paging(&paging)?;
        let visible = match (self.is_admin(), self.caller().known()) {
            (true, _) => Visible::All,
            (false, Some(user)) => Visible::To(user),
            (false, None) => return Ok(Page::new(Vec::new(), paging.offset, 0)),
        };
        let conn = self.read_list("list_workflows").await?;
        Ok(lists::list(&conn, query, visible, &paging).await?)
    }

    /// Changes what may change of a workflow; absent fields stay.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a change of a field that is fixed at creation.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = id))]
    pub async fn update_workflow(
        &self,
        id: i64,
        change: WorkflowModel,
    ) -> Result<WorkflowModel, EngineError> {
        self.may_use(Subject::Workflow(id)).await?;
        self.submit(UpdateWorkflow { id, change }).await
    }

    /// Removes a workflow and all that belongs to it.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = id))]
    pub async fn delete_workflow(&self, id: i64) -> Result<WorkflowModel, EngineError> {
        self.may_use(Subject::Workflow(id)).await?;
        self.submit(DeleteWorkflow(id)).await
    }

    /// Whether the workflow exists, for streams that begin with that question.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    pub async fn check_workflow(&self, id: i64) -> Result<(), EngineError> {
        self.may_use(Subject::Workflow(id)).await?;
        let conn = self.read("check_workflow").await?;
        access::workflow_read(&conn, id).await
    }
}
