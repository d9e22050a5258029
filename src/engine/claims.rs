//! Claims: a worker takes ready jobs, which become pending.

use std::cmp::Reverse;

use super::fit::{Offer, Pack};
use super::job_runs::state_of;
use super::status_moves::move_all;
use super::{Engine, EngineError, MANY, Subject, access, check_limit, labels};
use crate::clock::Tick;
use crate::store::jobs::{self as rows, JobRow};
use crate::store::ready::{self, Group, NeedsRow};
use crate::store::workflows::WorkflowState;
use crate::store::{Command, Effects, WriteTx, job_links};
use crate::telemetry::phase;
use crate::wire::JobStatus;
use crate::wire::claims::{
    ClaimNextQuery, ClaimResponse, ComputeNodesResources, GetReadyJobRequirementsResponse,
};
use crate::wire::jobs::JobModel;
use crate::wire::page::MAX_LIMIT;
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
        to_wire(tx, claimed).map(Some)
    }

    /// What every claim begins with: the workflow exists, the labels make sense.
    fn check(&self, tx: &WriteTx<'_>) -> Result<WorkflowState, EngineError> {
        access::workflow(tx, self.workflow_id)?;
        labels::check(&self.labels, "runner")?;
        state_of(tx, self.workflow_id)
    }

    /// Whether nothing more is wanted.
    fn is_full(&self, taken: &[JobModel]) -> bool {
        taken.len() as i64 >= self.limit
    }

    /// Groups of the next priority below `bound`, which moves on to it, whose labels the
    /// worker serves; `None` after the last priority.
    fn next_groups(
        &self,
        tx: &WriteTx<'_>,
        bound: &mut Option<i64>,
    ) -> Result<Option<Vec<Group>>, EngineError> {
        let mut groups = ready::groups(tx, self.workflow_id, *bound)?;
        let Some(first) = groups.first() else {
            return Ok(None);
        };
        *bound = Some(first.priority);
        groups.retain(|group| labels::serves(&self.labels, &group.labels));
        Ok(Some(groups))
    }

    /// The span of looking for jobs, as the user's guide knows it.
    fn preparing(&self) -> tracing::Span {
        tracing::debug_span!(
            "prepare_ready_jobs",
            workflow_id = self.workflow_id,
            limit = self.limit
        )
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
        let mut chosen = Vec::new();
        for (id, at) in ids {
            if chosen.len() as i64 >= left {
                break;
            }
            if skipped[at] || !wanted(at) {
                // Alike jobs of one group need the same: what did not fit will not.
                skipped[at] = true;
                continue;
            }
            chosen.push(id);
        }
        if chosen.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::with_capacity(chosen.len());
        move_all(self.workflow_id, &chosen, JobStatus::Pending, |id| {
            rows.extend(ready::claim(tx, id, self.key.as_deref())?);
            Ok(())
        })?;
        taken.extend(to_wire(tx, rows)?);
        Ok(())
    }
}

/// Claimed jobs on the wire: what they write, but not what they read or wait for.
fn to_wire(tx: &WriteTx<'_>, rows: Vec<JobRow>) -> Result<Vec<JobModel>, EngineError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut outputs = job_links::outputs(tx, &ids)?;
    rows.into_iter()
        .map(|row| {
            let links = outputs.remove(&row.id).unwrap_or_default();
            let mut model = rows::to_wire_brief(row)?;
            model.scheduler_id = None;
            links.fill(&mut model);
            Ok(model)
        })
        .collect()
}

fn answer(jobs: Vec<JobModel>) -> ClaimResponse {
    ClaimResponse {
        jobs: Some(jobs),
        reason: None,
    }
}

/// Records how long a claim took that found nothing: many of them are workers that ask
/// for what is not there.
fn note_empty(answer: &ClaimResponse, asked: Tick) {
    if answer.jobs.as_ref().is_none_or(Vec::is_empty) {
        phase::part("claim.empty", asked.elapsed());
    }
}

struct ClaimNextJobs(Claim);

impl Command for ClaimNextJobs {
    const NAME: &'static str = "claim_next_jobs";
    type Reply = ClaimResponse;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _effects: &mut Effects) -> Result<ClaimResponse, EngineError> {
        let claim = self.0;
        if claim.check(tx)?.is_canceled {
            return Ok(answer(Vec::new()));
        }
        if let Some(jobs) = claim.repeated(tx)? {
            return Ok(answer(jobs));
        }
        let _span = claim.preparing().entered();
        let (mut taken, mut bound) = (Vec::new(), None);
        while !claim.is_full(&taken) {
            let Some(groups) = claim.next_groups(tx, &mut bound)? else {
                break;
            };
            claim.take(tx, &groups.iter().collect::<Vec<_>>(), &mut taken, |_| true)?;
        }
        Ok(answer(taken))
    }

    fn alone(&self) -> bool {
        self.0.limit > MANY as i64
    }
}

