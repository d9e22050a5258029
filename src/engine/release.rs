//! After endings: which blocked jobs may run now, and which will never.

use super::EngineError;
use super::status_moves::move_all;
use super::transition::{Release, release};
use crate::store::{Effects, WriteTx, graph, run_state};
use crate::wire::JobStatus;

/// Decides over every blocked job of a workflow that waits for nobody any more.
/// A cancelled one counts as ended for those behind it, so this goes on until
/// nothing is left to decide. Its cost is what it decides, not the workflow.
///
/// # Errors
///
/// What the database says.
pub(super) fn decide_blocked(
    tx: &WriteTx<'_>,
    effects: &mut Effects,
    workflow_id: i64,
    run_id: i64,
    run_has_failures: bool,
) -> Result<(), EngineError> {
    let mut ready = 0;
    loop {
        let jobs = graph::decidable(tx, workflow_id)?;
        if jobs.is_empty() {
            break;
        }
        let (mut to_ready, mut to_canceled) = (Vec::new(), Vec::new());
        for (job_id, wants_cancel) in jobs {
            // Only looked up where it can matter: it is a query per job.
            let failed =
                wants_cancel && run_has_failures && graph::failed_blocker(tx, job_id, run_id)?;
            match release(wants_cancel, run_has_failures, failed) {
                Release::Ready => to_ready.push(job_id),
                Release::Cancel => to_canceled.push(job_id),
            }
        }
        ready += to_ready.len();
        // None of them waits for another one of them, so the order means nothing.
        move_all(workflow_id, &to_ready, JobStatus::Ready, |job_id| {
            run_state::set_status(tx, job_id, JobStatus::Ready)
        })?;
        move_all(workflow_id, &to_canceled, JobStatus::Canceled, |job_id| {
            run_state::end(tx, job_id, JobStatus::Canceled)
        })?;
    }
    effects.wake_claimers(workflow_id, ready);
    Ok(())
}
