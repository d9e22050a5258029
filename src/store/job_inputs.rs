//! What the input hash of each job covers, and the hashes themselves: read in pages, so
//! that a workflow of a million jobs is not in memory at once.

use std::collections::HashMap;
use std::sync::LazyLock;

use rusqlite::params;

use super::bulk::BulkInsert;
use super::job_links::Links;
use super::sql::Sql;
use super::{StoreError, WriteTx};

/// What a job runs and what it runs on.
#[derive(Debug, Clone, Default)]
pub struct JobInputs {
    /// The job.
    pub id: i64,
    /// Its name, not part of the hash.
    pub name: String,
    /// What it runs.
    pub command: String,
    /// What goes before the command.
    pub invocation_script: Option<String>,
    /// Its environment as sorted JSON.
    pub env: Option<String>,
    /// What it waits for, reads and writes, ids ascending.
    pub links: Links,
    /// Its input user data, with the content.
    pub input_data: Vec<(i64, Option<String>)>,
}

const JOBS: Sql = Sql::new(
    "input_hash.jobs",
    "SELECT id, name, command, invocation_script, env FROM job \
     WHERE workflow_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
);
const DEPENDENCIES: Sql = Sql::new(
    "input_hash.dependencies",
    "SELECT job_id, depends_on_job_id FROM job_depends_on \
     WHERE job_id BETWEEN ?2 AND ?3 AND +workflow_id = ?1 ORDER BY 1, 2",
);
const INPUT_FILES: Sql = Sql::new(
    "input_hash.input_files",
    "SELECT job_id, file_id FROM job_input_file \
     WHERE job_id BETWEEN ?2 AND ?3 AND +workflow_id = ?1 ORDER BY 1, 2",
);
const OUTPUT_FILES: Sql = Sql::new(
    "input_hash.output_files",
    "SELECT job_id, file_id FROM job_output_file \
     WHERE job_id BETWEEN ?2 AND ?3 AND +workflow_id = ?1 ORDER BY 1, 2",
);
const INPUT_DATA: Sql = Sql::new(
    "input_hash.input_user_data",
    "SELECT l.job_id, u.id, u.data FROM job_input_user_data l CROSS JOIN user_data u \
       ON u.id = l.user_data_id \
     WHERE l.job_id BETWEEN ?2 AND ?3 AND +u.workflow_id = ?1 ORDER BY 1, 2",
);
const OUTPUT_DATA: Sql = Sql::new(
    "input_hash.output_user_data",
    "SELECT l.job_id, u.id FROM job_output_user_data l CROSS JOIN user_data u \
       ON u.id = l.user_data_id \
     WHERE l.job_id BETWEEN ?2 AND ?3 AND +u.workflow_id = ?1 ORDER BY 1, 2",
);
static STORE: LazyLock<BulkInsert<2>> = LazyLock::new(|| {
    BulkInsert::new(
        "job_internal.store",
        "INSERT INTO job_internal (job_id, input_hash)",
        "(?, ?)",
        "ON CONFLICT (job_id) DO UPDATE SET input_hash = excluded.input_hash",
    )
});
const STORED: Sql = Sql::new(
    "job_internal.between",
    "SELECT job_id, input_hash FROM job_internal WHERE job_id BETWEEN ?1 AND ?2",
);

/// Jobs of one page.
const PAGE: i64 = 5_000;

/// The inputs of the next jobs of a workflow after the id `after`, by id; empty after the
/// last. A query per table and page, not per job.
///
/// # Errors
///
/// What the database says.
pub fn page(tx: &WriteTx<'_>, workflow_id: i64, after: i64) -> Result<Vec<JobInputs>, StoreError> {
    let mut jobs = tx.all(JOBS, params![workflow_id, after, PAGE], |row| {
        Ok(JobInputs {
            id: row.get(0)?,
            name: row.get(1)?,
            command: row.get(2)?,
            invocation_script: row.get(3)?,
            env: row.get(4)?,
            ..JobInputs::default()
        })
    })?;
    let (Some(first), Some(last)) = (jobs.first(), jobs.last()) else {
        return Ok(jobs);
    };
    let range = [workflow_id, first.id, last.id];
    let at: HashMap<i64, usize> = jobs
        .iter()
        .enumerate()
        .map(|(at, job)| (job.id, at))
        .collect();
    type List = fn(&mut Links) -> &mut Vec<i64>;
    let lists: [(Sql, List); 4] = [
        (DEPENDENCIES, |links| &mut links.depends_on),
        (INPUT_FILES, |links| &mut links.input_files),
        (OUTPUT_FILES, |links| &mut links.output_files),
        (OUTPUT_DATA, |links| &mut links.output_user_data),
    ];
    for (sql, list) in lists {
        let pairs: Vec<(i64, i64)> = tx.all(sql, range, |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (job, other) in pairs {
            if let Some(job) = at.get(&job).and_then(|at| jobs.get_mut(*at)) {
                list(&mut job.links).push(other);
            }
        }
    }
    let data: Vec<(i64, i64, Option<String>)> = tx.all(INPUT_DATA, range, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    for (job, id, content) in data {
        if let Some(job) = at.get(&job).and_then(|at| jobs.get_mut(*at)) {
            job.links.input_user_data.push(id);
            job.input_data.push((id, content));
        }
    }
    Ok(jobs)
}

/// Stores hashes of jobs in place of those that they had.
///
/// # Errors
///
/// What the database says.
pub fn store_hashes(tx: &WriteTx<'_>, hashes: &[(i64, String)]) -> Result<(), StoreError> {
    STORE.run(tx, hashes, |(id, hash)| [id, hash])
}

/// The stored hashes of the jobs with ids from `first` to `last`.
///
/// # Errors
///
/// What the database says.
pub fn stored_hashes(
    tx: &WriteTx<'_>,
    first: i64,
    last: i64,
) -> Result<HashMap<i64, String>, StoreError> {
    Ok(tx
        .all(STORED, [first, last], |row| Ok((row.get(0)?, row.get(1)?)))?
        .into_iter()
        .collect())
}
