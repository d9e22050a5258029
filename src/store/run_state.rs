//! What happens to jobs in a run: started, ended, reset; and the initialisation of all.
//!
//! Triggers of the schema keep `job.blockers` and `job_status_count` right
//! behind every statement here.

use rusqlite::params;

use super::sql::Sql;
use super::{StoreError, WriteTx};
use crate::wire::JobStatus;

pub(super) const START: Sql = Sql::new(
    "job.start",
    "UPDATE job SET status = 4, start_time = ?2, compute_node_id = ?3 WHERE id = ?1 AND status = 3",
);
// Torc looks for ended jobs that it has not processed; ours are processed as they end.
pub(super) const END: Sql = Sql::new(
    "job.end",
    "UPDATE job SET status = ?2, start_time = NULL, compute_node_id = NULL, claim_token = NULL, \
     unblocking_processed = 1 WHERE id = ?1",
);
const SET_STATUS: Sql = Sql::new(
    "job.set_status",
    "UPDATE job SET status = ?2, claim_token = NULL WHERE id = ?1",
);
const RETRY: Sql = Sql::new(
    "job.retry",
    "UPDATE job SET status = 2, attempt_id = attempt_id + 1, origin = coalesce(origin, 'retry'), \
     start_time = NULL, compute_node_id = NULL, claim_token = NULL, unblocking_processed = 0 \
     WHERE id = ?",
);
pub(super) const CANCEL_ACTIVE: Sql = Sql::new(
    "job.cancel_active",
    // Ended without a result: nobody is released by it, now or by the sweep.
    "UPDATE job SET status = 7, claim_token = NULL, unblocking_processed = 1 \
     WHERE workflow_id = ? AND status <> 0 AND status IN (3, 4)",
);
const RESET_ALL: Sql = Sql::new(
    "job.reset_all",
    "UPDATE job SET status = 0, start_time = NULL, compute_node_id = NULL, claim_token = NULL, \
     unblocking_processed = 0 WHERE workflow_id = ? AND status <> 0",
);
/// Dependents of jobs that ended badly, however far.
const RESET_BELOW_FAILED: Sql = Sql::new(
    "job.reset_below_failed",
    "WITH RECURSIVE below (id) AS ( \
       SELECT d.job_id FROM job j JOIN job_depends_on d ON d.depends_on_job_id = j.id \
        WHERE j.workflow_id = ?1 AND j.status <> 0 AND j.status IN (6, 7, 8) \
       UNION \
       SELECT d.job_id FROM below b JOIN job_depends_on d ON d.depends_on_job_id = b.id \
     ) \
     UPDATE job SET status = 0, start_time = NULL, compute_node_id = NULL, claim_token = NULL, \
       unblocking_processed = 0 \
     WHERE workflow_id = ?1 AND status NOT IN (0, 6, 7, 8, 10) AND id IN (SELECT id FROM below)",
);
const RESET_FAILED: Sql = Sql::new(
    "job.reset_failed",
    "UPDATE job SET status = 0, start_time = NULL, compute_node_id = NULL, claim_token = NULL, \
     unblocking_processed = 0 \
     WHERE workflow_id = ? AND status <> 0 AND status IN (6, 7, 8, 10)",
);
const RESET_DIRECT_DEPENDENTS: Sql = Sql::new(
    "job.reset_direct_dependents",
    "UPDATE job SET status = 0, start_time = NULL, compute_node_id = NULL, claim_token = NULL, \
     unblocking_processed = 0 \
     WHERE status IN (5, 6) AND id IN \
       (SELECT job_id FROM job_depends_on WHERE depends_on_job_id = ?)",
);
const ADD_FILE_DEPENDENCIES: Sql = Sql::new(
    "initialize.file_dependencies",
    "INSERT OR IGNORE INTO job_depends_on (job_id, depends_on_job_id, workflow_id) \
     SELECT i.job_id, o.job_id, i.workflow_id \
       FROM job_input_file i JOIN job_output_file o ON o.file_id = i.file_id \
      WHERE i.workflow_id = ? AND o.job_id <> i.job_id",
);
const ADD_DATA_DEPENDENCIES: Sql = Sql::new(
    "initialize.user_data_dependencies",
    "INSERT OR IGNORE INTO job_depends_on (job_id, depends_on_job_id, workflow_id) \
     SELECT i.job_id, o.job_id, u.workflow_id \
       FROM user_data u JOIN job_input_user_data i ON i.user_data_id = u.id \
       JOIN job_output_user_data o ON o.user_data_id = u.id \
      WHERE u.workflow_id = ? AND o.job_id <> i.job_id",
);
const RESET_BELOW_UNINITIALIZED: Sql = Sql::new(
    "initialize.below_uninitialized",
    "WITH RECURSIVE below (id) AS ( \
       SELECT id FROM job WHERE workflow_id = ?1 AND status = 0 \
       UNION \
       SELECT d.job_id FROM below b JOIN job_depends_on d ON d.depends_on_job_id = b.id \
     ) \
     UPDATE job SET status = 0, start_time = NULL, compute_node_id = NULL, claim_token = NULL, \
       unblocking_processed = 0 \
     WHERE workflow_id = ?1 AND id IN (SELECT id FROM below) \
       AND (status <> 0 OR start_time IS NOT NULL OR compute_node_id IS NOT NULL)",
);
/// A terminated job becomes ready again, so what depends on it must wait.
const UNEND_TERMINATED: Sql = Sql::new(
    "initialize.unend_terminated",
    "UPDATE job SET status = 0, claim_token = NULL \
     WHERE workflow_id = ? AND status <> 0 AND status = 8",
);
/// Ended jobs that must run again because something before them must, however far.
const BLOCK_BELOW: Sql = Sql::new(
    "initialize.block_below",
    "WITH RECURSIVE below (id) AS ( \
       SELECT id FROM job \
        WHERE workflow_id = ?1 AND status <> 0 AND status BETWEEN 5 AND 8 AND blockers > 0 \
       UNION \
       SELECT d.job_id FROM below b JOIN job_depends_on d ON d.depends_on_job_id = b.id \
     ) \
     UPDATE job SET status = 1, claim_token = NULL, start_time = NULL, compute_node_id = NULL \
     WHERE workflow_id = ?1 AND status <> 1 AND id IN (SELECT id FROM below)",
);
const BLOCK_ALL: Sql = Sql::new(
    "initialize.block_all",
    "UPDATE job SET status = 1, claim_token = NULL, start_time = NULL, compute_node_id = NULL \
     WHERE workflow_id = ? AND blockers > 0 AND status <> 1",
);
const BLOCK_UNINITIALIZED: Sql = Sql::new(
    "initialize.block_uninitialized",
    "UPDATE job SET status = 1 WHERE workflow_id = ? AND blockers > 0 AND status = 0",
);
/// Jobs that nothing has happened to, which is most of them when there are many.
const MAKE_FRESH_READY: Sql = Sql::new(
    "initialize.make_fresh_ready",
    "UPDATE job SET status = 2 WHERE workflow_id = ? AND status = 0 AND claim_token IS NULL \
     AND unblocking_processed = 0 AND start_time IS NULL AND compute_node_id IS NULL",
);
const MOVE_COUNT: Sql = Sql::new(
    "job_status_count.move",
    "INSERT INTO job_status_count (workflow_id, status, jobs) VALUES (?1, 0, -?2), (?1, 2, ?2) \
     ON CONFLICT (workflow_id, status) DO UPDATE SET jobs = jobs + excluded.jobs",
);
const MAKE_READY: Sql = Sql::new(
    "initialize.make_ready",
    "UPDATE job SET status = 2, claim_token = NULL, unblocking_processed = 0, \
     start_time = NULL, compute_node_id = NULL \
     WHERE workflow_id = ? AND status NOT IN (1, 2, 5, 6, 7, 9)",
);
const FORGET_RESULTS: Sql = Sql::new(
    "initialize.forget_results",
    "DELETE FROM workflow_result WHERE workflow_id = ? \
     AND (SELECT status FROM job WHERE id = job_id) NOT BETWEEN 5 AND 8",
);
const HAS_DEPENDENCIES: Sql = Sql::new(
    "initialize.has_dependencies",
    "SELECT EXISTS (SELECT 1 FROM job_depends_on WHERE workflow_id = ?)",
);
pub(super) const COUNTS: Sql = Sql::new(
    "job_status_count.of_workflow",
    "SELECT status, jobs FROM job_status_count WHERE workflow_id = ?",
);

