//! Moves of jobs from one status to another, seen as `update_job_status`.
//!
//! A job that is moved alone has a span of its own; a set has one together, since one for
//! each would cost more than the moving. How long they take is recorded beside the span,
//! which is only there for the log.

use tracing::Span;
use tracing::field::Empty;

use crate::clock::Tick;
use crate::store::StoreError;
use crate::telemetry::phase;
use crate::wire::JobStatus;

/// Does what `work` does in the span of a move.
fn moving<R>(span: &Span, work: impl FnOnce() -> R) -> R {
    let start = Tick::now();
    let done = span.in_scope(work);
    phase::function(phase::UPDATE_JOB_STATUS, start.elapsed());
    done
}

/// Moves one job; `change` does it.
pub(super) fn move_one<R>(job_id: i64, status: JobStatus, change: impl FnOnce() -> R) -> R {
    let status = status.as_str();
    let span = tracing::debug_span!("update_job_status", job_id, status);
    moving(&span, change)
}

/// Runs a statement that moves many jobs of a workflow; `change` says how many.
///
/// # Errors
///
/// Those of `change`.
pub(super) fn move_set(
    workflow_id: i64,
    status: JobStatus,
    change: impl FnOnce() -> Result<usize, StoreError>,
) -> Result<usize, StoreError> {
    let status = status.as_str();
    let span = tracing::debug_span!("update_job_status", workflow_id, status, jobs = Empty);
    let moved = moving(&span, change)?;
    span.record("jobs", moved);
    Ok(moved)
}

/// Moves each of these jobs of a workflow.
///
/// # Errors
///
/// Those of `change`.
pub(super) fn move_all(
    workflow_id: i64,
    jobs: &[i64],
    status: JobStatus,
    mut change: impl FnMut(i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    match jobs {
        [] => {}
        &[job_id] => move_one(job_id, status, || change(job_id))?,
        many => {
            move_set(workflow_id, status, || {
                many.iter().try_for_each(|job_id| change(*job_id))?;
                Ok(many.len())
            })?;
        }
    }
    Ok(())
}
