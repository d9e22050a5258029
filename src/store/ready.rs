//! The ready queue: ready jobs in groups of equal priority, needs, scheduler and labels.
//!
//! A partial index holds ready jobs alone, in the order of these groups, so a
//! claim steps from group to group and then takes the first ids of those it
//! wants: its cost is the number of groups plus the number of jobs it takes.

use rusqlite::params;
use sea_orm::{ConnectionTrait, Statement};

use super::convert::labels_from_column;
use super::jobs::JobRow;
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx, rows};

/// Ready jobs that differ in nothing a claim looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Claimed earlier when higher.
    pub priority: i64,
    /// The rest of the group's key, as the index has it.
    pub key: String,
    /// What its jobs need; a group without is never claimed by resources.
    pub resource_requirements_id: Option<i64>,
    /// The scheduler configuration its jobs are meant for.
    pub scheduler_id: Option<i64>,
    /// Labels a worker must have.
    pub labels: Vec<String>,
}

/// What the jobs of a group need of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeedsRow {
    /// CPUs.
    pub num_cpus: i64,
    /// GPUs.
    pub num_gpus: i64,
    /// Nodes.
    pub num_nodes: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Runtime in seconds.
    pub runtime_s: i64,
}

// Partial indexes are used only where the condition stands literally in the query.
// A row value, `(priority, claim_group) < (?, ?)`, would walk through the whole
// group it starts in; equality and one range each find the next group at once.
pub(super) const FIRST_GROUP: Sql = Sql::new(
    "ready.first_group",
    "SELECT priority, claim_group, resource_requirements_id, scheduler_id, labels FROM job \
     WHERE workflow_id = ?1 AND status = 2 \
     ORDER BY priority DESC, claim_group DESC LIMIT 1",
);
pub(super) const NEXT_OF_PRIORITY: Sql = Sql::new(
    "ready.next_of_priority",
    "SELECT priority, claim_group, resource_requirements_id, scheduler_id, labels FROM job \
     WHERE workflow_id = ?1 AND status = 2 AND priority = ?2 AND claim_group < ?3 \
     ORDER BY claim_group DESC LIMIT 1",
);
pub(super) const NEXT_PRIORITY: Sql = Sql::new(
    "ready.next_priority",
    "SELECT priority, claim_group, resource_requirements_id, scheduler_id, labels FROM job \
     WHERE workflow_id = ?1 AND status = 2 AND priority < ?2 \
     ORDER BY priority DESC, claim_group DESC LIMIT 1",
);
pub(super) const FIRST_IDS: Sql = Sql::new(
    "ready.first_ids",
    "SELECT id FROM job WHERE workflow_id = ?1 AND status = 2 AND priority = ?2 \
     AND claim_group = ?3 ORDER BY id LIMIT ?4",
);
pub(super) const CLAIM: Sql = Sql::new(
    "ready.claim",
    "UPDATE job SET status = 3, claim_token = ?2 WHERE id = ?1",
);
pub(super) const CLAIMED_WITH: Sql = Sql::new(
    "ready.claimed_with",
    // The plus keeps SQLite from reading all pending jobs of the workflow instead.
    "SELECT id FROM job WHERE claim_token = ?1 AND +workflow_id = ?2 ORDER BY id",
);
pub(super) const NEEDS: Sql = Sql::new(
    "resource_requirements.needs",
    "SELECT num_cpus, num_gpus, num_nodes, memory_bytes, runtime_s \
     FROM resource_requirements WHERE id = ?",
);
// `total` cannot overflow as `sum` does; the cast saturates.
const SUMMARY: &str = "SELECT count(*), cast(total(r.num_cpus) AS INTEGER), \
     cast(total(r.num_gpus) AS INTEGER), cast(total(r.memory_bytes) AS INTEGER), \
     coalesce(max(r.num_nodes), 0), coalesce(max(r.runtime_s), 0) \
     FROM job j JOIN resource_requirements r ON r.id = j.resource_requirements_id \
     WHERE j.workflow_id = ?1 AND j.status = 2 AND (?2 IS NULL OR j.scheduler_id = ?2)";

