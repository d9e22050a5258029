//! A running job adds jobs that wait for it (contract, behaviour 7.10).
//!
//! Names make a call repeatable: where all of them exist, it was carried out before, and
//! the answer is the same again. Calls of one lineage are counted by their records, so that
//! a chain that never ends is stopped.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use super::job_runs::state_of;
use super::jobs::{self, link, stored};
use super::{Engine, EngineError, MANY, Subject, labels, weight};
use crate::store::job_links::Links;
use crate::store::{Command, Effects, WriteTx, convert, spawn_jobs as rows, workflows};
use crate::wire::JobStatus;
use crate::wire::jobs::JobModel;
use crate::wire::spawn_jobs::{SpawnJobModel, SpawnJobsRequest, SpawnJobsResponse};

/// Calls of a lineage that may add jobs, unless the workflow says otherwise.
const MOST_ITERATIONS: i64 = 1000;
/// By which spawned jobs know their lineage.
const LINEAGE: &str = "TORC_ORCHESTRATOR_LINEAGE_ID";

struct SpawnJobs {
    job_id: i64,
    request: SpawnJobsRequest,
}

impl Command for SpawnJobs {
    const NAME: &'static str = "spawn_jobs";
    type Reply = SpawnJobsResponse;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let caller = stored(tx, self.job_id)?;
        let status = convert::status(caller.status)?;
        if status != JobStatus::Running {
            return Err(EngineError::invalid(format!(
                "spawn_jobs requires the calling job to be Running (job_id={} is {}); spawned \
                 children blocked on an already-processed caller would never unblock",
                self.job_id,
                spelt(status)
            )));
        }
        let (workflow_id, request) = (caller.workflow_id, self.request);
        // The workflow must be there; its run does not matter.
        state_of(tx, workflow_id)?;
        let lineage = request.lineage.unwrap_or(caller.name);
        let iteration = rows::generation(tx, workflow_id, &lineage)?;
        if request.jobs.is_empty() {
            if let Some(state) = request.state {
                let data = json!({
                    "generation": iteration, "spawn_count": 0, "final": true, "state": state,
                });
                rows::record_end(tx, workflow_id, &lineage, data)?;
            }
            return Ok(SpawnJobsResponse {
                spawned_job_ids: Vec::new(),
                iteration,
            });
        }
        if let Some(spawned_job_ids) = replayed(tx, workflow_id, &request.jobs)? {
            return Ok(SpawnJobsResponse {
                spawned_job_ids,
                iteration,
            });
        }
        let iteration = next(tx, workflow_id, &lineage, iteration)?;
        let spawned_job_ids = spawn(tx, workflow_id, self.job_id, &lineage, request.jobs)?;
        let data = json!({
            "generation": iteration,
            "spawn_count": spawned_job_ids.len(),
            "state": request.state,
        });
        rows::record_generation(tx, workflow_id, &lineage, iteration, data)?;
        Ok(SpawnJobsResponse {
            spawned_job_ids,
            iteration,
        })
    }

    fn bytes(&self) -> usize {
        let jobs = self.request.jobs.iter();
        let jobs = jobs.map(|job| size_of::<SpawnJobModel>() + job.name.len() + job.command.len());
        jobs.sum::<usize>() + self.request.state.as_ref().map_or(0, weight::of_json)
    }

    fn alone(&self) -> bool {
        self.request.jobs.len() > MANY
    }
}

