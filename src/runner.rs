//! The worker: claims jobs, runs them, reports how they ended.
//!
//! One task, the foreman, knows everything and waits for nothing: what takes time (a
//! claim, a job, a report, the event stream) is a task of its own that sends word when
//! it is done. So jobs start while others are reported, and a server that does not
//! answer stops neither the jobs nor the reaction to a signal.

mod account;
mod claimer;
mod deadline;
mod foreman;
mod giving_back;
mod gpus;
mod group;
mod hearing;
mod job_process;
mod launch;
mod machine;
mod misfits;
mod new_run;
mod outcome;
mod outputs;
mod progress;
mod reporter;
mod signals;
mod stdio;
mod stopping;
mod verdict;
mod wakeup;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::client::{Client, ClientError, RetryPolicy};
use crate::clock;
use crate::wire::WorkflowId;
use crate::wire::compute_nodes::ComputeNodeModel;
use crate::wire::workflows::WorkflowModel;

use account::{Account, Capacity, Needs};
use claimer::Claimer;
use deadline::Deadline;
use foreman::Foreman;
use gpus::Gpus;
use job_process::Shop;
pub use outcome::{Ending, RunOutcome};
use outputs::Outputs;
pub use progress::Progress;
pub use signals::Signals;
use stdio::StdioPlan;
use verdict::Rules;

/// How long the first requests are repeated: a server that is just starting, or very
/// busy, is waited for.
const AT_START: RetryPolicy = RetryPolicy::lasting(Duration::from_secs(30));
/// How long the last one is: nothing depends on it.
const AT_END: RetryPolicy = RetryPolicy::lasting(Duration::from_secs(5));
/// Minutes a worker waits for a server that does not answer, unless the workflow says otherwise.
const HEALTHY_MINUTES: i64 = 20;
/// Seconds an idle worker waits for jobs, unless the workflow says otherwise.
const WAIT_FOR_JOBS: i64 = 90;

/// What to run, and with what.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// The server.
    pub client: Client,
    /// The workflow, initialized.
    pub workflow_id: WorkflowId,
    /// Where `job_stdio/` comes to lie; made if it is not there.
    pub output_dir: PathBuf,
    /// So many jobs at once, whatever they need; else what fits the machine.
    pub max_parallel_jobs: Option<usize>,
    /// CPUs to offer; else those of the machine.
    pub num_cpus: Option<i64>,
    /// Memory to offer in GiB; else that of the machine.
    pub memory_gb: Option<f64>,
    /// GPUs to offer; else none.
    pub num_gpus: Option<i64>,
    /// How long the worker may run; jobs are stopped somewhat earlier.
    pub time_limit: Option<Duration>,
    /// Labels to serve; without any, jobs without labels.
    pub labels: Vec<String>,
    /// How to show what happens.
    pub progress: Progress,
    /// How long jobs have between the polite signal and the kill when the worker is stopped.
    pub grace: Duration,
    /// The share of claims, from 0 to 1, that begin a trace for a server that exports them.
    pub trace_sample: f64,
}

impl RunnerConfig {
    /// The usual: all of the machine, `torc_output`, no limits, nothing shown.
    pub fn new(client: Client, workflow_id: WorkflowId) -> Self {
        Self {
            client,
            workflow_id,
            output_dir: PathBuf::from("torc_output"),
            max_parallel_jobs: None,
            num_cpus: None,
            memory_gb: None,
            num_gpus: None,
            time_limit: None,
            labels: Vec::new(),
            progress: Progress::default(),
            grace: Duration::from_secs(10),
            trace_sample: 0.0,
        }
    }
}

