//! Tasks: an initialisation that goes on after its request was answered.
//!
//! A workflow has one at a time. Whoever asks for the same again gets the same task; the
//! row is committed before the answer, and its end in the transaction of the work itself.

use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;

use super::workflow_runs::{Extent, InitializeJobs};
use super::{Caller, Engine, EngineError, Subject, access};
use crate::clock;
use crate::store::tasks::{self as rows, NewTask};
use crate::store::{Command, Effects, StoreError, WriteTx};
use crate::telemetry::task;
use crate::wire::events::Severity;
use crate::wire::tasks::{ActiveTaskResponse, TaskModel};
use crate::wire::workflows::InitializeJobsQuery;

/// The only operation that can be asked for in this way.
const INITIALIZE: &str = "initialize_jobs";
/// What is said of tasks that an earlier process left.
const INTERRUPTED: &str = "server restarted while task was in progress";

/// How long a failure that could not be stored waits before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a request for a task got.
pub struct Asked {
    task: TaskModel,
    /// It is new, and nobody carries it out yet.
    new: bool,
}

struct CreateTask {
    caller: Caller,
    workflow_id: i64,
    request: String,
}

impl Command for CreateTask {
    const NAME: &'static str = "create_task";
    type Reply = Asked;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Asked, EngineError> {
        access::workflow(tx, self.workflow_id)?;
        match rows::active(tx, self.workflow_id)? {
            None => Ok(Asked {
                task: rows::insert(
                    tx,
                    &NewTask {
                        workflow_id: self.workflow_id,
                        operation: INITIALIZE,
                        requested_by: self.caller.name(),
                        request: &self.request,
                        now_ms: clock::now_ms(),
                    },
                )?,
                new: true,
            }),
            Some((task, request)) if request.as_ref() == Some(&self.request) => {
                Ok(Asked { task, new: false })
            }
            Some((task, _)) => Err(EngineError::Collision(json!({
                "error": "Conflict",
                "message": format!(
                    "workflow {} has an active {} task with different parameters; \
                     wait for its end",
                    self.workflow_id, task.operation
                ),
                "existing_task_id": task.id,
                "existing_operation": task.operation,
            }))),
        }
    }
}

struct StartTask(i64);

impl Command for StartTask {
    const NAME: &'static str = "start_task";
    type Reply = bool;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<bool, EngineError> {
        Ok(rows::start(tx, self.0, clock::now_ms())?)
    }
}

struct FailTask {
    task: Running,
    error: String,
}

impl Command for FailTask {
    const NAME: &'static str = "fail_task";
    type Reply = ();
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<(), EngineError> {
        self.task.ended(tx, effects, Some(&self.error))
    }
}

struct InterruptTasks;

impl Command for InterruptTasks {
    const NAME: &'static str = "interrupt_tasks";
    type Reply = usize;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<usize, EngineError> {
        Ok(rows::interrupt_all(tx, clock::now_ms(), INTERRUPTED)?)
    }
}

/// A task that is carried out.
#[derive(Debug, Clone)]
pub(super) struct Running {
    id: i64,
    workflow_id: i64,
    caller: Caller,
}

impl Running {
    /// Writes down its end, within the transaction of what it did.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(super) fn ended(
        &self,
        tx: &WriteTx<'_>,
        effects: &mut Effects,
        error: Option<&str>,
    ) -> Result<(), EngineError> {
        if !rows::finish(tx, self.id, clock::now_ms(), error)? {
            // Deleted with its workflow.
            return Ok(());
        }
        let (status, severity) = match error {
            None => ("succeeded", Severity::Info),
            Some(_) => ("failed", Severity::Error),
        };
        let mut data = json!({
            "category": "tasks",
            "type": "task_completed",
            "task_id": self.id,
            "operation": INITIALIZE,
            "status": status,
            "user": self.caller.name(),
            "message": format!("task {} {status}", self.id),
        });
        if let Some(error) = error {
            data["error"] = json!(error);
        }
        effects.event(self.workflow_id, "task_completed", severity, data);
        Ok(())
    }
}

/// A task is hidden from whoever may not see it.
fn hidden(error: EngineError) -> EngineError {
    match error {
        EngineError::Forbidden(_) => EngineError::NotFound("Task not found".to_owned()),
        other => other,
    }
}

