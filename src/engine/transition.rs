//! What may become of a job: pure decisions about statuses.

use crate::wire::JobStatus;
use crate::wire::results::ResultModel;

use super::EngineError;

/// What becomes of a blocked job that waits for nobody any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// It may run.
    Ready,
    /// It will not run.
    Cancel,
}

/// Decides over a blocked job whose dependencies have all ended.
///
/// It is cancelled when it asks for that, a job of this run has failed, and one
/// that it waited for was cancelled, terminated or failed (contract, behaviour 8).
pub fn release(
    cancel_on_blocking_job_failure: bool,
    run_has_failures: bool,
    failed_blocker: bool,
) -> Release {
    if cancel_on_blocking_job_failure && run_has_failures && failed_blocker {
        Release::Cancel
    } else {
        Release::Ready
    }
}

/// A completion must name a status that ends a job.
///
/// # Errors
///
/// [`EngineError::Invalid`].
pub fn may_end_with(status: JobStatus) -> Result<(), EngineError> {
    if status.is_terminal() {
        return Ok(());
    }
    Err(EngineError::invalid(format!(
        "Status '{status}' is not a terminal status for job completion"
    )))
}

/// The result in a completion's body must be about the job, run and status of its target.
///
/// # Errors
///
/// [`EngineError::Invalid`], naming the first field that differs.
pub fn result_matches(
    result: &ResultModel,
    job_id: i64,
    workflow_id: i64,
    run_id: i64,
    status: JobStatus,
) -> Result<(), EngineError> {
    for (field, given, target) in [
        ("job_id", result.job_id, job_id),
        ("workflow_id", result.workflow_id, workflow_id),
        ("run_id", result.run_id, run_id),
    ] {
        if given != target {
            return Err(EngineError::invalid(format!(
                "ResultModel {field}={given} does not match target {field}={target}"
            )));
        }
    }
    if result.status != status {
        return Err(EngineError::invalid(format!(
            "ResultModel status={} does not match target status={status}",
            result.status
        )));
    }
    Ok(())
}

/// A job in this status may be ended.
///
/// # Errors
///
/// [`EngineError::Invalid`]: it has ended already, or its user has taken it out.
pub fn may_end(job_id: i64, current: JobStatus, target: JobStatus) -> Result<(), EngineError> {
    if current.is_complete() {
        return Err(EngineError::invalid(format!(
            "job_id={job_id} is already complete with status={current}"
        )));
    }
    let decided = matches!(current, JobStatus::Disabled | JobStatus::PendingFailed);
    if decided && target != JobStatus::PendingFailed {
        return Err(EngineError::invalid(format!(
            "job_id={job_id} has status={current} and cannot be completed"
        )));
    }
    Ok(())
}

/// The request must be about the workflow's current run.
///
/// # Errors
///
/// [`EngineError::Invalid`].
pub fn same_run(given: i64, current: i64) -> Result<(), EngineError> {
    if given == current {
        return Ok(());
    }
    Err(EngineError::invalid(format!(
        "Run ID mismatch: provided {given} but workflow status has {current}"
    )))
}

/// Only pending jobs are started.
///
/// # Errors
///
/// [`EngineError::Invalid`].
pub fn may_start(job_id: i64, current: JobStatus) -> Result<(), EngineError> {
    if current == JobStatus::Pending {
        return Ok(());
    }
    Err(EngineError::invalid(format!(
        "job_id={job_id} has invalid status={current}. Expected SubmittedPending for job start."
    )))
}

/// A job in this status and at this attempt may be tried again.
///
/// # Errors
///
/// [`EngineError::Invalid`].
pub fn may_retry(current: JobStatus, attempt: i64, max_retries: i64) -> Result<(), EngineError> {
    if !matches!(
        current,
        JobStatus::Running | JobStatus::Failed | JobStatus::Terminated
    ) {
        return Err(EngineError::invalid(format!(
            "Job cannot be retried: status is {current:?}, must be Running, Failed, or Terminated"
        )));
    }
    if attempt >= max_retries {
        return Err(EngineError::invalid(format!(
            "Job cannot be retried: attempt_id {attempt} has reached max_retries {max_retries}"
        )));
    }
    Ok(())
}

/// `manage_status_change` ends no job.
///
/// # Errors
///
/// [`EngineError::Invalid`].
pub fn may_manage_to(status: JobStatus) -> Result<(), EngineError> {
    if status.is_complete() {
        return Err(EngineError::invalid(format!(
            "Cannot set completion status '{status}' via manage_status_change. \
             Use complete_job API instead."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_cancelled_only_when_all_three_say_so() {
        for bits in 0..8 {
            let (wants, failures, bad) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
            let expected = if bits == 7 {
                Release::Cancel
            } else {
                Release::Ready
            };
            assert_eq!(release(wants, failures, bad), expected);
        }
    }

    #[test]
    fn nothing_ends_twice_and_only_pending_jobs_start() {
        for current in JobStatus::ALL {
            assert_eq!(may_start(1, current).is_ok(), current == JobStatus::Pending);
            for target in JobStatus::ALL
                .into_iter()
                .filter(|status| status.is_terminal())
            {
                assert_eq!(
                    may_end(1, current, target).is_ok(),
                    !current.is_complete()
                        && (target == JobStatus::PendingFailed
                            || !matches!(current, JobStatus::Disabled | JobStatus::PendingFailed)),
                    "{current} to {target}"
                );
            }
        }
    }
}