/// Why a worker could not do its work. That jobs failed is not such a reason.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The server refused, or could not be reached for too long.
    #[error("could not {doing}: {source}")]
    Server {
        /// What the worker wanted of it.
        doing: &'static str,
        /// What it said.
        source: ClientError,
    },
    /// The output directory cannot be used.
    #[error("cannot write to the output directory {}: {source}; name another with --output-dir", path.display())]
    OutputDir {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Processes cannot be started here; what was claimed has been given back.
    #[error("this machine cannot start processes any more: {0}; the jobs were given back")]
    Spawn(#[source] io::Error),
    /// Signals cannot be listened for.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
}

impl RunnerError {
    fn server(doing: &'static str) -> impl FnOnce(ClientError) -> Self {
        move |source| Self::Server { doing, source }
    }
}

/// Works on a workflow until it is complete, or something else ends the work.
///
/// # Errors
///
/// [`RunnerError`] if the work could not begin, or could not go on. Jobs that ran until
/// then have been reported as far as the server could be reached.
pub async fn run(config: RunnerConfig) -> Result<RunOutcome, RunnerError> {
    let mut signals = Signals::listen().map_err(RunnerError::Signals)?;
    run_with(config, &mut signals).await
}

/// The same for a program that listens for signals already.
///
/// # Errors
///
/// As for [`run`].
pub async fn run_with(
    config: RunnerConfig,
    signals: &mut Signals,
) -> Result<RunOutcome, RunnerError> {
    let begin = Instant::now();
    let (foreman, node) = tokio::select! {
        prepared = prepare(&config, begin) => prepared?,
        signal = signals.next_number() => return Ok(RunOutcome {
            ending: Ending::Interrupted(signal),
            ..RunOutcome::default()
        }),
    };
    let outcome = foreman.work(signals).await;
    let gone = ComputeNodeModel {
        is_active: Some(false),
        duration_seconds: Some(begin.elapsed().as_secs_f64()),
        ..node
    };
    if signals.heard() >= stopping::AT_ONCE {
        return outcome;
    }
    // Whoever sends a signal now wants no more than the end.
    tokio::select! {
        () = sign_off(&config.client, &gone) => {}
        _ = signals.next() => {}
    }
    outcome
}

/// All that comes before the work: reads the workflow and registers this machine.
async fn prepare(
    config: &RunnerConfig,
    begin: Instant,
) -> Result<(Foreman, ComputeNodeModel), RunnerError> {
    let (client, id) = (&config.client, config.workflow_id);
    let workflow = AT_START
        .run(|| client.get_workflow(id))
        .await
        .map_err(RunnerError::server("read the workflow"))?;
    let output_dir = absolute(&config.output_dir)?;
    let stdio =
        StdioPlan::new(&output_dir, workflow.execution_config.as_ref()).map_err(|source| {
            RunnerError::OutputDir {
                path: output_dir.clone(),
                source,
            }
        })?;
    let node = describe(config);
    if config.max_parallel_jobs.is_none() {
        misfits::warn(client, &node).await;
    }
    let node = AT_START
        .run(|| client.create_compute_node(&node))
        .await
        .map_err(RunnerError::server("register this machine"))?;
    let shop = open_shop(config, &workflow, &node, &output_dir, stdio);
    let foreman = hire(config, &workflow, &node, shop, begin);
    Ok((foreman, node))
}

/// Tells the server that this machine is gone, unless the server takes its time.
async fn sign_off(client: &Client, gone: &ComputeNodeModel) {
    let id = gone.id.unwrap_or_default();
    let update = AT_END.run(|| client.update_compute_node(id, gone));
    match tokio::time::timeout(AT_END.within, update).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(compute_node.id = id, %error, "this machine is still shown as active");
        }
        Err(_) => {
            tracing::warn!(
                compute_node.id = id,
                "this machine is still shown as active: the server does not answer"
            );
        }
    }
}

/// Jobs may change their directory, so what they are told is absolute.
fn absolute(path: &Path) -> Result<PathBuf, RunnerError> {
    std::path::absolute(path).map_err(|source| RunnerError::OutputDir {
        path: path.to_owned(),
        source,
    })
}

