//! `torc jobs`: looking at jobs.

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::paging::{self, ListArgs};
use super::table::Column;
use crate::wire::jobs::{JobModel, ListJobsQuery};
use crate::wire::{JobId, JobStatus, WorkflowId};

/// What can be done with jobs.
#[derive(Debug, Clone, Subcommand)]
pub enum JobsCommand {
    /// List the jobs of a workflow
    #[command(after_help = "Examples:
  torc jobs list 1 --status failed
  torc jobs list 1 -f csv --sort-by name")]
    List {
        /// Workflow; your newest when absent
        workflow_id: Option<WorkflowId>,
        /// Only jobs in this status
        #[arg(short, long)]
        status: Option<JobStatus>,
        /// Only jobs with this in their name
        #[arg(long)]
        name: Option<String>,
        /// Only jobs that wait for this job
        #[arg(long, value_name = "ID")]
        upstream_job_id: Option<JobId>,
        /// Show in JSON what each job waits for, reads and writes
        #[arg(long)]
        include_relationships: bool,
        #[command(flatten)]
        page: ListArgs,
    },
    /// Show a job
    Get {
        /// Job
        id: JobId,
    },
}

const COLUMNS: [Column<JobModel>; 6] = [
    Column::number("id", |job| id(job.id)),
    Column::text("name", |job| job.name.clone()),
    Column::status("status", status),
    Column::number("priority", |job| {
        job.priority.unwrap_or_default().to_string()
    }),
    Column::number("attempt", |job| job.attempt_id.unwrap_or(1).to_string()),
    Column::text("command", |job| job.command.clone()),
];

/// An id as text; rows that the server sends have one.
pub fn id(id: Option<i64>) -> String {
    id.map_or_else(String::new, |id| id.to_string())
}

fn status(job: &JobModel) -> String {
    job.status
        .map_or_else(String::new, |status| status.to_string())
}

/// Does what was asked for.
///
/// # Errors
///
/// [`Failure`] if the server refuses.
pub async fn run(context: &Context, command: JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::Get { id } => get(context, id).await,
        JobsCommand::List {
            workflow_id,
            status,
            name,
            upstream_job_id,
            include_relationships,
            page,
        } => {
            let query = ListJobsQuery {
                workflow_id: context.workflow_or_newest(workflow_id).await?,
                status,
                name,
                upstream_job_id,
                include_relationships: include_relationships.then_some(true),
                sort_by: page.sort_by.clone(),
                reverse_sort: page.reverse_sort.then_some(true),
                ..ListJobsQuery::default()
            };
            let jobs = paging::all(&page, |offset, limit| {
                let query = ListJobsQuery {
                    offset: Some(offset),
                    limit: Some(limit),
                    ..query.clone()
                };
                async move { context.client.list_jobs(&query).await }
            })
            .await?;
            context.output.list(&jobs, &COLUMNS)
        }
    }
}

async fn get(context: &Context, id: JobId) -> Result<(), Failure> {
    let job = context.client.get_job(id).await?;
    let ids = |ids: &Option<Vec<i64>>| {
        let ids: Vec<String> = ids.iter().flatten().map(i64::to_string).collect();
        ids.join(", ")
    };
    let env = job.env.iter().flatten();
    let env: Vec<String> = env.map(|(name, value)| format!("{name}={value}")).collect();
    let lines = [
        ("Job", format!("{id}, {}", job.name)),
        ("Workflow", job.workflow_id.to_string()),
        ("Status", status(&job)),
        ("Command", job.command.clone()),
        ("Script", job.invocation_script.clone().unwrap_or_default()),
        ("Environment", env.join(", ")),
        ("Priority", job.priority.unwrap_or_default().to_string()),
        ("Labels", job.labels.clone().unwrap_or_default().join(", ")),
        ("Attempt", job.attempt_id.unwrap_or(1).to_string()),
        ("Started", job.start_time.clone().unwrap_or_default()),
        ("Waits for jobs", ids(&job.depends_on_job_ids)),
        ("Reads files", ids(&job.input_file_ids)),
        ("Writes files", ids(&job.output_file_ids)),
        ("Reads user data", ids(&job.input_user_data_ids)),
        ("Writes user data", ids(&job.output_user_data_ids)),
    ];
    let told: Vec<_> = lines
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    context.output.one(&job, &told)
}
