//! After endings: which blocked jobs may run now, and which will never.

use super::EngineError;
use super::status_moves::move_all;
use super::transition::{Release, release};
use super::triggers;
use crate::store::workflows::WorkflowState;
use crate::store::{Effects, WriteTx, graph, run_state};
use crate::wire::JobStatus;

/// Decides over every blocked job of a workflow that waits for nobody any more.
/// A cancelled one counts as ended for those behind it, so this goes on until
/// nothing is left to decide. Its cost is what it decides, not the workflow.
///
/// `ended` are the jobs that ended before and do not count for actions yet; it may be left
/// empty where `state` says that there are no actions.
///
/// # Errors
///
/// What the database says.
pub(super) fn decide_blocked(
    tx: &WriteTx<'_>,
    effects: &mut Effects,
    workflow_id: i64,
    state: &WorkflowState,
    mut ended: Vec<i64>,
) -> Result<(), EngineError> {
    let mut ready = Vec::new();
    loop {
        let jobs = graph::decidable(tx, workflow_id)?;
        if jobs.is_empty() {
            break;
        }
        let (mut to_ready, mut to_canceled) = (Vec::new(), Vec::new());
        for (job_id, wants_cancel) in jobs {
            // Only looked up where it can matter: it is a query per job.
            let failed = wants_cancel
                && state.has_failures
                && graph::failed_blocker(tx, job_id, state.run_id)?;
            match release(wants_cancel, state.has_failures, failed) {
                Release::Ready => to_ready.push(job_id),
                Release::Cancel => to_canceled.push(job_id),
            }
        }
        // None of them waits for another one of them, so the order means nothing.
        move_all(workflow_id, &to_ready, JobStatus::Ready, |job_id| {
            run_state::set_status(tx, job_id, JobStatus::Ready)
        })?;
        move_all(workflow_id, &to_canceled, JobStatus::Canceled, |job_id| {
            run_state::end(tx, job_id, JobStatus::Canceled)
        })?;
        ready.append(&mut to_ready);
        ended.append(&mut to_canceled);
    }
    if state.has_actions {
        triggers::jobs_moved(tx, workflow_id, &ready, &ended)?;
    }
    effects.wake_claimers(workflow_id, ready.len());
    Ok(())
}
