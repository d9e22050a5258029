//! Relationships of jobs, files and user data: pages of joins, which no table holds.

use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::{ReadConn, StoreError};
use crate::wire::page::{Page, Paging};
use crate::wire::relationships::{
    JobDependencyModel, JobFileRelationshipModel, JobUserDataRelationshipModel,
    SlurmJobCorrelationModel,
};

/// A join over the rows of the workflow `?1`.
struct Join {
    /// What it selects, with the names by which it is sorted.
    columns: &'static [&'static str],
    /// From where, up to its condition.
    from: &'static str,
    /// How rows of equal keys follow one another: columns by their numbers.
    then: &'static str,
}

const DEPENDENCIES: Join = Join {
    columns: &[
        "d.job_id AS job_id",
        "j.name AS job_name",
        "d.depends_on_job_id AS depends_on_job_id",
        "b.name AS depends_on_job_name",
        "d.workflow_id AS workflow_id",
    ],
    from: "job_depends_on d JOIN job j ON j.id = d.job_id \
           JOIN job b ON b.id = d.depends_on_job_id WHERE d.workflow_id = ?1",
    then: "1, 3",
};
/// What nobody writes or reads stands in no relationship.
const FILES: Join = Join {
    columns: &[
        "f.id AS file_id",
        "f.name AS file_name",
        "f.path AS file_path",
        "p.id AS producer_job_id",
        "p.name AS producer_job_name",
        "c.id AS consumer_job_id",
        "c.name AS consumer_job_name",
        "f.workflow_id AS workflow_id",
    ],
    from: "file f LEFT JOIN job_output_file o ON o.file_id = f.id \
           LEFT JOIN job p ON p.id = o.job_id LEFT JOIN job_input_file i ON i.file_id = f.id \
           LEFT JOIN job c ON c.id = i.job_id WHERE f.workflow_id = ?1 \
           AND (o.job_id IS NOT NULL OR i.job_id IS NOT NULL)",
    then: "1, 4, 6",
};
const USER_DATA: Join = Join {
    columns: &[
        "u.id AS user_data_id",
        "u.name AS user_data_name",
        "p.id AS producer_job_id",
        "p.name AS producer_job_name",
        "c.id AS consumer_job_id",
        "c.name AS consumer_job_name",
        "u.workflow_id AS workflow_id",
    ],
    from: "user_data u LEFT JOIN job_output_user_data o ON o.user_data_id = u.id \
           LEFT JOIN job p ON p.id = o.job_id \
           LEFT JOIN job_input_user_data i ON i.user_data_id = u.id \
           LEFT JOIN job c ON c.id = i.job_id WHERE u.workflow_id = ?1 \
           AND (o.job_id IS NOT NULL OR i.job_id IS NOT NULL)",
    then: "1, 3, 5",
};
/// Through the allocation that a node says it belongs to, and the results of that node.
const SLURM: Join = Join {
    columns: &[
        "CAST(s.scheduler_id AS TEXT) AS slurm_job_id",
        "j.id AS job_id",
        "j.name AS job_name",
    ],
    from: "(SELECT DISTINCT s.scheduler_id, r.job_id FROM scheduled_compute_node s \
             JOIN compute_node n ON n.workflow_id = s.workflow_id AND s.id = \
               iif(json_valid(n.scheduler), json_extract(n.scheduler, '$.scheduler_id'), NULL) \
             JOIN result r ON r.compute_node_id = n.id \
            WHERE s.workflow_id = ?1 AND n.compute_node_type = 'slurm') s \
           JOIN job j ON j.id = s.job_id",
    then: "s.scheduler_id, 2",
};

/// The name of a column.
fn name(column: &str) -> &str {
    column.rsplit_once(" AS ").map_or(column, |(_, name)| name)
}