/// A status as the contract's refusal has it.
fn spelt(status: JobStatus) -> String {
    let words = status.as_str().split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

/// Refuses what can be seen to be wrong without the database.
fn check(jobs: &[SpawnJobModel]) -> Result<(), EngineError> {
    let mut names = HashSet::new();
    for job in jobs {
        if !names.insert(job.name.as_str()) {
            return Err(EngineError::invalid(format!(
                "Duplicate job name '{}' in spawn_jobs request",
                job.name
            )));
        }
        if job.priority.is_some_and(|priority| priority < 0) {
            return Err(EngineError::invalid(format!(
                "priority must be >= 0 for spawn job '{}'",
                job.name
            )));
        }
        let given = job.labels.as_deref().unwrap_or_default();
        labels::check(given, &format!("spawn job '{}'", job.name))?;
    }
    if let Some(job) = on_a_circle(jobs) {
        return Err(EngineError::invalid(format!(
            "spawn job '{job}' waits for itself, through the jobs that it depends on"
        )));
    }
    Ok(())
}

/// A job of the request that waits for itself.
fn on_a_circle(jobs: &[SpawnJobModel]) -> Option<&str> {
    let mut waits: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut before: HashMap<&str, Vec<&str>> = HashMap::new();
    let names: HashSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    for job in jobs {
        let siblings = job.depends_on.iter().flatten().map(String::as_str);
        let siblings: HashSet<&str> = siblings.filter(|name| names.contains(name)).collect();
        for other in &siblings {
            before.entry(other).or_default().push(&job.name);
        }
        waits.insert(&job.name, siblings);
    }
    let mut free: Vec<&str> = names
        .into_iter()
        .filter(|name| waits[name].is_empty())
        .collect();
    while let Some(name) = free.pop() {
        waits.remove(name);
        for after in before.get(name).into_iter().flatten() {
            if let Some(left) = waits.get_mut(after)
                && left.remove(name)
                && left.is_empty()
            {
                free.push(after);
            }
        }
    }
    jobs.iter()
        .map(|job| job.name.as_str())
        .find(|name| waits.contains_key(name))
}

/// The ids of the jobs, if all of them were spawned before.
fn replayed(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    jobs: &[SpawnJobModel],
) -> Result<Option<Vec<i64>>, EngineError> {
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    let known = rows::jobs_named(tx, workflow_id, &names)?;
    match names.iter().find(|name| !known.contains_key(**name)) {
        None => Ok(Some(names.iter().map(|name| known[*name]).collect())),
        Some(_) if known.is_empty() => Ok(None),
        Some(new) => {
            let old = names.iter().find(|name| known.contains_key(**name));
            Err(EngineError::invalid(format!(
                "Inconsistent replay: job '{}' exists already and '{new}' does not; a spawn_jobs \
                 call is carried out as a whole or repeated as a whole",
                old.unwrap_or(new)
            )))
        }
    }
}

/// The number of the next call of a lineage.
fn next(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    lineage: &str,
    iteration: i64,
) -> Result<i64, EngineError> {
    let workflow = workflows::get(tx, workflow_id)?
        .ok_or_else(|| EngineError::not_found("Workflow", workflow_id))?;
    let most = workflow
        .dynamic_jobs
        .and_then(|config| config.max_iterations)
        .unwrap_or(MOST_ITERATIONS);
    if iteration >= most {
        return Err(EngineError::invalid(format!(
            "lineage '{lineage}' has reached its cap of {most} iterations; \
             dynamic_jobs.max_iterations of the workflow raises it"
        )));
    }
    Ok(iteration + 1)
}

/// Stores the jobs, blocked by what they name and by their caller.
fn spawn(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    caller: i64,
    lineage: &str,
    jobs: Vec<SpawnJobModel>,
) -> Result<Vec<i64>, EngineError> {
    let needs: Vec<&str> = jobs
        .iter()
        .filter_map(|job| job.resource_requirements.as_deref())
        .collect();
    let needs = rows::requirements_named(tx, workflow_id, &needs)?;
    let depends_on: Vec<&str> = jobs
        .iter()
        .flat_map(|job| job.depends_on.iter().flatten())
        .map(String::as_str)
        .collect();
    let mut known = rows::jobs_named(tx, workflow_id, &depends_on)?;
    let mut models = Vec::with_capacity(jobs.len());
    for job in &jobs {
        let requirements = match &job.resource_requirements {
            None => None,
            Some(name) => Some(*needs.get(name).ok_or_else(|| {
                EngineError::invalid(format!(
                    "Unknown resource_requirements '{name}' for spawn job '{}'",
                    job.name
                ))
            })?),
        };
        models.push(model(workflow_id, lineage, job, requirements));
    }
    jobs::create(tx, workflow_id, &mut models)?;
    let ids: Vec<i64> = models.iter().filter_map(|model| model.id).collect();
    for (id, job) in ids.iter().zip(&jobs) {
        known.insert(job.name.clone(), *id);
    }
    for (id, job) in ids.iter().zip(&jobs) {
        let mut depends_on = vec![caller];
        for name in job.depends_on.iter().flatten() {
            let other = known.get(name).ok_or_else(|| {
                EngineError::invalid(format!(
                    "spawn job '{}' depends on '{name}', which is no job of the workflow or of \
                     the request",
                    job.name
                ))
            })?;
            depends_on.push(*other);
        }
        depends_on.sort_unstable();
        depends_on.dedup();
        let links = Links {
            depends_on,
            ..Links::default()
        };
        rows::mark(tx, *id)?;
        link(tx, workflow_id, *id, &links, &job.name)?;
    }
    Ok(ids)
}

fn model(
    workflow_id: i64,
    lineage: &str,
    job: &SpawnJobModel,
    resource_requirements_id: Option<i64>,
) -> JobModel {
    JobModel {
        workflow_id,
        name: job.name.clone(),
        command: job.command.clone(),
        cancel_on_blocking_job_failure: job.cancel_on_blocking_job_failure,
        env: Some(BTreeMap::from([(LINEAGE.to_owned(), lineage.to_owned())])),
        labels: job.labels.clone(),
        priority: job.priority,
        resource_requirements_id,
        ..JobModel::default()
    }
}

impl Engine {
    /// Adds jobs to the workflow of a running job, which wait for it.
    ///
    /// # Errors
    ///
    /// An unknown job, one that does not run, names that are used twice or only in part
    /// known, a circle, what is unknown or cannot be, a lineage at its cap.
    #[tracing::instrument(level = "debug", skip(self, request), fields(jobs = request.jobs.len()))]
    pub async fn spawn_jobs(
        &self,
        job_id: i64,
        request: SpawnJobsRequest,
    ) -> Result<SpawnJobsResponse, EngineError> {
        self.may_use(Subject::Row("job", job_id)).await?;
        check(&request.jobs)?;
        self.submit(SpawnJobs { job_id, request }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, depends_on: &[&str]) -> SpawnJobModel {
        SpawnJobModel {
            name: name.to_owned(),
            command: "true".to_owned(),
            resource_requirements: None,
            priority: None,
            cancel_on_blocking_job_failure: None,
            depends_on: Some(depends_on.iter().map(|name| (*name).to_owned()).collect()),
            labels: None,
        }
    }

    #[test]
    fn circles_are_found() {
        let line = [job("c", &["b"]), job("a", &["elsewhere"]), job("b", &["a"])];
        assert_eq!(on_a_circle(&line), None);
        let own = [job("a", &[]), job("b", &["b"])];
        assert_eq!(on_a_circle(&own), Some("b"));
        let circle = [
            job("x", &[]),
            job("a", &["c", "x"]),
            job("b", &["a"]),
            job("c", &["b"]),
        ];
        assert_eq!(on_a_circle(&circle), Some("a"));
        let twice = [job("a", &[]), job("b", &["a", "a"])];
        assert_eq!(on_a_circle(&twice), None);
    }

    #[test]
    fn statuses_are_spelt_as_torc_does() {
        assert_eq!(spelt(JobStatus::Blocked), "Blocked");
        assert_eq!(spelt(JobStatus::PendingFailed), "PendingFailed");
    }
}
