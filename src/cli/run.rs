//! `torc run`: a worker on this machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::create::{self, CreateOptions, created_message};
use super::failure::Failure;
use super::output::count;
use super::standalone::StandaloneArgs;
use super::start;
use crate::runner::{self, Ending, Progress, RunOutcome, RunnerConfig, Signals};
use crate::say::say;
use crate::spec::{Plan, parse_duration};
use crate::wire::WorkflowId;

/// What `torc run` takes.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "torc run [OPTIONS] <FILE|ID>",
    after_help = "Examples:
  torc run workflow.yaml                     create it, run it, wait for its end
  torc run 7 --max-parallel-jobs 4           be one of the workers of workflow 7
  torc run workflow.yaml --standalone        with a server of its own, for this run

Ends with 0 when it has done its work, also if jobs failed; see --fail-on-job-failure.
A signal is passed on to the jobs; the exit code is then 128 and the signal's number."
)]
pub struct RunArgs {
    /// Spec to create and run (`-` reads standard input), or workflow to work on
    #[arg(value_name = "FILE|ID")]
    pub target: String,
    /// The older form: `torc run URL run ID`
    #[arg(hide = true, num_args = 0..=2)]
    pub rest: Vec<String>,
    /// Run so many jobs at once, whatever they need
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_parallel_jobs: Option<u32>,
    /// CPUs to offer; all of this machine when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub num_cpus: Option<i64>,
    /// Memory to offer in GiB; all of this machine when absent
    #[arg(long, value_name = "GIB", value_parser = positive)]
    pub memory_gb: Option<f64>,
    /// GPUs to offer; none when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub num_gpus: Option<i64>,
    /// Where the output of jobs goes
    #[arg(short, long, value_name = "DIR", default_value = "torc_output")]
    pub output_dir: PathBuf,
    /// Stop after this time, written as in ISO 8601: PT30M, PT2H
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub time_limit: Option<Duration>,
    /// Run jobs with these labels; without any, jobs without labels
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub label: Vec<String>,
    /// Begin a trace for this share of the claims, 0 to 1: it holds the claim, start and
    /// end of its jobs, on a server that exports traces (torc-server run --otlp)
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, hide_default_value = true)]
    pub trace_sample: f64,
    /// Exit with 1 unless all jobs of the workflow were completed
    #[arg(long)]
    pub fail_on_job_failure: bool,
    /// Show no progress
    #[arg(short, long, visible_alias = "no-progress")]
    pub quiet: bool,
    #[command(flatten)]
    pub create: CreateOptions,
    #[command(flatten)]
    pub standalone: StandaloneArgs,
    /// What the spec says, once it has been read
    #[arg(skip)]
    plan: Option<Box<Plan>>,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => Err("expected a number above 0".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        0 => Err("expected a time above 0".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

impl RunArgs {
    /// The URL of the older form `torc run URL run ID`, which is then read as `torc run ID`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there are words too many.
    pub fn take_older_form(&mut self) -> Result<Option<String>, Failure> {
        let [word, id] = self.rest.as_slice() else {
            return match self.rest.first() {
                None if self.target.contains("://") => Err(url_alone(&self.target)),
                None => Ok(None),
                Some(word) => Err(unexpected(word)),
            };
        };
        if word != "run" || !self.target.contains("://") {
            return Err(unexpected(word));
        }
        let url = std::mem::replace(&mut self.target, id.clone());
        self.rest.clear();
        Ok(Some(url))
    }

    /// Reads the spec, if one is named, so that its mistakes are told before anything
    /// else is done.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it has mistakes.
    pub fn read(&mut self) -> Result<(), Failure> {
        if self.id().is_none() {
            self.plan = Some(Box::new(create::load(&self.target)?));
        }
        Ok(())
    }

    /// The workflow that is named, if it is no spec.
    fn id(&self) -> Option<WorkflowId> {
        self.target.parse().ok()
    }
}

fn unexpected(word: &str) -> Failure {
    Failure::usage(format!("unexpected argument '{word}'"))
        .hint("usage: torc run [OPTIONS] <FILE|ID>; see `torc run --help`")
}

fn url_alone(url: &str) -> Failure {
    Failure::usage(format!("'{url}' is a URL, neither a spec nor a workflow"))
        .hint(format!("say which workflow: torc run ID --url {url}"))
}

/// Creates and starts what needs it, then works until the end.
///
/// # Errors
///
/// [`Failure`] if the work could not be done; with `--fail-on-job-failure` also if a
/// job failed.
pub async fn run(context: &Context, mut args: RunArgs) -> Result<(), Failure> {
    let mut signals = create::listen()?;
    let id = target(context, &mut args, &mut signals).await?;
    let config = RunnerConfig {
        output_dir: args.output_dir.clone(),
        max_parallel_jobs: args.max_parallel_jobs.map(|jobs| jobs as usize),
        num_cpus: args.num_cpus,
        memory_gb: args.memory_gb,
        num_gpus: args.num_gpus,
        time_limit: args.time_limit,
        labels: args.label.clone(),
        trace_sample: args.trace_sample,
        progress: if args.quiet {
            Progress::Quiet
        } else {
            Progress::auto()
        },
        ..RunnerConfig::new(context.client.clone(), id)
    };
    let outcome = runner::run_with(config, &mut signals).await?;
    let printed = print(context, id, &outcome);
    // The exit code is for programs, which may not read what is printed.
    tokio::select! {
        verdict = verdict(context, id, &outcome, args.fail_on_job_failure) => verdict?,
        signal = signals.next_number() => return Err(Failure::interrupted(signal)),
    }
    printed
}

fn print(context: &Context, id: WorkflowId, outcome: &RunOutcome) -> Result<(), Failure> {
    let answer = json!({
        "workflow_id": id,
        "status": ending(outcome),
        "completed": outcome.completed,
        "failed": outcome.failed,
        "pending_failed": outcome.pending_failed,
        "terminated": outcome.terminated,
        "canceled": outcome.canceled,
        "superseded": outcome.superseded,
        "given_back": outcome.given_back,
        "refused": outcome.refused,
        "unreported": outcome.unreported,
    });
    context
        .output
        .done(&answer, &format!("Workflow {id}: {outcome}"))
}

fn ending(outcome: &RunOutcome) -> &'static str {
    match outcome.ending {
        Ending::Complete => "complete",
        Ending::Canceled => "canceled",
        Ending::Idle => "idle",
        Ending::TimeUp => "time_up",
        Ending::Interrupted(_) => "interrupted",
    }
}

/// The workflow to work on, created and started as far as it needs to be.
async fn target(
    context: &Context,
    args: &mut RunArgs,
    signals: &mut Signals,
) -> Result<WorkflowId, Failure> {
    let id = match args.id() {
        Some(id) => id,
        None => {
            let plan = match args.plan.take() {
                Some(plan) => *plan,
                None => create::load(&args.target)?,
            };
            let jobs = plan.jobs.len();
            let id = create::create(context, plan, args.create, signals).await?;
            if !args.quiet {
                say(created_message(id, jobs));
            }
            id
        }
    };
    tokio::select! {
        started = start::start_if_nobody_has(context, id) => started?,
        signal = signals.next_number() => {
            if !args.quiet {
                say(format_args!("workflow {id} stays; `torc run {id}` runs it"));
            }
            return Err(Failure::interrupted(signal));
        }
    }
    Ok(id)
}

/// What the exit code is to say.
async fn verdict(
    context: &Context,
    id: WorkflowId,
    outcome: &RunOutcome,
    strict: bool,
) -> Result<(), Failure> {
    if let Some(signal) = outcome.interrupted_by() {
        return Err(Failure::interrupted(signal));
    }
    let lost = outcome.unreported + outcome.refused;
    if lost > 0 {
        return Err(
            Failure::new(format!("{lost} results could not be recorded"))
                .hint("the messages above say why; `torc workflows start` runs the jobs again"),
        );
    }
    if strict {
        all_completed(context, id).await?;
    }
    Ok(())
}

/// Fails unless every job was completed; those that their user took out do not count.
async fn all_completed(context: &Context, id: WorkflowId) -> Result<(), Failure> {
    let status = context.client.get_workflow_status(id).await?;
    let jobs = &status.jobs_by_status;
    let left = status.total_jobs - jobs.disabled - jobs.completed;
    if left == 0 {
        return Ok(());
    }
    let failed = jobs.failed + jobs.pending_failed + jobs.terminated;
    if failed > 0 {
        return Err(Failure::new(format!("jobs failed in workflow {id}"))
            .hint(format!("`torc results list {id} --failed` shows them")));
    }
    let left = count(usize::try_from(left).unwrap_or_default(), "job");
    Err(
        Failure::new(format!("{left} of workflow {id} not completed"))
            .hint(format!("`torc status {id}` says how they stand")),
    )
}