/// A page of a join, sorted by one of its names if it is asked for, else by `then`.
async fn page<T>(
    conn: &ReadConn,
    join: &Join,
    workflow_id: i64,
    paging: &Paging,
    read: impl Fn(&QueryResult) -> Result<T, sea_orm::DbErr>,
) -> Result<Page<T>, StoreError> {
    let backend = conn.get_database_backend();
    let (columns, from, then) = (join.columns.join(", "), join.from, join.then);
    let count = Statement::from_sql_and_values(
        backend,
        format!("SELECT count(*) FROM {from}"),
        [workflow_id.into()],
    );
    let total = conn.query_one_raw(count).await?;
    let total = total.map(|row| row.try_get_by_index(0)).transpose()?;
    let asked = paging.sort_by.as_deref();
    let place = asked.and_then(|by| join.columns.iter().position(|column| name(column) == by));
    let direction = if paging.reverse_sort { "DESC" } else { "ASC" };
    // The number of a column, never the caller's text.
    let order = match place {
        Some(place) => format!("{} {direction}, {then}", place + 1),
        None => then.replace(',', &format!(" {direction},")) + " " + direction,
    };
    let text = format!("SELECT {columns} FROM {from} ORDER BY {order} LIMIT ?2 OFFSET ?3");
    let values = [
        workflow_id.into(),
        paging.limit.into(),
        paging.offset.into(),
    ];
    let rows = conn.query_all_raw(Statement::from_sql_and_values(backend, text, values));
    let items = rows.await?.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page::new(items, paging.offset, total.unwrap_or(0)))
}

/// Which jobs wait for which.
///
/// # Errors
///
/// What the database says.
pub async fn job_dependencies(
    conn: &ReadConn,
    workflow_id: i64,
    paging: &Paging,
) -> Result<Page<JobDependencyModel>, StoreError> {
    page(conn, &DEPENDENCIES, workflow_id, paging, |row| {
        Ok(JobDependencyModel {
            job_id: row.try_get_by_index(0)?,
            job_name: row.try_get_by_index(1)?,
            depends_on_job_id: row.try_get_by_index(2)?,
            depends_on_job_name: row.try_get_by_index(3)?,
            workflow_id: row.try_get_by_index(4)?,
        })
    })
    .await
}

/// Which jobs write and read which files.
///
/// # Errors
///
/// What the database says.
pub async fn job_files(
    conn: &ReadConn,
    workflow_id: i64,
    paging: &Paging,
) -> Result<Page<JobFileRelationshipModel>, StoreError> {
    page(conn, &FILES, workflow_id, paging, |row| {
        Ok(JobFileRelationshipModel {
            file_id: row.try_get_by_index(0)?,
            file_name: row.try_get_by_index(1)?,
            file_path: row.try_get_by_index(2)?,
            producer_job_id: row.try_get_by_index(3)?,
            producer_job_name: row.try_get_by_index(4)?,
            consumer_job_id: row.try_get_by_index(5)?,
            consumer_job_name: row.try_get_by_index(6)?,
            workflow_id: row.try_get_by_index(7)?,
        })
    })
    .await
}

/// Which jobs write and read which user data.
///
/// # Errors
///
/// What the database says.
pub async fn job_user_data(
    conn: &ReadConn,
    workflow_id: i64,
    paging: &Paging,
) -> Result<Page<JobUserDataRelationshipModel>, StoreError> {
    page(conn, &USER_DATA, workflow_id, paging, |row| {
        Ok(JobUserDataRelationshipModel {
            user_data_id: row.try_get_by_index(0)?,
            user_data_name: row.try_get_by_index(1)?,
            producer_job_id: row.try_get_by_index(2)?,
            producer_job_name: row.try_get_by_index(3)?,
            consumer_job_id: row.try_get_by_index(4)?,
            consumer_job_name: row.try_get_by_index(5)?,
            workflow_id: row.try_get_by_index(6)?,
        })
    })
    .await
}

/// Which Slurm jobs ran which jobs.
///
/// # Errors
///
/// What the database says.
pub async fn slurm_jobs(
    conn: &ReadConn,
    workflow_id: i64,
    paging: &Paging,
) -> Result<Page<SlurmJobCorrelationModel>, StoreError> {
    page(conn, &SLURM, workflow_id, paging, |row| {
        Ok(SlurmJobCorrelationModel {
            slurm_job_id: row.try_get_by_index(0)?,
            job_id: row.try_get_by_index(1)?,
            job_name: row.try_get_by_index(2)?,
        })
    })
    .await
}
