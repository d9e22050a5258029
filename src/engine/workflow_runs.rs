//! The runs of a workflow: initialised, cancelled, reset.

use serde_json::json;

use super::events::{record, record_action};
use super::job_runs::state_of;
use super::status_moves::{move_all, move_set};
use super::workflows::get;
use super::{
    Caller, Engine, EngineError, Subject, access, input_hash, ro_crate_automatic, tasks, triggers,
};
use crate::store::{Command, Effects, WriteTx, run_state, workflow_status, workflows as rows};
use crate::wire::JobStatus;
use crate::wire::events::Severity;
use crate::wire::page::MessageResponse;
use crate::wire::workflows::{ProcessChangedJobInputsResponse, WorkflowModel};

/// Sets up a run.
pub(super) struct InitializeJobs {
    pub(super) caller: Caller,
    pub(super) workflow_id: i64,
    pub(super) extent: Extent,
    /// The task that this is the work of.
    pub(super) task: Option<tasks::Running>,
}

/// Which jobs an initialisation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of them.
    All,
    /// Those that are uninitialized, and what depends on them.
    Uninitialized,
    /// All, if none has been initialized yet; else none. With it the first run begins.
    AllIfUninitialized,
}

impl Command for InitializeJobs {
    const NAME: &'static str = "initialize_jobs";
    type Reply = ();
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<(), EngineError> {
        let workflow_id = self.workflow_id;
        access::workflow(tx, workflow_id)?;
        if self.extent == Extent::AllIfUninitialized {
            let untouched = [JobStatus::Uninitialized.code(), JobStatus::Disabled.code()];
            let counts = run_state::counts(tx, workflow_id)?;
            if counts
                .iter()
                .any(|(status, jobs)| *jobs > 0 && !untouched.contains(status))
            {
                return self.over(tx, effects);
            }
            let state = state_of(tx, workflow_id)?;
            // A new run would take a workflow out of the archive, or back from its end.
            if state.run_id == 0 && !state.is_canceled && !state.is_archived {
                rows::next_run(tx, workflow_id)?;
            }
        }
        let only_uninitialized = self.extent == Extent::Uninitialized;
        rows::set_failures(tx, workflow_id, false)?;
        run_state::add_implicit_dependencies(tx, workflow_id)?;
        // It blocks and resets others on the way; what it is for is the ready ones.
        let ready = move_set(workflow_id, JobStatus::Ready, || {
            run_state::initialize(tx, workflow_id, only_uninitialized)
        })?;
        input_hash::store_all(tx, workflow_id)?;
        if let Err(EngineError::Store(error)) = ro_crate_automatic::write(tx, workflow_id) {
            // A description that cannot be stored should not keep a workflow from running.
            tracing::warn!(workflow_id, "the RO-Crate entities of a run: {error}");
        }
        triggers::run_begins(tx, workflow_id, only_uninitialized)?;
        // The contract has the two names this way round.
        let event_type = if only_uninitialized {
            "workflow_started"
        } else {
            "workflow_reinitialized"
        };
        let verb = event_type.replace('_', " ");
        effects.event(
            workflow_id,
            event_type,
            Severity::Info,
            json!({
                "category": "workflow",
                "type": event_type,
                "user": self.caller.name(),
                "message": format!("{verb} workflow {workflow_id}"),
            }),
        );
        effects.wake_claimers(workflow_id, ready);
        self.over(tx, effects)
    }

    fn alone(&self) -> bool {
        true
    }
}

impl InitializeJobs {
    /// Ends the task that this is the work of.
    fn over(&self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<(), EngineError> {
        match &self.task {
            Some(task) => task.ended(tx, effects, None),
            None => Ok(()),
        }
    }
}

struct CancelWorkflow(i64);

impl Command for CancelWorkflow {
    const NAME: &'static str = "cancel_workflow";
    type Reply = WorkflowModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<WorkflowModel, EngineError> {
        let workflow_id = self.0;
        let mut model = get(tx, workflow_id)?;
        rows::set_canceled(tx, workflow_id)?;
        move_set(workflow_id, JobStatus::Canceled, || {
            run_state::cancel_active(tx, workflow_id)
        })?;
        let data = json!({
            "category": "workflow_canceled",
            "message": format!("Canceled workflow {workflow_id}"),
            "workflow_id": workflow_id,
            "run_id": model.run_id,
        });
        record(tx, workflow_id, &data)?;
        // Our own event, below what published clients ask for: workers stop at once.
        effects.event(workflow_id, "workflow_canceled", Severity::Debug, data);
        model.is_canceled = Some(true);
        Ok(model)
    }

