//! `torc create`: from a spec to a workflow.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::creation;
use super::failure::Failure;
use super::output::{Output, count, print, print_json};
use super::table::lines;
use crate::runner::Signals;
use crate::say::say;
use crate::spec::{self, Plan, Problem, Source, SpecErrors};
use crate::wire::WorkflowId;

/// What `torc create` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  torc create workflow.yaml
  torc create --dry-run workflow.json5
  generate-spec | torc create -")]
pub struct CreateArgs {
    /// Spec in YAML, JSON or JSON5; `-` reads standard input
    pub file: String,
    /// Check the spec and say what it comes to, without creating anything
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub options: CreateOptions,
    /// What the spec says, once it has been read
    #[arg(skip)]
    plan: Option<Box<Plan>>,
}

impl CreateArgs {
    /// Reads the spec, so that its mistakes are told before anything else is done.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it has mistakes.
    pub fn read(&mut self) -> Result<(), Failure> {
        self.plan = Some(Box::new(load(&self.file)?));
        Ok(())
    }
}

/// Options of everything that creates.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct CreateOptions {
    /// Do not let workers watch what jobs use
    #[arg(long)]
    pub no_resource_monitoring: bool,
    /// Accepted for scripts written for other versions
    #[arg(long, hide = true)]
    pub skip_checks: bool,
}

/// Creates the workflow and prints its id.
///
/// # Errors
///
/// [`Failure`] if the spec has mistakes or the server refuses.
pub async fn run(context: &Context, args: CreateArgs) -> Result<(), Failure> {
    let plan = match args.plan {
        Some(plan) => *plan,
        None => load(&args.file)?,
    };
    let jobs = plan.jobs.len();
    let mut signals = listen()?;
    let id = create(context, plan, args.options, &mut signals).await?;
    let message = created_message(id, jobs);
    let answer = json!({
        "workflow_id": id,
        "status": "success",
        "job_count": jobs,
        "message": message,
    });
    context.output.done(&answer, &message)
}

/// How a creation is told.
pub fn created_message(id: WorkflowId, jobs: usize) -> String {
    format!("Created workflow {id} ({})", count(jobs, "job"))
}

/// Creates the workflow of a plan.
///
/// # Errors
///
/// [`Failure`] if the server refuses.
pub async fn create(
    context: &Context,
    plan: Plan,
    options: CreateOptions,
    signals: &mut Signals,
) -> Result<WorkflowId, Failure> {
    creation::create(context, plan, !options.no_resource_monitoring, signals).await
}

/// Listens for signals, once for all that a command does.
///
/// # Errors
///
/// [`Failure`] if the operating system refuses.
pub fn listen() -> Result<Signals, Failure> {
    Signals::listen().map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))
}

/// Reads a spec and tells its warnings.
///
/// # Errors
///
/// [`Failure`] if it has mistakes.
pub fn load(file: &str) -> Result<Plan, Failure> {
    let source = Source::from_argument(file);
    let plan = spec::load(&source)?;
    tell(&warnings(&source.label(), &plan.summary.warnings));
    Ok(plan)
}

/// Warnings shown before the rest is only counted, as with mistakes.
const SHOWN: usize = 50;

/// Tells warnings.
pub fn tell(warnings: &[String]) {
    for warning in warnings.iter().take(SHOWN) {
        say(format_args!("warning: {warning}"));
    }
    if warnings.len() > SHOWN {
        let more = warnings.len() - SHOWN;
        say(format_args!("... and {more} more warnings"));
    }
}

/// Warnings about a source of this name, a line each.
pub fn warnings(label: &str, warnings: &[Problem]) -> Vec<String> {
    warnings
        .iter()
        .map(|warning| {
            let (line, column) = (warning.line, warning.column);
            let help = warning.help.as_ref();
            let help = help.map_or_else(String::new, |help| format!(" ({help})"));
            format!("{label}:{line}:{column}: {}{help}", warning.message)
        })
        .collect()
}

/// Says what a spec comes to. Needs no server.
///
/// # Errors
///
/// [`Failure`] if it has mistakes.
pub fn dry_run(output: Output, file: &str) -> Result<(), Failure> {
    let source = Source::from_argument(file);
    match spec::load(&source) {
        Ok(plan) if output.is_json() => print_json(&valid(&source, &plan)),
        Ok(plan) => {
            tell(&warnings(&source.label(), &plan.summary.warnings));
            print(&lines(&summary_lines(&plan)))
        }
        Err(errors) if output.is_json() => {
            print_json(&invalid(&errors))?;
            Err(Failure::silent(1))
        }
        Err(errors) => Err(errors.into()),
    }
}

fn summary_lines(plan: &Plan) -> Vec<(&'static str, String)> {
    let summary = &plan.summary;
    let expanded = |all: usize, declared: usize| {
        if all == declared {
            all.to_string()
        } else {
            format!("{all}, from {declared} in the spec")
        }
    };
    let edges: usize = plan.jobs.iter().map(|job| job.depends_on.len()).sum();
    let jobs = expanded(summary.job_count, summary.job_count_before_expansion);
    let files = expanded(summary.file_count, summary.file_count_before_expansion);
    vec![
        ("Valid workflow", summary.workflow_name.clone()),
        ("Jobs", jobs),
        ("Dependencies by name", edges.to_string()),
        ("Files", files),
        ("User data", summary.user_data_count.to_string()),
        (
            "Resource requirements",
            summary.resource_requirements_count.to_string(),
        ),
    ]
}

/// The contract's answer for a good spec. Schedulers and actions come later; their
/// counts are there because readers expect them.
fn valid(source: &Source, plan: &Plan) -> serde_json::Value {
    let names: Vec<&str> = plan
        .jobs
        .iter()
        .map(|job| job.model.name.as_str())
        .collect();
    let mut summary = json!(plan.summary);
    if let Some(summary) = summary.as_object_mut() {
        summary.insert("slurm_scheduler_count".to_owned(), json!(0));
        summary.insert("action_count".to_owned(), json!(0));
        summary.insert("has_schedule_nodes_action".to_owned(), json!(false));
        summary.insert("job_names".to_owned(), json!(names));
        summary.insert("scheduler_names".to_owned(), json!([]));
    }
    json!({
        "valid": true,
        "errors": [],
        "warnings": warnings(&source.label(), &plan.summary.warnings),
        "summary": summary,
    })
}

fn invalid(errors: &SpecErrors) -> serde_json::Value {
    let lines = errors.problems.iter().map(|problem| {
        let (line, column) = (problem.line, problem.column);
        let help = problem.help.as_ref();
        let help = help.map_or_else(String::new, |help| format!(" (help: {help})"));
        format!(
            "{}:{line}:{column}: {}{help}",
            errors.source, problem.message
        )
    });
    json!({
        "valid": false,
        "errors": lines.collect::<Vec<_>>(),
        "warnings": warnings(&errors.source, &errors.warnings),
    })
}
