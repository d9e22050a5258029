//! One job from its claim to its end: started on the server, run as a process, judged.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;

use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::Instant;

use super::RunnerError;
use super::claimer::ClaimedJob;
use super::group::Group;
use super::launch::{NotStarted, launch};
use super::outputs::Outputs;
use super::stdio::{JobStdio, StdioPlan};
use super::verdict::{self, Order, Rules};
use crate::client::{Client, ClientError, IdempotencyKey, RetryPolicy};
use crate::clock;
use crate::wire::jobs::{JobCompletionEntry, JobModel};
use crate::wire::results::ResultModel;
use crate::wire::workflows::WorkflowModel;
use crate::wire::{RunId, WorkflowId};

/// What all jobs of this worker in one run share.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) client: Client,
    pub(super) workflow_id: WorkflowId,
    pub(super) run_id: RunId,
    pub(super) compute_node_id: i64,
    pub(super) retry: RetryPolicy,
    pub(super) rules: Rules,
    pub(super) stdio: Arc<StdioPlan>,
    pub(super) outputs: Arc<Outputs>,
    /// Environment of every job, besides its own and the run.
    pub(super) env: Vec<(&'static str, String)>,
}

impl Shop {
    /// The same in another run of the workflow, as that is now.
    pub(super) fn in_run(&self, workflow: &WorkflowModel) -> Self {
        Self {
            run_id: workflow.run_id.unwrap_or_default(),
            rules: Rules::of(workflow),
            ..self.clone()
        }
    }
}

/// What became of a claimed job.
#[derive(Debug)]
pub(super) enum JobEnd {
    /// It ran; this is to be reported.
    Ended(Box<JobCompletionEntry>),
    /// The worker stops, so it was not run and is to be given back.
    Unstarted,
    /// The workflow is in another run, in which it may be started.
    OtherRun,
    /// It is not ours any more, for this reason.
    Refused(ClientError),
    /// This machine cannot run it, and it is to be given back.
    Broken(RunnerError),
    /// The server could not be reached for so long that waiting makes no sense.
    Unreachable(ClientError),
}

/// Runs a claimed job, on these GPUs.
pub(super) async fn run(
    claimed: &ClaimedJob,
    gpus: &[String],
    shop: &Shop,
    orders: &mut watch::Receiver<Order>,
) -> JobEnd {
    let (job, id) = (&claimed.job, claimed.id());
    if *orders.borrow() != Order::Run {
        return JobEnd::Unstarted;
    }
    // The key makes it safe to ask again when the answer was lost: "this node has
    // started it already" then counts as success.
    let key = IdempotencyKey::fresh();
    let client = shop.client.in_trace(claimed.trace);
    let start = || client.start_job(id, shop.run_id, shop.compute_node_id, Some(&key));
    let started = tokio::select! {
        started = shop.retry.run(start) => started,
        // Whether it was started or not: giving it back makes up for both.
        _ = orders.wait_for(|order| *order != Order::Run) => return JobEnd::Unstarted,
    };
    let job = match started {
        Ok(now) => as_started(job, now),
        Err(error) if error.is_transient() => return JobEnd::Unreachable(error),
        Err(error) if error.says_other_run() => return JobEnd::OtherRun,
        Err(error) => return JobEnd::Refused(error),
    };
    if *orders.borrow() != Order::Run {
        return JobEnd::Unstarted;
    }

    let stdio = shop.stdio.of(shop.workflow_id, &job, shop.run_id);
    let begin = Instant::now();
    let (code, order) = match launch(&job, gpus, claimed.trace, shop, &stdio) {
        Ok(child) => wait(child, orders).await,
        Err(NotStarted::Job(error, code)) => {
            tracing::warn!(job.id = id, %error, "a job could not be started");
            stdio.note(&format!("the job could not be started: {error}"));
            (code, *orders.borrow())
        }
        Err(NotStarted::Machine(error)) => return JobEnd::Broken(error),
    };
    let elapsed = begin.elapsed();
    let code = match code {
        0 => missing_outputs(&job, shop, &stdio).await,
        code => code,
    };
    let (return_code, status) = verdict::verdict(code, order, shop.rules);
    stdio.tidy(return_code == 0);
    JobEnd::Ended(Box::new(JobCompletionEntry {
        job_id: id,
        status,
        run_id: shop.run_id,
        result: ResultModel {
            id: None,
            job_id: id,
            workflow_id: shop.workflow_id,
            run_id: shop.run_id,
            attempt_id: Some(job.attempt_id.unwrap_or(1)),
            compute_node_id: shop.compute_node_id,
            return_code,
            exec_time_minutes: elapsed.as_secs_f64() / 60.0,
            completion_time: clock::now_millis_text(),
            peak_memory_bytes: None,
            avg_memory_bytes: None,
            peak_cpu_percent: None,
            avg_cpu_percent: None,
            status,
            job_name: None,
        },
    }))
}

/// The job as it stands now: it may have been claimed in an earlier run and changed since.
fn as_started(claimed: &JobModel, now: JobModel) -> JobModel {
    let claimed = claimed.output_file_ids.clone();
    JobModel {
        output_file_ids: now.output_file_ids.or(claimed),
        ..now
    }
}

/// 1 if a file that the job should have written is not there, else 0.
async fn missing_outputs(job: &JobModel, shop: &Shop, stdio: &JobStdio) -> i64 {
    let ids = job.output_file_ids.as_deref().unwrap_or_default();
    let missing = shop.outputs.missing(ids).await;
    for path in &missing {
        stdio.note(&format!(
            "the job ended well, but its output file '{path}' is missing"
        ));
    }
    i64::from(!missing.is_empty())
}

/// Waits for the job's end, passing on the orders that come meanwhile; says also which
/// one was the last.
async fn wait(mut child: Child, orders: &mut watch::Receiver<Order>) -> (i64, Order) {
    let group = Group::of(&child);
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended,
            Ok(()) = orders.changed() => group.pass_on(*orders.borrow_and_update()),
        }
    };
    // `bash` may be gone while what it started still puts its things in order: that has
    // the same time for it as the job.
    while matches!(*orders.borrow(), Order::Stop(_)) {
        tokio::select! {
            biased;
            Ok(()) = orders.changed() => group.pass_on(*orders.borrow_and_update()),
            () = group.emptied() => break,
        }
    }
    let order = *orders.borrow();
    if matches!(order, Order::Kill { .. }) {
        group.pass_on(order);
    }
    (code_of(ended), order)
}

fn code_of(ended: io::Result<ExitStatus>) -> i64 {
    match ended {
        Ok(status) => verdict::return_code(status),
        Err(error) => {
            tracing::warn!(%error, "could not learn how a job ended");
            verdict::UNKNOWN_CODE
        }
    }
}
