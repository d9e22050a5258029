//! Asking the server for jobs, so that no claim is lost with its answer.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;

use super::account::{Needs, Request, memory_bytes};
use super::machine::GIB;
use crate::client::{Client, ClientError, IdempotencyKey, RetryPolicy, Trace};
use crate::wire::claims::{
    ClaimByResourcesQuery, ClaimNextQuery, ClaimResponse, ComputeNodesResources,
};
use crate::wire::jobs::JobModel;
use crate::wire::{JobId, WorkflowId};

/// A job of ours, not started yet.
#[derive(Debug)]
pub(super) struct ClaimedJob {
    pub(super) job: JobModel,
    pub(super) needs: Needs,
    /// That of its claim, if it was sampled: starting and ending it belong there too.
    pub(super) trace: Option<Trace>,
}

impl ClaimedJob {
    pub(super) fn id(&self) -> JobId {
        self.job.id.unwrap_or_default()
    }
}

/// What a claim brought.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) jobs: Vec<ClaimedJob>,
    /// There may be more for the asking.
    pub(super) more: bool,
}

/// Claims for one worker.
#[derive(Debug)]
pub(super) struct Claimer {
    pub(super) client: Client,
    pub(super) workflow_id: WorkflowId,
    pub(super) labels: Vec<String>,
    pub(super) retry: RetryPolicy,
    /// Requirements by id; a run sees few different ones.
    pub(super) known: Mutex<HashMap<i64, Needs>>,
    /// The share of claims that begin a trace.
    pub(super) trace_sample: f64,
}

impl Claimer {
    /// Claims jobs. An answer that got lost is asked for again under the same key, since
    /// the jobs it named are ours already and nobody else will run them.
    pub(super) async fn claim(
        &self,
        request: Request,
        time_left: Option<Duration>,
    ) -> Result<Claimed, ClientError> {
        let key = IdempotencyKey::fresh();
        let trace = Trace::sampled(self.trace_sample);
        let client = self.client.in_trace(trace);
        let answer = self
            .retry
            .run(|| self.ask(&client, request, time_left, &key))
            .await?;
        let jobs = answer.jobs.unwrap_or_default();
        let more = match request {
            Request::Next { limit } => jobs.len() >= limit,
            // Fewer jobs than CPUs may only mean that they are large.
            Request::Fitting { .. } => !jobs.is_empty(),
        };
        let mut claimed = Vec::with_capacity(jobs.len());
        for job in jobs {
            let needs = match request {
                Request::Next { .. } => Needs::default(),
                Request::Fitting { .. } => self.needs(&job).await,
            };
            claimed.push(ClaimedJob { job, needs, trace });
        }
        Ok(Claimed {
            jobs: claimed,
            more,
        })
    }

    async fn ask(
        &self,
        client: &Client,
        request: Request,
        time_left: Option<Duration>,
        key: &IdempotencyKey,
    ) -> Result<ClaimResponse, ClientError> {
        let labels = (!self.labels.is_empty()).then_some(&self.labels);
        match request {
            Request::Next { limit } => {
                let query = ClaimNextQuery {
                    limit: Some(limit as i64),
                    labels: labels.map(|labels| labels.join(",")),
                };
                client
                    .claim_next_jobs(self.workflow_id, &query, Some(key))
                    .await
            }
            Request::Fitting { offer } => {
                let resources = ComputeNodesResources {
                    num_cpus: offer.cpus,
                    memory_gb: offer.memory as f64 / GIB,
                    num_gpus: offer.gpus,
                    num_nodes: 1,
                    time_limit: time_left.map(|left| format!("PT{}S", left.as_secs())),
                    labels: labels.cloned(),
                    ..ComputeNodesResources::default()
                };
                let query = ClaimByResourcesQuery::default();
                client
                    .claim_jobs_based_on_resources(
                        self.workflow_id,
                        offer.cpus,
                        &resources,
                        &query,
                        Some(key),
                    )
                    .await
            }
        }
    }

    /// What the job holds; asked for once for each set of requirements.
    async fn needs(&self, job: &JobModel) -> Needs {
        let one_cpu = Needs {
            cpus: 1,
            ..Needs::default()
        };
        let Some(id) = job.resource_requirements_id else {
            return one_cpu;
        };
        let mut known = self.known.lock().await;
        if let Some(needs) = known.get(&id) {
            return *needs;
        }
        let asked = self
            .retry
            .run(|| self.client.get_resource_requirements(id))
            .await;
        match asked {
            Ok(found) => {
                let needs = Needs {
                    cpus: found.num_cpus,
                    memory: memory_bytes(&found.memory).unwrap_or_default(),
                    gpus: found.num_gpus,
                };
                known.insert(id, needs);
                needs
            }
            Err(error) => {
                // The job is claimed; running it on a guess is better than leaving it.
                tracing::warn!(job.id, requirements.id = id, %error, "a job's requirements are unknown, counting one CPU");
                one_cpu
            }
        }
    }
}
