//! What a job waits for, reads and writes: the five link tables.

use std::collections::HashMap;

use rusqlite::params;
use sea_orm::{ConnectionTrait, Statement};

use super::convert::to_json;
use super::sql::Sql;
use super::{ReadConn, StoreError, WriteTx};
use crate::wire::jobs::JobModel;

/// The five id lists of a job, each ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Jobs it waits for.
    pub depends_on: Vec<i64>,
    /// Files it reads.
    pub input_files: Vec<i64>,
    /// Files it writes.
    pub output_files: Vec<i64>,
    /// User data it reads.
    pub input_user_data: Vec<i64>,
    /// User data it writes.
    pub output_user_data: Vec<i64>,
}

impl Links {
    /// Puts the lists into a model; empty ones stay absent.
    pub fn fill(self, model: &mut JobModel) {
        let some = |list: Vec<i64>| (!list.is_empty()).then_some(list);
        model.depends_on_job_ids = some(self.depends_on);
        model.input_file_ids = some(self.input_files);
        model.output_file_ids = some(self.output_files);
        model.input_user_data_ids = some(self.input_user_data);
        model.output_user_data_ids = some(self.output_user_data);
    }

    /// Adds a link to the list with this number in the queries below.
    fn push(&mut self, list: i64, other: i64) {
        match list {
            0 => self.depends_on.push(other),
            1 => self.input_files.push(other),
            2 => self.output_files.push(other),
            3 => self.input_user_data.push(other),
            _ => self.output_user_data.push(other),
        }
    }
}

// One statement for the five tables, with the number of the list in each row: to ask costs
// more than to answer, since most jobs have few links. Each part is in the order of its
// primary key.
const OF_JOB: Sql = Sql::new(
    "job_links.of_job",
    "SELECT 0, depends_on_job_id FROM job_depends_on WHERE job_id = ?1 \
     UNION ALL SELECT 1, file_id FROM job_input_file WHERE job_id = ?1 \
     UNION ALL SELECT 2, file_id FROM job_output_file WHERE job_id = ?1 \
     UNION ALL SELECT 3, user_data_id FROM job_input_user_data WHERE job_id = ?1 \
     UNION ALL SELECT 4, user_data_id FROM job_output_user_data WHERE job_id = ?1",
);
/// For the jobs of a JSON array: whose link it is, the list, the other end.
const OF_JOBS: &str = "WITH of (job) AS MATERIALIZED (SELECT value FROM json_each(?1)) \
     SELECT job, 0, depends_on_job_id FROM of CROSS JOIN job_depends_on ON job_id = job \
     UNION ALL SELECT job, 1, file_id FROM of CROSS JOIN job_input_file ON job_id = job \
     UNION ALL SELECT job, 2, file_id FROM of CROSS JOIN job_output_file ON job_id = job \
     UNION ALL SELECT job, 3, user_data_id \
       FROM of CROSS JOIN job_input_user_data ON job_id = job \
     UNION ALL SELECT job, 4, user_data_id \
       FROM of CROSS JOIN job_output_user_data ON job_id = job";