impl Engine {
    /// Begins an initialisation that goes on by itself, or answers the one that does
    /// already if the same was asked for.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a task of the workflow that does something else.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn initialize_jobs_later(
        &self,
        workflow_id: i64,
        query: &InitializeJobsQuery,
        extent: Extent,
    ) -> Result<TaskModel, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let create = CreateTask {
            caller: self.caller().clone(),
            workflow_id,
            request: request_of(query),
        };
        let (tell, told) = oneshot::channel();
        let engine = self.clone();
        // A client may leave before its task is stored; once it is, somebody must do it.
        task::spawn("initialize-jobs", async move {
            engine.create_and_carry_out(create, extent, tell).await;
        });
        told.await
            .unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }

    async fn create_and_carry_out(
        &self,
        create: CreateTask,
        extent: Extent,
        tell: oneshot::Sender<Result<TaskModel, EngineError>>,
    ) {
        let (caller, workflow_id) = (create.caller.clone(), create.workflow_id);
        let asked = self.submit(create).await;
        let running = asked.as_ref().ok().filter(|asked| asked.new);
        let running = running.map(|asked| Running {
            id: asked.task.id,
            workflow_id,
            caller,
        });
        // Whoever asked may have left.
        let _ = tell.send(asked.map(|asked| asked.task));
        if let Some(running) = running {
            self.carry_out(running, extent).await;
        }
    }

    async fn carry_out(&self, task: Running, extent: Extent) {
        let id = task.id;
        let work = async {
            if !self.submit(StartTask(id)).await? {
                return Ok(());
            }
            self.submit(InitializeJobs {
                caller: task.caller.clone(),
                workflow_id: task.workflow_id,
                extent,
                task: Some(task.clone()),
            })
            .await
        };
        let Err(error) = work.await else { return };
        tracing::warn!(task = id, "an initialisation failed: {error}");
        self.fail(task, &error.to_string()).await;
    }

    /// Stores that a task failed, as soon as that can be: until then its workflow can have
    /// no other one.
    async fn fail(&self, task: Running, error: &str) {
        let id = task.id;
        loop {
            let failed = FailTask {
                task: task.clone(),
                error: error.to_owned(),
            };
            match self.submit(failed).await {
                Ok(()) => return,
                Err(EngineError::Store(error))
                    if error.is_transient() && !matches!(error, StoreError::Stopping) =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                // The next start of the server says so of the task.
                Err(error) => {
                    tracing::error!(task = id, "a task's failure could not be stored: {error}");
                    return;
                }
            }
        }
    }

    /// Marks tasks that an earlier process left unfinished as failed.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn interrupt_tasks(&self) -> Result<(), EngineError> {
        let tasks = self.submit(InterruptTasks).await?;
        if tasks > 0 {
            tracing::warn!(tasks, "tasks of an earlier process were marked as failed");
        }
        Ok(())
    }

    /// One task.
    ///
    /// # Errors
    ///
    /// An unknown task, or one that the caller may not see.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_task(&self, id: i64) -> Result<TaskModel, EngineError> {
        let conn = self.read("get_task").await?;
        let task = rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::NotFound("Task not found".to_owned()))?;
        drop(conn);
        let subject = Subject::Workflow(task.workflow_id);
        self.may_use(subject).await.map_err(hidden)?;
        Ok(task)
    }

    /// The task of a workflow that is not over.
    ///
    /// # Errors
    ///
    /// An unknown workflow, or one that the caller may not see.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_active_task(
        &self,
        workflow_id: i64,
    ) -> Result<ActiveTaskResponse, EngineError> {
        let subject = Subject::Workflow(workflow_id);
        self.may_use(subject).await.map_err(|error| match error {
            EngineError::Forbidden(_) => EngineError::not_found("Workflow", workflow_id),
            other => other,
        })?;
        let conn = self.read("get_active_task_for_workflow").await?;
        access::workflow_read(&conn, workflow_id).await?;
        Ok(ActiveTaskResponse {
            task: rows::read_active(&conn, workflow_id).await?,
        })
    }
}

/// What tells one request from another: the parameters as they were sent, so that an
/// absent one is not the same as `false`.
fn request_of(query: &InitializeJobsQuery) -> String {
    json!({
        "only_uninitialized": query.only_uninitialized,
        "clear_ephemeral_user_data": query.clear_ephemeral_user_data,
        "if_uninitialized": query.if_uninitialized,
    })
    .to_string()
}