struct ClaimJobsBasedOnResources {
    claim: Claim,
    resources: ComputeNodesResources,
    strict_scheduler_match: bool,
}

impl ClaimJobsBasedOnResources {
    /// Takes what fits, in the order of the contract, from groups whose scheduler is the
    /// worker's own or none, or else from all. Says whether any group was considered.
    fn pack(
        &self,
        tx: &WriteTx<'_>,
        offer: Offer,
        any_scheduler: bool,
        taken: &mut Vec<JobModel>,
    ) -> Result<bool, EngineError> {
        let claim = &self.claim;
        let mut pack = Pack::new(offer);
        let (mut considered, mut bound) = (false, None);
        while !claim.is_full(taken) {
            let Some(groups) = claim.next_groups(tx, &mut bound)? else {
                break;
            };
            let mut fitting = Vec::new();
            for group in groups {
                let ours = group.scheduler_id;
                let ours = ours.is_none_or(|id| Some(id) == self.resources.scheduler_config_id);
                let Some(id) = group
                    .resource_requirements_id
                    .filter(|_| ours || any_scheduler)
                else {
                    continue;
                };
                if let Some(needs) = ready::needs(tx, id)?.filter(|n| offer.could_run(n)) {
                    fitting.push((group, needs));
                }
            }
            considered |= !fitting.is_empty();
            fitting.sort_by_key(|(_, needs)| Reverse(rank(needs)));
            for alike in fitting.chunk_by(|a, b| rank(&a.1) == rank(&b.1)) {
                if claim.is_full(taken) {
                    break;
                }
                let groups: Vec<&Group> = alike.iter().map(|(group, _)| group).collect();
                claim.take(tx, &groups, taken, |at| pack.take(&alike[at].1))?;
            }
        }
        Ok(considered)
    }
}

/// Within a priority, the higher, the earlier claimed (contract, behaviour 10.2); ids
/// decide among equals.
fn rank(needs: &NeedsRow) -> (i64, i64, i64, i64) {
    (
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
        if claim.check(tx)?.is_canceled {
            return Ok(ClaimResponse {
                jobs: Some(Vec::new()),
                reason: Some("Workflow is canceled".to_owned()),
            });
        }
        if claim.limit <= 0 {
            return Ok(answer(Vec::new()));
        }
        let offer = offer(&self.resources)?;
        if let Some(jobs) = claim.repeated(tx)? {
            return Ok(answer(jobs));
        }
        let _span = claim.preparing().entered();
        let mut taken = Vec::new();
        // Jobs of another scheduler count only where there are no others.
        let considered = self.pack(tx, offer, false, &mut taken)?;
        if !considered && !self.strict_scheduler_match {
            self.pack(tx, offer, true, &mut taken)?;
        }
        Ok(answer(taken))
    }

    fn alone(&self) -> bool {
        self.claim.limit > MANY as i64
    }
}

/// What a worker offers, in the units of the rules.
fn offer(resources: &ComputeNodesResources) -> Result<Offer, EngineError> {
    let time_limit_s = resources.time_limit.as_ref().map(|text| {
        parse_duration(text).map_err(|cause| {
            let message = format!("Invalid time_limit format '{text}': {cause}");
            EngineError::field(message, "time_limit", text.as_str())
        })
    });
    Ok(Offer {
        cpus: resources.num_cpus,
        memory_bytes: memory_bytes(resources.memory_gb),
        gpus: resources.num_gpus,
        nodes: resources.num_nodes,
        time_limit_s: time_limit_s.transpose()?,
    })
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
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let limit = query.limit.unwrap_or(10);
        check_limit(limit)?;
        let labels = labels::parse_list(query.labels.as_deref().unwrap_or(""));
        let asked = Tick::now();
        let answer = self.submit(ClaimNextJobs(Claim {
            workflow_id,
            limit,
            labels,
            key,
        }));
        answer.await.inspect(|answer| note_empty(answer, asked))
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
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let asked = Tick::now();
        let answer = self.submit(ClaimJobsBasedOnResources {
            claim: Claim {
                workflow_id,
                limit: limit.min(MAX_LIMIT),
                labels: resources.labels.clone().unwrap_or_default(),
                key,
            },
            resources,
            strict_scheduler_match,
        });
        answer.await.inspect(|answer| note_empty(answer, asked))
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
        self.may_use(Subject::Workflow(workflow_id)).await?;
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
