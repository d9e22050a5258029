//! After endings: which blocked jobs may run now, and which will never.

use super::EngineError;
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
        for (job_id, wants_cancel) in jobs {
            // Only looked up where it can matter: it is a query per job.
            let failed =
                wants_cancel && run_has_failures && graph::failed_blocker(tx, job_id, run_id)?;
            match release(wants_cancel, run_has_failures, failed) {
                Release::Ready => {
                    run_state::set_status(tx, job_id, JobStatus::Ready)?;
                    ready += 1;
                }
                Release::Cancel => run_state::end(tx, job_id, JobStatus::Canceled)?,
            }
        }
    }
    effects.wake_claimers(workflow_id, ready);
    Ok(())
}