/// The groups of the highest priority below `bound` (of the highest at all without one)
/// that have a ready job now; none when there is no such priority.
///
/// # Errors
///
/// What the database says.
pub fn groups(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    bound: Option<i64>,
) -> Result<Vec<Group>, StoreError> {
    let mut found: Vec<Group> = Vec::new();
    let mut next = match bound {
        None => tx.one(FIRST_GROUP, params![workflow_id], group)?,
        Some(bound) => tx.one(NEXT_PRIORITY, params![workflow_id, bound], group)?,
    };
    while let Some((mut one, labels)) = next {
        one.labels = labels_from_column(labels.as_deref())?;
        let after = params![workflow_id, one.priority, one.key];
        next = tx.one(NEXT_OF_PRIORITY, after, group)?;
        found.push(one);
    }
    Ok(found)
}

/// A group as the three queries above select it, its labels still in their column's form.
fn group(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Group, Option<String>)> {
    let group = Group {
        priority: row.get(0)?,
        key: row.get(1)?,
        resource_requirements_id: row.get(2)?,
        scheduler_id: row.get(3)?,
        labels: Vec::new(),
    };
    Ok((group, row.get(4)?))
}

/// The first `limit` ids of a group, ascending.
///
/// # Errors
///
/// What the database says.
pub fn first_ids(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    group: &Group,
    limit: i64,
) -> Result<Vec<i64>, StoreError> {
    tx.all(
        FIRST_IDS,
        params![workflow_id, group.priority, group.key, limit],
        |row| row.get(0),
    )
}

/// Makes a ready job pending, under the claimer's token where it gave one, and answers it.
///
/// # Errors
///
/// What the database says.
pub fn claim(
    tx: &WriteTx<'_>,
    job_id: i64,
    token: Option<&str>,
) -> Result<Option<JobRow>, StoreError> {
    tx.execute(CLAIM, params![job_id, token])?;
    rows::get(tx, job_id)
}

/// The jobs that were claimed under this token and are still the claimer's: pending, or
/// started since.
///
/// # Errors
///
/// What the database says.
pub fn claimed_with(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    token: &str,
) -> Result<Vec<JobRow>, StoreError> {
    let ids: Vec<i64> = tx.all(CLAIMED_WITH, params![token, workflow_id], |row| row.get(0))?;
    let mut claimed = Vec::with_capacity(ids.len());
    for id in ids {
        claimed.extend(rows::get(tx, id)?);
    }
    Ok(claimed)
}

/// What a set of resource requirements says.
///
/// # Errors
///
/// What the database says.
pub fn needs(tx: &WriteTx<'_>, id: i64) -> Result<Option<NeedsRow>, StoreError> {
    tx.one(NEEDS, [id], |row| {
        Ok(NeedsRow {
            num_cpus: row.get(0)?,
            num_gpus: row.get(1)?,
            num_nodes: row.get(2)?,
            memory_bytes: row.get(3)?,
            runtime_s: row.get(4)?,
        })
    })
}

/// What all ready jobs of a workflow need together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Ready jobs.
    pub num_jobs: i64,
    /// CPUs, summed.
    pub num_cpus: i64,
    /// GPUs, summed.
    pub num_gpus: i64,
    /// Bytes of memory, summed.
    pub memory_bytes: i64,
    /// The most nodes.
    pub max_num_nodes: i64,
    /// The longest runtime in seconds.
    pub max_runtime_s: i64,
}

/// Sums up the ready jobs of a workflow, of one scheduler configuration or of all.
///
/// # Errors
///
/// What the database says.
pub async fn summary(
    conn: &ReadConn,
    workflow_id: i64,
    scheduler_id: Option<i64>,
) -> Result<Summary, StoreError> {
    let statement = Statement::from_sql_and_values(
        conn.get_database_backend(),
        SUMMARY,
        [workflow_id.into(), scheduler_id.into()],
    );
    let Some(row) = conn.query_one_raw(statement).await? else {
        return Ok(Summary::default());
    };
    Ok(Summary {
        num_jobs: row.try_get_by_index(0)?,
        num_cpus: row.try_get_by_index(1)?,
        num_gpus: row.try_get_by_index(2)?,
        memory_bytes: row.try_get_by_index(3)?,
        max_num_nodes: row.try_get_by_index(4)?,
        max_runtime_s: row.try_get_by_index(5)?,
    })
}
