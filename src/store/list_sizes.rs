//! How many rows a list may have, found out before they are read: from an index, without
//! looking at one of them.

use sea_orm::{ConnectionTrait, Statement};

use super::{ReadConn, StoreError};

/// What a list is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Compute nodes of a workflow.
    ComputeNodes,
    /// Events of a workflow.
    Events,
    /// Files of a workflow.
    Files,
    /// Jobs that wait, each with one that it waits for.
    JobDependencies,
    /// Jobs of a workflow.
    Jobs,
    /// Resource requirements of a workflow.
    ResourceRequirements,
    /// RO-Crate entities of a workflow.
    RoCrateEntities,
    /// Results of a workflow.
    Results,
    /// Jobs of a workflow that run.
    RunningJobs,
    /// Slurm statistics of a workflow.
    SlurmStats,
    /// User data of a workflow.
    UserData,
    /// All workflows.
    Workflows,
}

impl Listed {
    /// Counts rows of the workflow `?1`, up to `?2`.
    fn counted(self) -> &'static str {
        macro_rules! of {
            ($rows:literal) => {
                concat!("SELECT count(*) FROM (SELECT 1 FROM ", $rows, " LIMIT ?2)")
            };
        }
        match self {
            Self::ComputeNodes => of!("compute_node WHERE workflow_id = ?1"),
            Self::Events => of!("event WHERE workflow_id = ?1"),
            Self::Files => of!("file WHERE workflow_id = ?1"),
            Self::JobDependencies => of!("job_depends_on WHERE workflow_id = ?1"),
            Self::Jobs => of!("job WHERE workflow_id = ?1"),
            Self::ResourceRequirements => of!("resource_requirements WHERE workflow_id = ?1"),
            Self::Results => of!("result WHERE workflow_id = ?1"),
            Self::RoCrateEntities => of!("ro_crate_entity WHERE workflow_id = ?1"),
            Self::SlurmStats => of!("slurm_stats WHERE workflow_id = ?1"),
            Self::RunningJobs => of!("job WHERE workflow_id = ?1 AND status <> 0 AND status = 4"),
            Self::UserData => of!("user_data WHERE workflow_id = ?1"),
            // The number is no workflow's; it has to stand somewhere.
            Self::Workflows => of!("workflow WHERE ?1 = ?1"),
        }
    }
}

/// Rows that there are before any filter, `most` at most.
///
/// # Errors
///
/// What the database says.
pub async fn rows(
    conn: &ReadConn,
    listed: Listed,
    workflow_id: i64,
    most: i64,
) -> Result<i64, StoreError> {
    let values = [workflow_id.into(), most.into()];
    let backend = conn.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, listed.counted(), values);
    let row = conn.query_one_raw(statement).await?;
    let count = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count.unwrap_or(0))
}