/// Marks a pending job as running; says whether it was pending.
///
/// # Errors
///
/// What the database says.
pub fn start(
    tx: &WriteTx<'_>,
    job_id: i64,
    start_time: &str,
    compute_node_id: i64,
) -> Result<bool, StoreError> {
    Ok(tx.execute(START, params![job_id, start_time, compute_node_id])? > 0)
}

/// Marks a job as ended and forgets where it ran.
///
/// # Errors
///
/// What the database says.
pub fn end(tx: &WriteTx<'_>, job_id: i64, status: JobStatus) -> Result<(), StoreError> {
    tx.execute(END, params![job_id, status.code()])?;
    Ok(())
}

/// Sets a status and nothing else, but for the claim, which ends with it.
///
/// # Errors
///
/// What the database says.
pub fn set_status(tx: &WriteTx<'_>, job_id: i64, status: JobStatus) -> Result<(), StoreError> {
    tx.execute(SET_STATUS, params![job_id, status.code()])?;
    Ok(())
}

/// Makes a job ready for its next attempt.
///
/// # Errors
///
/// What the database says.
pub fn retry(tx: &WriteTx<'_>, job_id: i64) -> Result<(), StoreError> {
    tx.execute(RETRY, [job_id])?;
    Ok(())
}

/// Cancels the pending and running jobs of a workflow; answers how many.
///
/// # Errors
///
/// What the database says.
pub fn cancel_active(tx: &WriteTx<'_>, workflow_id: i64) -> Result<usize, StoreError> {
    tx.execute(CANCEL_ACTIVE, [workflow_id])
}

