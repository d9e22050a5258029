//! One job from its claim to its end: started on the server, run as a process, judged.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

use super::gpus::NAMES;
use super::outputs::Outputs;
use super::stdio::{JobStdio, StdioPlan};
use super::verdict::{self, Order, Rules};
use crate::client::{Client, ClientError, IdempotencyKey, RetryPolicy};
use crate::clock;
use crate::wire::jobs::{JobCompletionEntry, JobModel};
use crate::wire::results::ResultModel;
use crate::wire::{JobId, RunId, WorkflowId};

/// What all jobs of this worker share.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) client: Client,
    pub(super) workflow_id: WorkflowId,
    pub(super) run_id: RunId,
    pub(super) compute_node_id: i64,
    pub(super) retry: RetryPolicy,
    pub(super) rules: Rules,
    pub(super) stdio: StdioPlan,
    pub(super) outputs: Outputs,
    /// Environment of every job, besides its own.
    pub(super) env: Vec<(&'static str, String)>,
}

/// What became of a claimed job.
#[derive(Debug)]
pub(super) enum JobEnd {
    /// It ran; this is to be reported.
    Ended(Box<JobCompletionEntry>),
    /// The worker stops, so it was not run and is to be given back.
    Unstarted(JobId),
    /// It is not ours any more, for this reason.
    Refused(ClientError),
    /// The server could not be reached for so long that waiting makes no sense.
    Unreachable(ClientError),
}

/// Runs a claimed job, on these GPUs.
pub(super) async fn run(
    job: &JobModel,
    gpus: &[String],
    shop: &Shop,
    orders: &mut watch::Receiver<Order>,
) -> JobEnd {
    let id = job.id.unwrap_or_default();
    if *orders.borrow() != Order::Run {
        return JobEnd::Unstarted(id);
    }
    // The key makes it safe to ask again when the answer was lost: "this node has
    // started it already" then counts as success.
    let key = IdempotencyKey::fresh();
    let started = shop
        .retry
        .run(|| {
            shop.client
                .start_job(id, shop.run_id, shop.compute_node_id, Some(&key))
        })
        .await;
    match started {
        Ok(_) => {}
        Err(error) if error.is_transient() => return JobEnd::Unreachable(error),
        Err(error) => return JobEnd::Refused(error),
    }
    if *orders.borrow() != Order::Run {
        return JobEnd::Unstarted(id);
    }

    let stdio = shop.stdio.of(shop.workflow_id, job, shop.run_id);
    let begin = Instant::now();
    let code = match spawn(job, gpus, shop, &stdio) {
        Ok(child) => wait(child, orders).await,
        Err(error) => {
            tracing::warn!(job.id = id, %error, "a job could not be started");
            stdio.note(&format!("the job could not be started: {error}"));
            match error.kind() {
                io::ErrorKind::NotFound => verdict::NOT_FOUND_CODE,
                _ => verdict::UNKNOWN_CODE,
            }
        }
    };
    let elapsed = begin.elapsed();
    let code = match code {
        0 => missing_outputs(job, shop, &stdio).await,
        code => code,
    };
    let (return_code, status) = verdict::verdict(code, *orders.borrow(), shop.rules);
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

/// What `bash -c` gets: the script goes before the command, on its own lines if it has several.
fn command_line(job: &JobModel) -> String {
    match job.invocation_script.as_deref().map(str::trim_end) {
        None | Some("") => job.command.clone(),
        Some(script) if script.contains('\n') => format!("{script}\n{}", job.command),
        Some(script) => format!("{script} {}", job.command),
    }
}

/// Starts the job's process as the leader of a process group of its own.
///
/// Nothing here keeps the standard library from `posix_spawn`, which does not copy the
/// worker's page tables for every job.
fn spawn(job: &JobModel, gpus: &[String], shop: &Shop, stdio: &JobStdio) -> io::Result<Child> {
    let (out, err) = stdio.open()?;
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(command_line(job))
        .process_group(0)
        .stdin(std::process::Stdio::null())
        .stdout(out)
        .stderr(err);
    if let Some(env) = &job.env {
        command.envs(env);
    }
    command
        .envs(shop.env.iter().map(|(name, value)| (name, value)))
        .env("TORC_JOB_ID", job.id.unwrap_or_default().to_string())
        .env("TORC_JOB_NAME", &job.name)
        .env("TORC_ATTEMPT_ID", job.attempt_id.unwrap_or(1).to_string());
    if !gpus.is_empty() {
        let gpus = gpus.join(",");
        command.envs(NAMES.map(|name| (name, &gpus)));
    }
    command.spawn()
}

/// Waits for the job's end, passing on the orders that come meanwhile.
async fn wait(mut child: Child, orders: &mut watch::Receiver<Order>) -> i64 {
    // Known until the child is waited for, and the group has its number.
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let ended = loop {
        tokio::select! {
            ended = child.wait() => break ended,
            Ok(()) = orders.changed() => {
                let order = *orders.borrow_and_update();
                pass_on(order, group);
            }
        }
    };
    if *orders.borrow() != Order::Run {
        // What the job started must not outlive a worker that was told to stop.
        pass_on(Order::Kill { time_up: false }, group);
    }
    code_of(ended)
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

fn pass_on(order: Order, group: Option<Pid>) {
    let signal = match order {
        Order::Run => return,
        Order::Stop(signal) => signal,
        Order::Kill { .. } => Signal::KILL,
    };
    if let Some(group) = group {
        // It fails only for a group that is already gone.
        let _ = kill_process_group(group, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::command_line;
    use crate::wire::jobs::JobModel;

    #[test]
    fn the_script_goes_before_the_command() {
        for (script, expected) in [
            (None, "run x"),
            (Some(""), "run x"),
            (Some("time"), "time run x"),
            (Some("time\n"), "time run x"),
            (Some("set -e\ncd /"), "set -e\ncd /\nrun x"),
        ] {
            let job = JobModel {
                command: "run x".to_owned(),
                invocation_script: script.map(str::to_owned),
                ..JobModel::default()
            };
            assert_eq!(command_line(&job), expected);
        }
    }
}