    fn alone(&self) -> bool {
        true
    }
}

struct ArchiveWorkflow {
    caller: Caller,
    workflow_id: i64,
    is_archived: bool,
}

impl Command for ArchiveWorkflow {
    const NAME: &'static str = "archive_workflow";
    type Reply = WorkflowModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<WorkflowModel, EngineError> {
        let mut model = get(tx, self.workflow_id)?;
        rows::set_archived(tx, self.workflow_id, self.is_archived)?;
        record_action(
            tx,
            &self.caller,
            self.workflow_id,
            "archive_workflow",
            json!({"is_archived": self.is_archived, "workflow_id": self.workflow_id}),
        )?;
        model.is_archived = Some(self.is_archived);
        Ok(model)
    }
}

struct ResetWorkflowStatus {
    caller: Caller,
    workflow_id: i64,
    force: bool,
}

impl Command for ResetWorkflowStatus {
    const NAME: &'static str = "reset_workflow_status";
    type Reply = WorkflowModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<WorkflowModel, EngineError> {
        let workflow_id = self.workflow_id;
        let state = rows::state(tx, workflow_id)?
            .ok_or_else(|| EngineError::not_found("Workflow", workflow_id))?;
        if state.is_archived {
            return Err(EngineError::invalid(
                "Cannot reset archived workflow status. Unarchive the workflow first.",
            ));
        }
        if !self.force {
            let active = [JobStatus::Pending.code(), JobStatus::Running.code()];
            let counts = run_state::counts(tx, workflow_id)?;
            if counts
                .iter()
                .any(|(status, jobs)| active.contains(status) && *jobs > 0)
            {
                return Err(EngineError::invalid(
                    "Cannot reset workflow status: jobs are currently running or pending \
                     submission",
                ));
            }
            if workflow_status::has_scheduled_nodes(tx, workflow_id)? {
                return Err(EngineError::invalid(
                    "Cannot reset workflow status: scheduled compute nodes are pending or active",
                ));
            }
        }
        rows::next_run(tx, workflow_id)?;
        record_action(
            tx,
            &self.caller,
            workflow_id,
            "reset_workflow_status",
            json!({"force": self.force, "workflow_id": workflow_id}),
        )?;
        get(tx, workflow_id)
    }
}

struct ProcessChangedJobInputs {
    caller: Caller,
    workflow_id: i64,
    dry_run: bool,
}

impl Command for ProcessChangedJobInputs {
    const NAME: &'static str = "process_changed_job_inputs";
    type Reply = ProcessChangedJobInputsResponse;
    type Error = EngineError;

    fn apply(
        self,
        tx: &WriteTx<'_>,
        _effects: &mut Effects,
    ) -> Result<ProcessChangedJobInputsResponse, EngineError> {
        let workflow_id = self.workflow_id;
        access::workflow(tx, workflow_id)?;
        let changed = input_hash::changed(tx, workflow_id)?;
        let names: Vec<String> = changed.iter().map(|(_, name)| name.clone()).collect();
        if !self.dry_run {
            let ids: Vec<i64> = changed.iter().map(|(job_id, _)| *job_id).collect();
            move_all(workflow_id, &ids, JobStatus::Uninitialized, |job_id| {
                run_state::set_status(tx, job_id, JobStatus::Uninitialized)
            })?;
            record_action(
                tx,
                &self.caller,
                workflow_id,
                "process_changed_job_inputs",
                json!({
                    "workflow_id": workflow_id,
                    "reinitialized_count": names.len(),
                    "reinitialized_jobs": names,
                }),
            )?;
        }
        Ok(ProcessChangedJobInputsResponse {
            reinitialized_jobs: names,
        })
    }

    fn alone(&self) -> bool {
        true
    }
}

impl Engine {
    /// Sets up a run: implicit dependencies, statuses, input hashes.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn initialize_jobs(
        &self,
        workflow_id: i64,
        extent: Extent,
    ) -> Result<MessageResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(InitializeJobs {
            caller: self.caller().clone(),
            workflow_id,
            extent,
            task: None,
        })
        .await?;
        Ok(MessageResponse {
            message: "Initialized job status".to_owned(),
        })
    }

    /// Stops a workflow: its pending and running jobs are cancelled.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn cancel_workflow(&self, workflow_id: i64) -> Result<WorkflowModel, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(CancelWorkflow(workflow_id)).await
    }

    /// Puts a workflow away, or takes it out again.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn archive_workflow(
        &self,
        workflow_id: i64,
        is_archived: bool,
    ) -> Result<WorkflowModel, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(ArchiveWorkflow {
            caller: self.caller().clone(),
            workflow_id,
            is_archived,
        })
        .await
    }

    /// Begins the next run of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown or archived workflow; active jobs or nodes, unless forced.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn reset_workflow_status(
        &self,
        workflow_id: i64,
        force: bool,
    ) -> Result<WorkflowModel, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(ResetWorkflowStatus {
            caller: self.caller().clone(),
            workflow_id,
            force,
        })
        .await
    }

    /// Makes jobs uninitialized whose inputs differ from those of their last run.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn process_changed_job_inputs(
        &self,
        workflow_id: i64,
        dry_run: bool,
    ) -> Result<ProcessChangedJobInputsResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(ProcessChangedJobInputs {
            caller: self.caller().clone(),
            workflow_id,
            dry_run,
        })
        .await
    }
}