/// Makes every job uninitialized; answers how many were not.
///
/// # Errors
///
/// What the database says.
pub fn reset_all(tx: &WriteTx<'_>, workflow_id: i64) -> Result<usize, StoreError> {
    tx.execute(RESET_ALL, [workflow_id])
}

/// Makes jobs that ended badly uninitialized, with all that depends on them;
/// answers how many had ended badly.
///
/// # Errors
///
/// What the database says.
pub fn reset_failed(tx: &WriteTx<'_>, workflow_id: i64) -> Result<usize, StoreError> {
    tx.execute(RESET_BELOW_FAILED, [workflow_id])?;
    tx.execute(RESET_FAILED, [workflow_id])
}

/// Makes the completed and failed direct dependents of a job uninitialized.
///
/// # Errors
///
/// What the database says.
pub fn reset_direct_dependents(tx: &WriteTx<'_>, job_id: i64) -> Result<usize, StoreError> {
    tx.execute(RESET_DIRECT_DEPENDENTS, [job_id])
}

/// Adds the dependencies that files and user data cause.
///
/// # Errors
///
/// What the database says.
pub fn add_implicit_dependencies(tx: &WriteTx<'_>, workflow_id: i64) -> Result<(), StoreError> {
    tx.execute(ADD_FILE_DEPENDENCIES, [workflow_id])?;
    tx.execute(ADD_DATA_DEPENDENCIES, [workflow_id])?;
    Ok(())
}

/// Sets the statuses with which a run begins; answers how many jobs became ready.
///
/// # Errors
///
/// What the database says.
pub fn initialize(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    only_uninitialized: bool,
) -> Result<usize, StoreError> {
    let waiting = tx
        .one(HAS_DEPENDENCIES, [workflow_id], |row| row.get(0))?
        .unwrap_or(false);
    if only_uninitialized {
        tx.execute(RESET_BELOW_UNINITIALIZED, [workflow_id])?;
    } else {
        tx.execute(UNEND_TERMINATED, [workflow_id])?;
    }
    match (only_uninitialized, waiting) {
        (_, false) => {}
        (true, true) => {
            tx.execute(BLOCK_UNINITIALIZED, [workflow_id])?;
        }
        (false, true) => {
            tx.execute(BLOCK_BELOW, [workflow_id])?;
            tx.execute(BLOCK_ALL, [workflow_id])?;
        }
    }
    let ready = make_ready(tx, workflow_id)?;
    tx.execute(FORGET_RESULTS, [workflow_id])?;
    Ok(ready)
}

/// So many fresh jobs are worth a statement of their own. Turning triggers off and on
/// makes SQLite prepare every cached statement again, which takes some milliseconds.
const MANY_FRESH: i64 = 2_000;

fn make_ready(tx: &WriteTx<'_>, workflow_id: i64) -> Result<usize, StoreError> {
    let counted = counts(tx, workflow_id)?;
    let uninitialized = JobStatus::Uninitialized.code();
    let many = counted
        .iter()
        .any(|(status, jobs)| *status == uninitialized && *jobs >= MANY_FRESH);
    let mut ready = 0;
    if many {
        // One move of the count instead of two updates for each job. The other trigger on
        // a status has nothing to do: neither of the two ends a job.
        ready += tx.without_triggers(|| tx.execute(MAKE_FRESH_READY, [workflow_id]))?;
        tx.execute(MOVE_COUNT, params![workflow_id, ready as i64])?;
    }
    Ok(ready + tx.execute(MAKE_READY, [workflow_id])?)
}

/// How many jobs are in each status, by code; statuses without jobs may be absent.
///
/// # Errors
///
/// What the database says.
pub fn counts(tx: &WriteTx<'_>, workflow_id: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    tx.all(COUNTS, [workflow_id], |row| Ok((row.get(0)?, row.get(1)?)))
}
