//! New jobs: only what a request can say of one, so that 100,000 are soon stored.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rusqlite::params;

use super::bulk::BulkInsert;
use super::convert::{labels_to_column, to_json};
use super::sql::Sql;
use super::{StoreError, WriteTx};
use crate::wire::jobs::JobModel;

/// Jobs that are made ready for the database at a time: they stay in the processor's cache.
const CHUNK: usize = 500;

/// From so many jobs on they are counted together and not by the trigger, one by one. To
/// turn that off and on costs a few milliseconds.
const MANY: usize = 2_000;

const COUNT_NEW: Sql = Sql::new(
    "job_status_count.add_new",
    "INSERT INTO job_status_count (workflow_id, status, jobs) VALUES (?1, 0, ?2) \
     ON CONFLICT (workflow_id, status) DO UPDATE SET jobs = jobs + ?2",
);

/// What a request says of a new job, as its columns hold it.
struct NewJob<'m> {
    model: &'m JobModel,
    cancel_on_blocking_job_failure: bool,
    supports_termination: bool,
    invocation_script: Option<&'m str>,
    scheduler_id: Option<i64>,
    schedule_compute_nodes: Option<String>,
    failure_handler_id: Option<i64>,
    priority: i64,
    env: Option<String>,
    labels: Option<String>,
}

/// Uninitialized, never looked at by the sweep, in the first attempt.
static INSERT: LazyLock<BulkInsert<13>> = LazyLock::new(|| {
    BulkInsert::new(
        "job.insert",
        "INSERT INTO job (workflow_id, name, command, cancel_on_blocking_job_failure, \
         supports_termination, resource_requirements_id, invocation_script, scheduler_id, \
         schedule_compute_nodes, failure_handler_id, priority, env, labels, \
         status, unblocking_processed, attempt_id)",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 1)",
        "",
    )
});

impl<'m> NewJob<'m> {
    fn of(model: &'m JobModel) -> Result<Self, StoreError> {
        Ok(Self {
            model,
            cancel_on_blocking_job_failure: model.cancel_on_blocking_job_failure.unwrap_or(true),
            supports_termination: model.supports_termination.unwrap_or(false),
            // 0 and "" are how an absent one is shown.
            invocation_script: model.invocation_script.as_deref().filter(|s| !s.is_empty()),
            scheduler_id: model.scheduler_id.filter(|id| *id != 0),
            schedule_compute_nodes: to_json(
                "job.schedule_compute_nodes",
                model.schedule_compute_nodes.as_ref(),
            )?,
            failure_handler_id: model.failure_handler_id.filter(|id| *id != 0),
            priority: model.priority.unwrap_or(0),
            env: to_json("job.env", model.env.as_ref().filter(|env| !env.is_empty()))?,
            labels: labels_to_column(model.labels.as_deref().unwrap_or_default()),
        })
    }
}

/// Adds jobs without their links; answers the id of the first, after which the others
/// follow one by one: the key is `AUTOINCREMENT`, and nobody else writes meanwhile. Their
/// status is `uninitialized`, whatever the models say.
///
/// # Errors
///
/// What the database says; [`StoreError::Corrupt`] when a nested value has no JSON form.
pub fn insert(tx: &WriteTx<'_>, models: &[JobModel]) -> Result<i64, StoreError> {
    if models.len() < MANY {
        return insert_rows(tx, models);
    }
    // The only trigger on a new job counts it.
    let first = tx.without_triggers(|| insert_rows(tx, models))?;
    let mut new: BTreeMap<i64, i64> = BTreeMap::new();
    for model in models {
        *new.entry(model.workflow_id).or_default() += 1;
    }
    for (workflow_id, jobs) in new {
        tx.execute(COUNT_NEW, params![workflow_id, jobs])?;
    }
    Ok(first)
}

fn insert_rows(tx: &WriteTx<'_>, models: &[JobModel]) -> Result<i64, StoreError> {
    for models in models.chunks(CHUNK) {
        let rows = models
            .iter()
            .map(NewJob::of)
            .collect::<Result<Vec<_>, _>>()?;
        INSERT.run(tx, &rows, |job| {
            [
                &job.model.workflow_id,
                &job.model.name,
                &job.model.command,
                &job.cancel_on_blocking_job_failure,
                &job.supports_termination,
                &job.model.resource_requirements_id,
                &job.invocation_script,
                &job.scheduler_id,
                &job.schedule_compute_nodes,
                &job.failure_handler_id,
                &job.priority,
                &job.env,
                &job.labels,
            ]
        })?;
    }
    Ok(tx.last_id() - models.len() as i64 + 1)
}
