//! One run of a job: started, ended, tried again.

use serde_json::json;
use tracing::debug_span;

use super::events::record;
use super::jobs::stored;
use super::release::decide_blocked;
use super::results::refused;
use super::status_moves::move_one;
use super::transition::{may_end, may_end_with, may_retry, may_start, result_matches, same_run};
use super::{Engine, EngineError, MANY, Subject, access};
use crate::clock;
use crate::store::jobs::{self as rows, JobRow};
use crate::store::workflows::{self, WorkflowState};
use crate::store::{Command, Effects, WriteTx, convert, job_links, results, run_state};
use crate::telemetry::scope;
use crate::wire::JobStatus;
use crate::wire::events::Severity;
use crate::wire::jobs::{
    BatchCompleteJobsResponse, JobCompletionEntry, JobCompletionError, JobModel,
};
use crate::wire::results::ResultModel;

/// The state of a workflow that a row refers to.
pub(super) fn state_of(tx: &WriteTx<'_>, workflow_id: i64) -> Result<WorkflowState, EngineError> {
    workflows::state(tx, workflow_id)?
        .ok_or_else(|| EngineError::not_found("Workflow", workflow_id))
}

struct StartJob {
    job_id: i64,
    run_id: i64,
    compute_node_id: i64,
    repeatable: bool,
}

impl Command for StartJob {
    const NAME: &'static str = "start_job";
    type Reply = JobModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<JobModel, EngineError> {
        let mut row = stored(tx, self.job_id)?;
        let status = convert::status(row.status)?;
        let state = state_of(tx, row.workflow_id)?;
        // Its reply was lost on the way to the worker that runs it: say it again.
        let repeated = self.repeatable
            && status == JobStatus::Running
            && row.compute_node_id == Some(self.compute_node_id)
            && state.run_id == self.run_id;
        if !repeated {
            may_start(self.job_id, status)?;
            same_run(self.run_id, state.run_id)?;
            let now = clock::now_nanos_text();
            move_one(self.job_id, JobStatus::Running, || {
                run_state::start(tx, self.job_id, &now, self.compute_node_id)
            })?;
            effects.event(
                row.workflow_id,
                "job_started",
                Severity::Info,
                json!({
                    "job_id": row.id,
                    "job_name": row.name,
                    "compute_node_id": self.compute_node_id,
                    "run_id": self.run_id,
                }),
            );
            row.status = JobStatus::Running.code();
        }
        Ok(rows::to_wire(row, job_links::of(tx, self.job_id)?)?)
    }
}

/// One ending, as both ways of completing a job describe it.
struct Ending {
    job_id: i64,
    status: JobStatus,
    run_id: i64,
    result: ResultModel,
}

/// What an ending did.
enum Ended {
    /// It was recorded; the row as it was before.
    Now(Box<JobRow>),
    /// The same request had recorded it before.
    Before(Box<JobRow>),
}

impl Ending {
    /// Records the ending; what it releases is decided by the caller, once per command.
    fn record(
        &self,
        tx: &WriteTx<'_>,
        effects: &mut Effects,
        state: &WorkflowState,
        row: JobRow,
        key: Option<&str>,
    ) -> Result<Ended, EngineError> {
        let current = convert::status(row.status)?;
        if current.is_terminal() && self.was_recorded(tx, key)? {
            return Ok(Ended::Before(Box::new(row)));
        }
        may_end(self.job_id, current, self.status)?;
        result_matches(
            &self.result,
            self.job_id,
            row.workflow_id,
            self.run_id,
            self.status,
        )?;
        same_run(self.run_id, state.run_id)?;
        let result_id =
            results::insert(tx, &self.result, key).map_err(|error| refused(error, &self.result))?;
        results::set_current(tx, row.workflow_id, self.job_id, result_id)?;
        move_one(self.job_id, self.status, || {
            run_state::end(tx, self.job_id, self.status)
        })?;
        let severity = match self.status {
            JobStatus::Failed => Severity::Error,
            JobStatus::Canceled | JobStatus::Terminated => Severity::Warning,
            _ => Severity::Info,
        };
        effects.event(
            row.workflow_id,
            &format!("job_{}", self.status),
            severity,
            json!({
                "job_id": row.id,
                "job_name": row.name,
                "status": self.status,
                "return_code": self.result.return_code,
            }),
        );
        Ok(Ended::Now(Box::new(row)))
    }