/// This machine, as the server is told about it.
fn describe(config: &RunnerConfig) -> ComputeNodeModel {
    ComputeNodeModel {
        workflow_id: config.workflow_id,
        hostname: machine::hostname(),
        pid: std::process::id().into(),
        start_time: clock::now_millis_text(),
        is_active: Some(true),
        num_cpus: config.num_cpus.unwrap_or_else(machine::num_cpus),
        memory_gb: config.memory_gb.unwrap_or_else(machine::memory_gb),
        num_gpus: config.num_gpus.unwrap_or(0),
        num_nodes: 1,
        time_limit: config
            .time_limit
            .map(|limit| format!("PT{}S", limit.as_secs())),
        compute_node_type: "local".to_owned(),
        labels: (!config.labels.is_empty()).then(|| config.labels.clone()),
        ..ComputeNodeModel::default()
    }
}

/// The longest that an unreachable server is waited for.
fn retry_of(workflow: &WorkflowModel) -> RetryPolicy {
    let minutes = workflow
        .compute_node_wait_for_healthy_database_minutes
        .unwrap_or(HEALTHY_MINUTES);
    let minutes = u64::try_from(minutes).unwrap_or_default();
    // A minute at least: a setting of 0 should not make a restart fatal.
    RetryPolicy::lasting(Duration::from_secs(60 * minutes.max(1)))
}

fn open_shop(
    config: &RunnerConfig,
    workflow: &WorkflowModel,
    node: &ComputeNodeModel,
    output_dir: &Path,
    stdio: StdioPlan,
) -> Shop {
    let run_id = workflow.run_id.unwrap_or_default();
    let retry = retry_of(workflow);
    let mut env = vec![
        ("TORC_WORKFLOW_ID", config.workflow_id.to_string()),
        ("TORC_OUTPUT_DIR", output_dir.display().to_string()),
        ("TORC_API_URL", config.client.base_url().to_owned()),
    ];
    if let Some(directory) = &workflow.submission_directory {
        env.push(("TORC_WORKFLOW_SUBMISSION_DIR", directory.clone()));
    }
    Shop {
        client: config.client.clone(),
        workflow_id: config.workflow_id,
        run_id,
        compute_node_id: node.id.unwrap_or_default(),
        retry,
        rules: Rules::of(workflow),
        stdio: Arc::new(stdio),
        outputs: Arc::new(Outputs::new(config.client.clone(), retry)),
        env,
    }
}

fn hire(
    config: &RunnerConfig,
    workflow: &WorkflowModel,
    node: &ComputeNodeModel,
    shop: Shop,
    begin: Instant,
) -> Foreman {
    let capacity = match config.max_parallel_jobs {
        Some(slots) => Capacity::Slots(slots.max(1)),
        None => Capacity::Machine(Needs {
            cpus: node.num_cpus,
            memory: (node.memory_gb * machine::GIB) as i64,
            gpus: node.num_gpus,
        }),
    };
    let claimer = Claimer {
        client: config.client.clone(),
        workflow_id: config.workflow_id,
        labels: config.labels.clone(),
        retry: shop.retry,
        known: Mutex::new(HashMap::new()),
        trace_sample: config.trace_sample,
    };
    let wait = workflow
        .compute_node_wait_for_new_jobs_seconds
        .unwrap_or(WAIT_FOR_JOBS);
    Foreman::new(foreman::Terms {
        shop: Arc::new(shop),
        claimer: Arc::new(claimer),
        account: Account::new(capacity),
        gpus: Gpus::new(node.num_gpus, std::env::var(gpus::VISIBLE).ok().as_deref()),
        deadline: config
            .time_limit
            .map(|limit| Deadline::new(begin, limit, workflow.execution_config.as_ref())),
        // 0 and below: for ever.
        wait_for_jobs: u64::try_from(wait)
            .ok()
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs),
        ignore_completion: workflow
            .compute_node_ignore_workflow_completion
            .unwrap_or_default(),
        grace: config.grace,
        polite: verdict::polite_signal(workflow.execution_config.as_ref()),
        progress: config.progress,
    })
}
