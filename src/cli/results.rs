//! `torc results`: how jobs ended.

use clap::Subcommand;

use super::context::Context;
use super::failure::Failure;
use super::jobs::id;
use super::paging::{self, ListArgs};
use super::table::Column;
use crate::wire::results::{ListResultsQuery, ResultModel};
use crate::wire::{JobId, JobStatus, RunId, WorkflowId};

/// What can be done with results.
#[derive(Debug, Clone, Subcommand)]
pub enum ResultsCommand {
    /// List how the jobs of a workflow ended
    #[command(after_help = "Examples:
  torc results list 1 --failed
  torc results list 1 --all-runs -f csv > results.csv")]
    List {
        /// Workflow; your newest when absent
        workflow_id: Option<WorkflowId>,
        /// Only results of this job
        #[arg(short, long, value_name = "ID")]
        job_id: Option<JobId>,
        /// Only results of this run
        #[arg(short, long)]
        run_id: Option<RunId>,
        /// Only results with this return code
        #[arg(long)]
        return_code: Option<i64>,
        /// Only jobs that failed
        #[arg(long, conflicts_with = "status")]
        failed: bool,
        /// Only results with this status
        #[arg(short, long)]
        status: Option<JobStatus>,
        /// Only results from this compute node
        #[arg(long, value_name = "ID")]
        compute_node: Option<i64>,
        /// Also results that later ones have replaced
        #[arg(long)]
        all_runs: bool,
        #[command(flatten)]
        page: ListArgs,
    },
}

const COLUMNS: [Column<ResultModel>; 9] = [
    Column::number("id", |row| id(row.id)),
    Column::number("job", |row| row.job_id.to_string()),
    Column::text("name", |row| row.job_name.clone().unwrap_or_default()),
    Column::number("run", |row| row.run_id.to_string()),
    Column::number("attempt", |row| row.attempt_id.unwrap_or(1).to_string()),
    Column::status("status", |row| row.status.to_string()),
    Column::number("code", |row| row.return_code.to_string()),
    Column::number("seconds", |row| {
        format!("{:.3}", row.exec_time_minutes * 60.0)
    }),
    Column::text("ended", |row| row.completion_time.clone()),
];

/// Does what was asked for.
///
/// # Errors
///
/// [`Failure`] if the server refuses.
pub async fn run(context: &Context, command: ResultsCommand) -> Result<(), Failure> {
    let ResultsCommand::List {
        workflow_id,
        job_id,
        run_id,
        return_code,
        failed,
        status,
        compute_node,
        all_runs,
        page,
    } = command;
    let query = ListResultsQuery {
        workflow_id: context.workflow_or_newest(workflow_id).await?,
        job_id,
        run_id,
        return_code,
        status: if failed {
            Some(JobStatus::Failed)
        } else {
            status
        },
        compute_node_id: compute_node,
        all_runs: all_runs.then_some(true),
        sort_by: page.sort_by.clone(),
        reverse_sort: page.reverse_sort.then_some(true),
        ..ListResultsQuery::default()
    };
    let results = paging::all(&page, |offset, limit| {
        let query = ListResultsQuery {
            offset: Some(offset),
            limit: Some(limit),
            ..query.clone()
        };
        async move { context.client.list_results(&query).await }
    })
    .await?;
    context.output.list(&results, &COLUMNS)
}
