//! Changing a job: what may change depends on where it stands (contract, behaviour 7.9).

use super::jobs::{check_priority, check_requirements, link, stored};
use super::status_moves::move_one;
use super::{Engine, EngineError, Subject, labels};
use crate::store::job_links::{self, Links};
use crate::store::{Command, Effects, WriteTx, convert, jobs as rows, run_state};
use crate::wire::JobStatus;
use crate::wire::jobs::JobModel;

struct UpdateJob {
    id: i64,
    change: JobModel,
}

impl Command for UpdateJob {
    const NAME: &'static str = "update_job";
    type Reply = JobModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<JobModel, EngineError> {
        let mut row = stored(tx, self.id)?;
        let links = job_links::of(tx, self.id)?;
        let current = rows::to_wire(row.clone(), links)?;
        let change = self.change;
        let changed = changed_fields(&change, &current);
        check_fields(&changed, &change, &current)?;
        if let Some(priority) = change.priority {
            check_priority(priority, &change.name)?;
            row.priority = priority;
        }
        if let Some(given) = &change.labels {
            labels::check(given, &format!("job '{}'", change.name))?;
            row.labels = convert::labels_to_column(given);
        }
        row.name = change.name;
        row.command = change.command;
        // A model that was read and is sent back has 0 and "" for what is absent.
        if let Some(id) = change.scheduler_id {
            row.scheduler_id = Some(id).filter(|id| *id != 0);
        }
        if let Some(id) = change.resource_requirements_id {
            check_requirements(tx, row.workflow_id, id, &row.name)?;
            row.resource_requirements_id = Some(id);
        }
        if let Some(script) = change.invocation_script {
            row.invocation_script = Some(script).filter(|script| !script.is_empty());
        }
        if let Some(cancel) = change.cancel_on_blocking_job_failure {
            row.cancel_on_blocking_job_failure = cancel;
        }
        if let Some(supports) = change.supports_termination {
            row.supports_termination = supports;
        }
        rows::update(tx, &row)?;
        if changed.contains(&"depends_on_job_ids") {
            job_links::clear_dependencies(tx, self.id)?;
            let links = Links {
                depends_on: change.depends_on_job_ids.unwrap_or_default(),
                ..Links::default()
            };
            link(tx, row.workflow_id, self.id, &links, &row.name)?;
        }
        if changed.contains(&"status") {
            move_one(self.id, JobStatus::Disabled, || {
                run_state::set_status(tx, self.id, JobStatus::Disabled)
            })?;
        }
        let row = stored(tx, self.id)?;
        Ok(rows::to_wire(row, job_links::of(tx, self.id)?)?)
    }
}

/// The fields of `change` that are present and differ from the stored ones; id
/// lists are compared as sets.
fn changed_fields(change: &JobModel, current: &JobModel) -> Vec<&'static str> {
    let as_set = |list: &Option<Vec<i64>>| {
        let mut ids = list.clone().unwrap_or_default();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let lists = |given: &Option<Vec<i64>>, stored: &Option<Vec<i64>>| {
        given.is_some() && as_set(given) != as_set(stored)
    };
    let env = change
        .env
        .as_ref()
        .is_some_and(|env| *env != current.env.clone().unwrap_or_default());
    [
        ("name", change.name != current.name),
        ("command", change.command != current.command),
        ("env", env),
        (
            "status",
            change.status.is_some() && change.status != current.status,
        ),
        (
            "depends_on_job_ids",
            lists(&change.depends_on_job_ids, &current.depends_on_job_ids),
        ),
        (
            "input_file_ids",
            lists(&change.input_file_ids, &current.input_file_ids),
        ),
        (
            "output_file_ids",
            lists(&change.output_file_ids, &current.output_file_ids),
        ),
        (
            "input_user_data_ids",
            lists(&change.input_user_data_ids, &current.input_user_data_ids),
        ),
        (
            "output_user_data_ids",
            lists(&change.output_user_data_ids, &current.output_user_data_ids),
        ),
    ]
    .into_iter()
    .filter_map(|(field, changed)| changed.then_some(field))
    .collect()
}

fn check_fields(
    changed: &[&'static str],
    change: &JobModel,
    current: &JobModel,
) -> Result<(), EngineError> {
    if current.status != Some(JobStatus::Uninitialized) {
        if changed.is_empty() {
            return Ok(());
        }
        let status = current.status.map_or("unknown", JobStatus::as_str);
        return Err(EngineError::invalid(format!(
            "Cannot modify {} of a job with status '{status}': these fields may change only \
             while the job is uninitialized",
            changed.join(", ")
        )));
    }
    for field in changed {
        match *field {
            "name" | "command" | "depends_on_job_ids" => {}
            "status" if change.status == Some(JobStatus::Disabled) => {}
            "status" => {
                return Err(EngineError::invalid(
                    "Cannot update job status - this field is immutable after job creation \
                     (except to Disabled)",
                ));
            }
            fixed => {
                return Err(EngineError::invalid(format!(
                    "Cannot update {fixed} - this field is immutable after job creation"
                )));
            }
        }
    }
    Ok(())
}

impl Engine {
    /// Changes a job; absent fields stay.
    ///
    /// # Errors
    ///
    /// An unknown job, or a change that its status forbids.
    #[tracing::instrument(level = "debug", skip_all, fields(job_id = id))]
    pub async fn update_job(&self, id: i64, change: JobModel) -> Result<JobModel, EngineError> {
        self.may_use(Subject::Row("job", id)).await?;
        self.submit(UpdateJob { id, change }).await
    }
}
