//! Statuses set from outside a run: by hand, and by resets.

use serde_json::json;

use super::events::record_action;
use super::job_runs::state_of;
use super::jobs::stored;
use super::status_moves::{move_one, move_set};
use super::transition::{may_manage_to, same_run};
use super::{Caller, Engine, EngineError, Subject, access};
use crate::store::{Command, Effects, WriteTx, convert, job_links, jobs as rows, run_state};
use crate::wire::JobStatus;
use crate::wire::jobs::{JobModel, ResetJobStatusResponse};

struct ManageStatusChange {
    job_id: i64,
    status: JobStatus,
    run_id: i64,
}

impl Command for ManageStatusChange {
    const NAME: &'static str = "manage_status_change";
    type Reply = JobModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<JobModel, EngineError> {
        let row = stored(tx, self.job_id)?;
        may_manage_to(self.status)?;
        let current = convert::status(row.status)?;
        if current != self.status {
            same_run(self.run_id, state_of(tx, row.workflow_id)?.run_id)?;
            move_one(self.job_id, self.status, || {
                run_state::set_status(tx, self.job_id, self.status)
            })?;
            if current.is_complete() && self.status == JobStatus::Uninitialized {
                move_set(row.workflow_id, JobStatus::Uninitialized, || {
                    run_state::reset_direct_dependents(tx, self.job_id)
                })?;
            }
            if self.status == JobStatus::Ready {
                effects.wake_claimers(row.workflow_id, 1);
            }
        }
        let row = stored(tx, self.job_id)?;
        Ok(rows::to_wire(row, job_links::of(tx, self.job_id)?)?)
    }
}

struct ResetJobStatus {
    caller: Caller,
    workflow_id: i64,
    failed_only: bool,
}

impl Command for ResetJobStatus {
    const NAME: &'static str = "reset_job_status";
    type Reply = ResetJobStatusResponse;
    type Error = EngineError;

    fn apply(
        self,
        tx: &WriteTx<'_>,
        _effects: &mut Effects,
    ) -> Result<ResetJobStatusResponse, EngineError> {
        let workflow_id = self.workflow_id;
        access::workflow(tx, workflow_id)?;
        let updated_count = move_set(workflow_id, JobStatus::Uninitialized, || {
            if self.failed_only {
                run_state::reset_failed(tx, workflow_id)
            } else {
                run_state::reset_all(tx, workflow_id)
            }
        })? as i64;
        record_action(
            tx,
            &self.caller,
            workflow_id,
            "reset_job_status",
            json!({
                "workflow_id": workflow_id,
                "failed_only": self.failed_only,
                "updated_count": updated_count,
            }),
        )?;
        Ok(ResetJobStatusResponse {
            workflow_id,
            updated_count,
            status: JobStatus::Uninitialized,
            reset_type: self.failed_only.then(|| "failed_only".to_owned()),
        })
    }

    fn alone(&self) -> bool {
        true
    }
}

impl Engine {
    /// Sets a status by hand; it ends no job and releases none.
    ///
    /// # Errors
    ///
    /// An unknown job, a status that only a completion sets, another run.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn manage_status_change(
        &self,
        job_id: i64,
        status: JobStatus,
        run_id: i64,
    ) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Row("job", job_id)).await?;
        self.submit(ManageStatusChange {
            job_id,
            status,
            run_id,
        })
        .await
    }

    /// Makes all jobs, or those that ended badly, uninitialized.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn reset_job_status(
        &self,
        workflow_id: i64,
        failed_only: bool,
    ) -> Result<ResetJobStatusResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(ResetJobStatus {
            caller: self.caller().clone(),
            workflow_id,
            failed_only,
        })
        .await
    }
}
