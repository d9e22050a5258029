//! Dependencies in a run: which blocked jobs may be decided, and what they waited for.

use rusqlite::params;

use super::sql::Sql;
use super::{StoreError, WriteTx};

pub(super) const DECIDABLE: Sql = Sql::new(
    "job.decidable",
    // By name: SQLite would rather read all blocked jobs.
    "SELECT id, cancel_on_blocking_job_failure FROM job INDEXED BY job_decidable \
     WHERE workflow_id = ? AND status = 1 AND blockers = 0",
);
pub(super) const FAILED_BLOCKER: Sql = Sql::new(
    "job.failed_blocker",
    "SELECT EXISTS (SELECT 1 FROM job_depends_on d JOIN job j ON j.id = d.depends_on_job_id \
      WHERE d.job_id = ?1 AND (j.status IN (7, 8) OR (j.status = 6 AND EXISTS \
        (SELECT 1 FROM result r WHERE r.job_id = j.id AND r.run_id = ?2 AND r.return_code <> 0))))",
);
pub(super) const UNPROCESSED: Sql = Sql::new(
    "job.unprocessed_workflows",
    "SELECT DISTINCT workflow_id FROM job \
     WHERE status BETWEEN 5 AND 8 AND unblocking_processed = 0",
);
pub(super) const UNPROCESSED_RESULTS: Sql = Sql::new(
    "job.unprocessed_results",
    "SELECT j.id, max(r.return_code <> 0) FROM job j INDEXED BY job_unprocessed \
       JOIN result r ON r.job_id = j.id AND r.run_id = ?2 \
      WHERE j.workflow_id = ?1 AND j.status BETWEEN 5 AND 8 AND j.unblocking_processed = 0 \
      GROUP BY j.id",
);
const MARK_PROCESSED: Sql = Sql::new(
    "job.mark_processed",
    "UPDATE job SET unblocking_processed = 1 WHERE id = ?",
);

/// The blocked jobs of a workflow that wait for nobody any more, and whether
/// each wants to be cancelled after a failure.
///
/// # Errors
///
/// What the database says.
pub fn decidable(tx: &WriteTx<'_>, workflow_id: i64) -> Result<Vec<(i64, bool)>, StoreError> {
    tx.all(DECIDABLE, [workflow_id], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}

/// Whether a job waited for one that was cancelled, terminated, or failed in
/// this run with a return code other than 0.
///
/// # Errors
///
/// What the database says.
pub fn failed_blocker(tx: &WriteTx<'_>, job_id: i64, run_id: i64) -> Result<bool, StoreError> {
    Ok(tx
        .one(FAILED_BLOCKER, params![job_id, run_id], |row| row.get(0))?
        .unwrap_or(false))
}

/// Workflows with ended jobs whose dependents nobody has looked at: Torc leaves
/// them to its timer, we only find them in a file that Torc wrote.
///
/// # Errors
///
/// What the database says.
pub fn unprocessed_workflows(tx: &WriteTx<'_>) -> Result<Vec<i64>, StoreError> {
    tx.all(UNPROCESSED, [], |row| row.get(0))
}

/// Those jobs of one workflow that have a result in the run, and whether it was a failure.
///
/// # Errors
///
/// What the database says.
pub fn unprocessed_results(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    run_id: i64,
) -> Result<Vec<(i64, bool)>, StoreError> {
    tx.all(UNPROCESSED_RESULTS, params![workflow_id, run_id], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}

/// Marks an ended job as looked at.
///
/// # Errors
///
/// What the database says.
pub fn mark_processed(tx: &WriteTx<'_>, job_id: i64) -> Result<(), StoreError> {
    tx.execute(MARK_PROCESSED, [job_id])?;
    Ok(())
}
