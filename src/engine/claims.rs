//! Claims: a worker takes ready jobs, which become pending.

use std::cmp::Reverse;

use super::fit::{Offer, Pack};
use super::job_runs::{state_of, update_span};
use super::{Engine, EngineError, access, check_limit, labels};
use crate::store::jobs::{self as rows, JobRow};
use crate::store::ready::{self, Group, NeedsRow};
use crate::store::{Command, Effects, WriteTx, job_links};
use crate::wire::JobStatus;
use crate::wire::claims::{
    ClaimNextQuery, ClaimResponse, ComputeNodesResources, GetReadyJobRequirementsResponse,
};
use crate::wire::jobs::JobModel;
use crate::wire::units::parse_duration;

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

/// What the two ways of claiming share.
struct Claim {
    workflow_id: i64,
    limit: i64,
    labels: Vec<String>,
    /// Under which a repeated claim answers the same jobs.
    key: Option<String>,
}

impl Claim {
    /// The answer to a claim whose reply was lost, if this repeats one.
    fn repeated(&self, tx: &WriteTx<'_>) -> Result<Option<Vec<JobModel>>, EngineError> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let claimed = ready::claimed_with(tx, self.workflow_id, key)?;
        if claimed.is_empty() {
            return Ok(None);
        }
        let jobs = claimed.into_iter().map(|row| to_wire(tx, row));
        jobs.collect::<Result<_, _>>().map(Some)
    }

    /// Groups of ready jobs whose labels the worker serves.
    fn groups(&self, tx: &WriteTx<'_>) -> Result<Vec<Group>, EngineError> {
        let mut groups = ready::groups(tx, self.workflow_id)?;
        groups.retain(|group| labels::serves(&self.labels, &group.labels));
        Ok(groups)
    }

    /// Takes jobs of groups that rank alike, the smallest ids first, as long as
    /// `wanted` says yes; a no skips the rest of that job's group.
    fn take(
        &self,
        tx: &WriteTx<'_>,
        alike: &[&Group],
        taken: &mut Vec<JobModel>,
        mut wanted: impl FnMut(usize) -> bool,
    ) -> Result<(), EngineError> {
        let left = self.limit.saturating_sub(taken.len() as i64);
        let mut ids = Vec::new();
        for (at, group) in alike.iter().enumerate() {
            let first = ready::first_ids(tx, self.workflow_id, group, left)?;
            ids.extend(first.into_iter().map(|id| (id, at)));
        }
        ids.sort_unstable();
        let mut skipped = vec![false; alike.len()];
        for (id, at) in ids {
            if taken.len() as i64 >= self.limit {
                break;
            }
            if skipped[at] || !wanted(at) {
                // Alike jobs of one group need the same: what did not fit will not.
                skipped[at] = true;
                continue;
            }
            let _span = update_span(id, JobStatus::Pending).entered();
            if let Some(row) = ready::claim(tx, id, self.key.as_deref())? {
                taken.push(to_wire(tx, row)?);
            }
        }
        Ok(())
    }
}

/// A claimed job on the wire: what it writes, but not what it reads or waits for.
fn to_wire(tx: &WriteTx<'_>, row: JobRow) -> Result<JobModel, EngineError> {
    let id = row.id;
    let mut model = rows::to_wire_brief(row)?;
    model.scheduler_id = None;
    job_links::outputs(tx, id)?.fill(&mut model);
    Ok(model)
}

fn answer(jobs: Vec<JobModel>) -> ClaimResponse {
    ClaimResponse {
        jobs: Some(jobs),
        reason: None,
    }
}

struct ClaimNextJobs(Claim);

impl Command for ClaimNextJobs {
    const NAME: &'static str = "claim_next_jobs";
    type Reply = ClaimResponse;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<ClaimResponse, EngineError> {
        let claim = self.0;
        access::workflow(tx, claim.workflow_id)?;
        if state_of(tx, claim.workflow_id)?.is_canceled {
            return Ok(answer(Vec::new()));
        }
        if let Some(jobs) = claim.repeated(tx)? {
            return Ok(answer(jobs));
        }
        let _span = tracing::debug_span!(
            "prepare_ready_jobs",
            workflow_id = claim.workflow_id,
            limit = claim.limit
        )
        .entered();
        let mut groups = claim.groups(tx)?;
        groups.sort_by_key(|group| Reverse(group.priority));
        let mut taken = Vec::new();
        for alike in groups.chunk_by(|a, b| a.priority == b.priority) {
            if taken.len() as i64 >= claim.limit {
                break;
            }
            claim.take(tx, &alike.iter().collect::<Vec<_>>(), &mut taken, |_| true)?;
        }
        Ok(answer(taken))
    }
}

struct ClaimJobsBasedOnResources {
    claim: Claim,
    offer: Offer,
    scheduler_config_id: Option<i64>,
    strict_scheduler_match: bool,
}

impl ClaimJobsBasedOnResources {
    /// Groups that fit on the worker, in the order of the contract. Those of
    /// another scheduler count only where there are no others.
    fn candidates(&self, tx: &WriteTx<'_>) -> Result<Vec<(Group, NeedsRow)>, EngineError> {
        let mut fitting = Vec::new();
        for group in self.claim.groups(tx)? {
            let Some(id) = group.resource_requirements_id else {
                continue;
            };
            if let Some(needs) = ready::needs(tx, id)?.filter(|n| self.offer.could_run(n)) {
                fitting.push((group, needs));
            }
        }
        let ours = |group: &Group| {
            group
                .scheduler_id
                .is_none_or(|id| Some(id) == self.scheduler_config_id)
        };
        if self.strict_scheduler_match || fitting.iter().any(|(group, _)| ours(group)) {
            fitting.retain(|(group, _)| ours(group));
        }
        fitting.sort_by_key(|(group, needs)| Reverse(rank(group, needs)));
        Ok(fitting)
    }
}

