//! When workflow actions become due: what happens to jobs and workflows is counted for
//! them, in the transaction in which it happens. The actions themselves are in
//! `workflow_actions`; to carry them out is the workers' business.

use std::collections::HashSet;

use super::EngineError;
use crate::store::{WriteTx, run_state, workflow_actions as rows};
use crate::wire::JobStatus;

/// When all jobs of the list are ready, or past it.
pub(super) const ON_JOBS_READY: &str = "on_jobs_ready";
/// When all jobs of the list have ended.
pub(super) const ON_JOBS_COMPLETE: &str = "on_jobs_complete";
const ON_WORKFLOW_START: &str = "on_workflow_start";
const ON_WORKFLOW_COMPLETE: &str = "on_workflow_complete";
const ON_WORKER_START: &str = "on_worker_start";
const ON_WORKER_COMPLETE: &str = "on_worker_complete";

/// How often what an action waits for must happen: once for each of its jobs, however often
/// the list names it, since each counts once.
pub(super) fn required(trigger_type: &str, job_ids: Option<&[i64]>) -> i64 {
    match (trigger_type, job_ids) {
        (ON_JOBS_READY | ON_JOBS_COMPLETE, Some(ids)) if !ids.is_empty() => {
            ids.iter().collect::<HashSet<_>>().len() as i64
        }
        _ => 1,
    }
}

/// Where an action begins a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fresh {
    count: i64,
    /// It stays done, if it was.
    kept: bool,
}

/// Where an action begins a run whose jobs are so far: `ended` of its jobs have ended,
/// `ready` are ready. A run of a part leaves done what needs no doing again.
fn fresh(trigger_type: &str, required: i64, ended: i64, ready: i64, partial: bool) -> Fresh {
    let count = match trigger_type {
        ON_JOBS_READY => ended + ready,
        ON_JOBS_COMPLETE => ended,
        // A run and its workers begin at once.
        ON_WORKFLOW_START | ON_WORKER_START | ON_WORKER_COMPLETE => 1,
        _ => 0,
    };
    let kept = partial
        && match trigger_type {
            ON_WORKFLOW_START => true,
            ON_JOBS_READY | ON_JOBS_COMPLETE => ended >= required,
            _ => false,
        };
    Fresh { count, kept }
}

/// A run begins; `partial` if it is one of a part of the jobs, whose statuses are set
/// already.
///
/// # Errors
///
/// What the database says.
pub(super) fn run_begins(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    partial: bool,
) -> Result<(), EngineError> {
    rows::forget_recovery(tx, workflow_id)?;
    for action in rows::satisfied(tx, workflow_id)? {
        let Fresh { count, kept } = fresh(
            &action.trigger_type,
            action.required_triggers,
            action.ended,
            action.ready,
            partial,
        );
        rows::reset(tx, action.id, count, kept)?;
    }
    Ok(())
}

/// Jobs of a workflow that has actions became ready, or ended.
///
/// # Errors
///
/// What the database says.
pub(super) fn jobs_moved(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    ready: &[i64],
    ended: &[i64],
) -> Result<(), EngineError> {
    for job_id in ready {
        rows::advance_by_job(tx, *job_id, ON_JOBS_READY)?;
    }
    for job_id in ended {
        rows::advance_by_job(tx, *job_id, ON_JOBS_COMPLETE)?;
    }
    if !ended.is_empty() && is_complete(tx, workflow_id)? {
        rows::advance_all(tx, workflow_id, ON_WORKFLOW_COMPLETE)?;
    }
    Ok(())
}

/// Whether every job has ended, or was disabled.
fn is_complete(tx: &WriteTx<'_>, workflow_id: i64) -> Result<bool, EngineError> {
    let over = |code: i64| {
        code == JobStatus::Disabled.code()
            || (JobStatus::Completed.code()..=JobStatus::Terminated.code()).contains(&code)
    };
    let counts = run_state::counts(tx, workflow_id)?;
    Ok(counts.iter().all(|(code, jobs)| *jobs == 0 || over(*code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_triggers_wait_for_each_of_their_jobs() {
        assert_eq!(required(ON_JOBS_READY, Some(&[4, 5])), 2);
        assert_eq!(required(ON_JOBS_COMPLETE, Some(&[4])), 1);
        assert_eq!(required(ON_JOBS_COMPLETE, Some(&[4, 5, 4])), 2);
        assert_eq!(required(ON_JOBS_COMPLETE, Some(&[])), 1);
        assert_eq!(required(ON_JOBS_COMPLETE, None), 1);
        assert_eq!(required(ON_WORKFLOW_START, Some(&[4, 5])), 1);
    }

    #[test]
    fn a_whole_run_does_everything_again() {
        for trigger in [ON_WORKFLOW_START, ON_WORKER_START, ON_WORKER_COMPLETE] {
            let expected = Fresh {
                count: 1,
                kept: false,
            };
            assert_eq!(fresh(trigger, 1, 0, 0, false), expected, "{trigger}");
        }
        assert_eq!(fresh(ON_WORKFLOW_COMPLETE, 1, 0, 0, false).count, 0);
        assert_eq!(fresh(ON_JOBS_READY, 3, 1, 2, false).count, 3);
        assert_eq!(fresh(ON_JOBS_COMPLETE, 3, 1, 2, false).count, 1);
        assert!(!fresh(ON_JOBS_COMPLETE, 3, 3, 0, false).kept);
    }

    #[test]
    fn a_run_of_a_part_keeps_what_its_jobs_leave_alone() {
        assert!(fresh(ON_WORKFLOW_START, 1, 0, 0, true).kept);
        assert!(!fresh(ON_WORKFLOW_COMPLETE, 1, 0, 0, true).kept);
        assert!(!fresh(ON_WORKER_START, 1, 0, 0, true).kept);
        for trigger in [ON_JOBS_READY, ON_JOBS_COMPLETE] {
            assert!(fresh(trigger, 2, 2, 0, true).kept, "{trigger}");
            assert!(!fresh(trigger, 2, 1, 1, true).kept, "{trigger}");
        }
    }
}
