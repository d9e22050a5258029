//! Moves of many jobs from one status to another, seen as `update_job_status`.
//!
//! A job that is moved alone has a span of its own ([`update_span`]); a set has one
//! together, since one for each would cost more than the moving.

use tracing::field::Empty;

use super::job_runs::update_span;
use crate::store::StoreError;
use crate::wire::JobStatus;

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
    let moved = span.in_scope(change)?;
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
        &[job_id] => update_span(job_id, status).in_scope(|| change(job_id))?,
        many => {
            move_set(workflow_id, status, || {
                many.iter().try_for_each(|job_id| change(*job_id))?;
                Ok(many.len())
            })?;
        }
    }
    Ok(())
}