    /// Whether a request with this key has recorded this very ending.
    fn was_recorded(&self, tx: &WriteTx<'_>, key: Option<&str>) -> Result<bool, EngineError> {
        let Some(key) = key else {
            return Ok(false);
        };
        let attempt = self.result.attempt_id.unwrap_or(1);
        let Some((stored, stored_key)) = results::find(tx, self.job_id, self.run_id, attempt)?
        else {
            return Ok(false);
        };
        let same = ResultModel {
            id: stored.id,
            job_name: stored.job_name.clone(),
            attempt_id: stored.attempt_id,
            ..self.result.clone()
        };
        Ok(stored_key.as_deref() == Some(key) && same == stored && stored.status == self.status)
    }

    /// Whether this ending counts as a failure of the run.
    fn failed(&self) -> bool {
        self.status.is_complete() && self.result.return_code != 0
    }
}

/// Remembers a failure of the run and releases what waited on the jobs that `ended`, which
/// matter to actions alone.
fn after(
    tx: &WriteTx<'_>,
    effects: &mut Effects,
    workflow_id: i64,
    mut state: WorkflowState,
    failed: bool,
    ended: Vec<i64>,
) -> Result<(), EngineError> {
    if failed && !state.has_failures {
        workflows::set_failures(tx, workflow_id, true)?;
        state.has_failures = true;
    }
    decide_blocked(tx, effects, workflow_id, &state, ended)
}

struct CompleteJob {
    ending: Ending,
    key: Option<String>,
}

impl Command for CompleteJob {
    const NAME: &'static str = "complete_job";
    type Reply = JobModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<JobModel, EngineError> {
        let ending = self.ending;
        let row = stored(tx, ending.job_id)?;
        may_end_with(ending.status)?;
        let workflow_id = row.workflow_id;
        let state = state_of(tx, workflow_id)?;
        let mut row = match ending.record(tx, effects, &state, row, self.key.as_deref())? {
            Ended::Before(row) => row,
            Ended::Now(row) => {
                if ending.status.is_complete() {
                    let ended = if state.has_actions {
                        vec![ending.job_id]
                    } else {
                        Vec::new()
                    };
                    after(tx, effects, workflow_id, state, ending.failed(), ended)?;
                }
                row
            }
        };
        row.status = ending.status.code();
        Ok(rows::to_wire(*row, job_links::of(tx, ending.job_id)?)?)
    }
}

struct BatchCompleteJobs {
    workflow_id: i64,
    entries: Vec<JobCompletionEntry>,
    key: Option<String>,
}

impl Command for BatchCompleteJobs {
    const NAME: &'static str = "batch_complete_jobs";
    type Reply = BatchCompleteJobsResponse;
    type Error = EngineError;

    fn apply(
        self,
        tx: &WriteTx<'_>,
        effects: &mut Effects,
    ) -> Result<BatchCompleteJobsResponse, EngineError> {
        access::workflow(tx, self.workflow_id)?;
        let state = state_of(tx, self.workflow_id)?;
        let mut answer = BatchCompleteJobsResponse::default();
        let (mut released, mut failed, mut ended) = (false, false, Vec::new());
        for entry in self.entries {
            let ending = Ending {
                job_id: entry.job_id,
                status: entry.status,
                run_id: entry.run_id,
                result: entry.result,
            };
            match record_entry(
                tx,
                effects,
                self.workflow_id,
                &state,
                &ending,
                self.key.as_deref(),
            ) {
                Ok(now) => {
                    answer.completed.push(ending.job_id);
                    let ends = now && ending.status.is_complete();
                    released |= ends;
                    if ends && state.has_actions {
                        ended.push(ending.job_id);
                    }
                    failed |= now && ending.failed();
                }
                // A row that is not there or a rule that is broken concerns one
                // entry; a database that fails concerns them all.
                Err(EngineError::Store(error)) => return Err(error.into()),
                Err(refusal) => answer.errors.push(JobCompletionError {
                    job_id: ending.job_id,
                    message: refusal.to_string(),
                }),
            }
        }
        if released {
            after(tx, effects, self.workflow_id, state, failed, ended)?;
        }
        Ok(answer)
    }