/// The higher, the earlier claimed (contract, behaviour 10.2); ids decide among equals.
fn rank(group: &Group, needs: &NeedsRow) -> (i64, i64, i64, i64, i64) {
    (
        group.priority,
        needs.num_gpus,
        needs.runtime_s,
        needs.memory_bytes,
        needs.num_cpus,
    )
}

impl Command for ClaimJobsBasedOnResources {
    const NAME: &'static str = "claim_jobs_based_on_resources";
    type Reply = ClaimResponse;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<ClaimResponse, EngineError> {
        let claim = &self.claim;
        access::workflow(tx, claim.workflow_id)?;
        if state_of(tx, claim.workflow_id)?.is_canceled {
            return Ok(ClaimResponse {
                jobs: Some(Vec::new()),
                reason: Some("Workflow is canceled".to_owned()),
            });
        }
        if let Some(jobs) = claim.repeated(tx)? {
            return Ok(answer(jobs));
        }
        let _span = tracing::debug_span!(
            "prepare_ready_jobs",
            workflow_id = claim.workflow_id,
            limit = claim.limit
        )
        .entered();
        let candidates = self.candidates(tx)?;
        let mut pack = Pack::new(self.offer);
        let mut taken = Vec::new();
        for alike in candidates.chunk_by(|a, b| rank(&a.0, &a.1) == rank(&b.0, &b.1)) {
            if taken.len() as i64 >= claim.limit {
                break;
            }
            let groups: Vec<&Group> = alike.iter().map(|(group, _)| group).collect();
            claim.take(tx, &groups, &mut taken, |at| pack.take(&alike[at].1))?;
        }
        Ok(answer(taken))
    }
}

/// The memory of a worker in whole bytes.
fn memory_bytes(gib: f64) -> i64 {
    // `as` saturates and makes nothing of NaN, which is what a claim wants.
    (gib * GIB).floor() as i64
}

impl Engine {
    /// Claims ready jobs in order of priority and age, whatever they need.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a limit out of bounds, bad labels.
    #[tracing::instrument(
        level = "debug", skip_all,
        fields(workflow_id = workflow_id, limit = query.limit.unwrap_or(10))
    )]
    pub async fn claim_next_jobs(
        &self,
        workflow_id: i64,
        query: ClaimNextQuery,
        key: Option<String>,
    ) -> Result<ClaimResponse, EngineError> {
        let limit = query.limit.unwrap_or(10);
        check_limit(limit)?;
        let labels = labels::parse_list(query.labels.as_deref().unwrap_or(""));
        labels::check(&labels, "runner")?;
        self.submit(ClaimNextJobs(Claim {
            workflow_id,
            limit,
            labels,
            key,
        }))
        .await
    }

    /// Claims ready jobs that fit on what a worker offers.
    ///
    /// # Errors
    ///
    /// An unknown workflow, bad labels, a time limit that is no duration.
    #[tracing::instrument(level = "debug", skip(self, resources, strict_scheduler_match, key))]
    pub async fn claim_jobs_based_on_resources(
        &self,
        workflow_id: i64,
        limit: i64,
        resources: ComputeNodesResources,
        strict_scheduler_match: bool,
        key: Option<String>,
    ) -> Result<ClaimResponse, EngineError> {
        let labels = resources.labels.unwrap_or_default();
        labels::check(&labels, "runner")?;
        let time_limit_s = resources
            .time_limit
            .map(|text| {
                parse_duration(&text).map_err(|cause| {
                    let message = format!("Invalid time_limit format '{text}': {cause}");
                    EngineError::field(message, "time_limit", text)
                })
            })
            .transpose()?;
        let offer = Offer {
            cpus: resources.num_cpus,
            memory_bytes: memory_bytes(resources.memory_gb),
            gpus: resources.num_gpus,
            nodes: resources.num_nodes,
            time_limit_s,
        };
        self.submit(ClaimJobsBasedOnResources {
            claim: Claim {
                workflow_id,
                limit: limit.max(0),
                labels,
                key,
            },
            offer,
            scheduler_config_id: resources.scheduler_config_id,
            strict_scheduler_match,
        })
        .await
    }

    /// What all ready jobs of a workflow need together.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self, scheduler_config_id))]
    pub async fn get_ready_job_requirements(
        &self,
        workflow_id: i64,
        scheduler_config_id: Option<i64>,
    ) -> Result<GetReadyJobRequirementsResponse, EngineError> {
        let conn = self.read("get_ready_job_requirements").await?;
        access::workflow_read(&conn, workflow_id).await?;
        let summary = ready::summary(&conn, workflow_id, scheduler_config_id).await?;
        Ok(GetReadyJobRequirementsResponse {
            num_jobs: summary.num_jobs,
            num_cpus: summary.num_cpus,
            num_gpus: summary.num_gpus,
            memory_gb: summary.memory_bytes as f64 / GIB,
            max_num_nodes: summary.max_num_nodes,
            max_runtime: format!("PT{}S", summary.max_runtime_s),
        })
    }
}