const OUTPUTS_OF_JOBS: Sql = Sql::new(
    "job_links.outputs_of_jobs",
    "WITH of (job) AS MATERIALIZED (SELECT value FROM json_each(?1)) \
     SELECT job, 2, file_id FROM of CROSS JOIN job_output_file ON job_id = job \
     UNION ALL SELECT job, 4, user_data_id \
       FROM of CROSS JOIN job_output_user_data ON job_id = job",
);
// The links below go in only where both ends are of one workflow: the row count says which did.
const ADD_DEPENDENCY: Sql = Sql::new(
    "job_depends_on.insert",
    "INSERT OR IGNORE INTO job_depends_on (job_id, depends_on_job_id, workflow_id) \
     SELECT ?1, id, workflow_id FROM job WHERE id = ?2 AND workflow_id = ?3",
);
const ADD_INPUT_FILE: Sql = Sql::new(
    "job_input_file.insert",
    "INSERT OR IGNORE INTO job_input_file (job_id, file_id, workflow_id) \
     SELECT ?1, id, workflow_id FROM file WHERE id = ?2 AND workflow_id = ?3",
);
const ADD_OUTPUT_FILE: Sql = Sql::new(
    "job_output_file.insert",
    "INSERT OR IGNORE INTO job_output_file (job_id, file_id, workflow_id) \
     SELECT ?1, id, workflow_id FROM file WHERE id = ?2 AND workflow_id = ?3",
);
const ADD_INPUT_DATA: Sql = Sql::new(
    "job_input_user_data.insert",
    "INSERT OR IGNORE INTO job_input_user_data (job_id, user_data_id) \
     SELECT ?1, id FROM user_data WHERE id = ?2 AND workflow_id = ?3",
);
const ADD_OUTPUT_DATA: Sql = Sql::new(
    "job_output_user_data.insert",
    "INSERT OR IGNORE INTO job_output_user_data (job_id, user_data_id) \
     SELECT ?1, id FROM user_data WHERE id = ?2 AND workflow_id = ?3",
);
const CLEAR_DEPENDENCIES: Sql = Sql::new(
    "job_depends_on.clear",
    "DELETE FROM job_depends_on WHERE job_id = ?",
);

/// All links of a job.
///
/// # Errors
///
/// What the database says.
pub fn of(tx: &WriteTx<'_>, job_id: i64) -> Result<Links, StoreError> {
    let mut links = Links::default();
    for (list, other) in tx.all(OF_JOB, [job_id], |row| Ok((row.get(0)?, row.get(1)?)))? {
        links.push(list, other);
    }
    Ok(links)
}

/// What jobs write, which is what a claim shows; jobs that write nothing may be absent.
///
/// # Errors
///
/// What the database says.
pub fn outputs(tx: &WriteTx<'_>, jobs: &[i64]) -> Result<HashMap<i64, Links>, StoreError> {
    let ids = to_json("job ids", Some(&jobs))?;
    let mut all: HashMap<i64, Links> = HashMap::new();
    let found: Vec<(i64, i64, i64)> = tx.all(OUTPUTS_OF_JOBS, [ids], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    for (job, list, other) in found {
        all.entry(job).or_default().push(list, other);
    }
    Ok(all)
}

/// Adds links to a job of a workflow. Answers the first one whose other end is
/// not in that workflow, as what it is and its id; nothing more is added then.
///
/// # Errors
///
/// What the database says.
pub fn add(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    job_id: i64,
    links: &Links,
) -> Result<Option<(&'static str, i64)>, StoreError> {
    let lists: [(&'static str, Sql, &[i64]); 5] = [
        ("job", ADD_DEPENDENCY, &links.depends_on),
        ("file", ADD_INPUT_FILE, &links.input_files),
        ("file", ADD_OUTPUT_FILE, &links.output_files),
        ("user data", ADD_INPUT_DATA, &links.input_user_data),
        ("user data", ADD_OUTPUT_DATA, &links.output_user_data),
    ];
    for (what, sql, ids) in lists {
        // A repeated id is one link, and must not look like a missing row.
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            if tx.execute(sql, params![job_id, id, workflow_id])? == 0 {
                return Ok(Some((what, id)));
            }
        }
    }
    Ok(None)
}

/// Removes what a job waits for.
///
/// # Errors
///
/// What the database says.
pub fn clear_dependencies(tx: &WriteTx<'_>, job_id: i64) -> Result<(), StoreError> {
    tx.execute(CLEAR_DEPENDENCIES, [job_id])?;
    Ok(())
}

/// The links of many jobs, for readers; jobs without links may be absent.
///
/// # Errors
///
/// What the database says.
pub async fn read(conn: &ReadConn, jobs: &[i64]) -> Result<HashMap<i64, Links>, StoreError> {
    let ids = to_json("job ids", Some(&jobs))?;
    let statement =
        Statement::from_sql_and_values(conn.get_database_backend(), OF_JOBS, [ids.into()]);
    let mut all: HashMap<i64, Links> = HashMap::new();
    for row in conn.query_all_raw(statement).await? {
        let job: i64 = row.try_get_by_index(0)?;
        let (list, other) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        all.entry(job).or_default().push(list, other);
    }
    Ok(all)
}