    fn bytes(&self) -> usize {
        self.entries.len() * size_of::<JobCompletionEntry>()
    }

    fn alone(&self) -> bool {
        self.entries.len() > MANY
    }
}

/// Records one entry of a batch; says whether it was recorded now.
fn record_entry(
    tx: &WriteTx<'_>,
    effects: &mut Effects,
    workflow_id: i64,
    state: &WorkflowState,
    ending: &Ending,
    key: Option<&str>,
) -> Result<bool, EngineError> {
    let row = stored(tx, ending.job_id)?;
    if row.workflow_id != workflow_id {
        return Err(EngineError::invalid(format!(
            "job_id={} does not belong to workflow {workflow_id}",
            ending.job_id
        )));
    }
    Ok(matches!(
        ending.record(tx, effects, state, row, key)?,
        Ended::Now(_)
    ))
}

struct RetryJob {
    job_id: i64,
    run_id: i64,
    max_retries: i64,
}

impl Command for RetryJob {
    const NAME: &'static str = "retry_job";
    type Reply = JobModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<JobModel, EngineError> {
        let before = stored(tx, self.job_id)?;
        let state = state_of(tx, before.workflow_id)?;
        same_run(self.run_id, state.run_id)?;
        may_retry(
            convert::status(before.status)?,
            before.attempt_id,
            self.max_retries,
        )?;
        move_one(self.job_id, JobStatus::Ready, || {
            run_state::retry(tx, self.job_id)
        })?;
        let (old, new) = (before.attempt_id, before.attempt_id + 1);
        record(
            tx,
            before.workflow_id,
            &json!({
                "event_type": "job_retried",
                "job_id": before.id,
                "job_name": before.name,
                "previous_attempt": old,
                "new_attempt": new,
                "run_id": self.run_id,
                "message":
                    format!("Job with name = {} retried: attempt {old} -> {new}", before.name),
            }),
        )?;
        effects.wake_claimers(before.workflow_id, 1);
        Ok(rows::to_wire_brief(stored(tx, self.job_id)?)?)
    }
}

impl Engine {
    /// Marks a pending job as running on a compute node. With `repeatable`, a job
    /// that the same node runs already counts as started by this request.
    ///
    /// # Errors
    ///
    /// An unknown job, one that is not pending, another run.
    pub async fn start_job(
        &self,
        job_id: i64,
        run_id: i64,
        compute_node_id: i64,
        repeatable: bool,
    ) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Row("job", job_id)).await?;
        let span = debug_span!("start_job", job_id, run_id, compute_node_id);
        let start = StartJob {
            job_id,
            run_id,
            compute_node_id,
            repeatable,
        };
        scope::within(span, self.submit(start)).await
    }

    /// Records how a job ended and frees what waited on it.
    ///
    /// # Errors
    ///
    /// An unknown job, one that has ended, a status that ends nothing, a result
    /// about something else, another run.
    pub async fn complete_job(
        &self,
        job_id: i64,
        status: JobStatus,
        run_id: i64,
        result: ResultModel,
        key: Option<String>,
    ) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Row("job", job_id)).await?;
        let span = debug_span!("complete_job", job_id, ?status, run_id);
        let ending = Ending {
            job_id,
            status,
            run_id,
            result,
        };
        scope::within(span, self.submit(CompleteJob { ending, key })).await
    }

    /// Records how many jobs ended; each entry is accepted or refused by itself.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a status that ends nothing.
    #[tracing::instrument(level = "debug", skip(self, entries, key), fields(jobs = entries.len()))]
    pub async fn batch_complete_jobs(
        &self,
        workflow_id: i64,
        entries: Vec<JobCompletionEntry>,
        key: Option<String>,
    ) -> Result<BatchCompleteJobsResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        for entry in &entries {
            may_end_with(entry.status)?;
        }
        self.submit(BatchCompleteJobs {
            workflow_id,
            entries,
            key,
        })
        .await
    }

    /// Makes a job ready for its next attempt.
    ///
    /// # Errors
    ///
    /// An unknown job, one that cannot be tried again, too many attempts, another run.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn retry_job(
        &self,
        job_id: i64,
        run_id: i64,
        max_retries: i64,
    ) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Row("job", job_id)).await?;
        self.submit(RetryJob {
            job_id,
            run_id,
            max_retries,
        })
        .await
    }
}
