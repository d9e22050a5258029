//! `torc workflows start`: makes a workflow ready for workers.

use std::path::Path;

use serde_json::json;

use super::context::{Context, patiently};
use super::failure::Failure;
use super::output::count;
use crate::client::Client;
use crate::wire::WorkflowId;
use crate::wire::files::ListFilesQuery;
use crate::wire::jobs::ResetJobStatusQuery;
use crate::wire::workflows::{InitializeJobsQuery, ResetStatusQuery, WorkflowStatusResponse};

/// Starts the workflow, afresh if it has run before, and says so.
///
/// # Errors
///
/// [`Failure`] if jobs are running, input files are missing, or the server refuses.
pub async fn run(context: &Context, id: WorkflowId, force: bool) -> Result<(), Failure> {
    let status = start(context, id, force).await?;
    let jobs = &status.jobs_by_status;
    let ready = usize::try_from(jobs.ready).unwrap_or_default();
    let message = format!(
        "Started workflow {id}: {} ready, {} blocked",
        count(ready, "job"),
        jobs.blocked
    );
    let answer = json!({
        "workflow_id": id,
        "status": "success",
        "message": message,
    });
    context.output.done(&answer, &message)
}

/// Starts the workflow, and says how it stands then.
///
/// # Errors
///
/// [`Failure`] if jobs are running, input files are missing, or the server refuses.
pub async fn start(
    context: &Context,
    id: WorkflowId,
    force: bool,
) -> Result<WorkflowStatusResponse, Failure> {
    let client = &context.client;
    let status = client.get_workflow_status(id).await?;
    let at_work = status.jobs_by_status.pending + status.jobs_by_status.running;
    if at_work > 0 && !force {
        let jobs = count(usize::try_from(at_work).unwrap_or_default(), "job");
        let verb = if at_work == 1 { "is" } else { "are" };
        return Err(
            Failure::new(format!("{jobs} of workflow {id} {verb} at work"))
                .hint("wait for them, `torc cancel` the workflow, or start it with --force"),
        );
    }
    if !force {
        check_files(client, id).await?;
    }
    if has_run(&status) {
        let query = ResetStatusQuery { force: Some(force) };
        patiently(|| client.reset_workflow_status(id, &query)).await?;
        let query = ResetJobStatusQuery {
            failed_only: Some(false),
        };
        patiently(|| client.reset_job_status(id, &query)).await?;
    }
    let query = InitializeJobsQuery::default();
    patiently(|| client.initialize_jobs(id, &query)).await?;
    Ok(client.get_workflow_status(id).await?)
}

/// Whether a run has left traces that a new one must not inherit.
fn has_run(status: &WorkflowStatusResponse) -> bool {
    let jobs = &status.jobs_by_status;
    let touched = jobs.pending
        + jobs.running
        + jobs.completed
        + jobs.failed
        + jobs.canceled
        + jobs.terminated
        + jobs.pending_failed;
    touched > 0 || status.is_canceled
}

/// Missing files named in the message.
const NAMED: usize = 10;

/// Refuses to start what would fail at once: no job makes these files, and they do not exist.
async fn check_files(client: &Client, id: WorkflowId) -> Result<(), Failure> {
    let required = client.list_required_existing_files(id).await?.files;
    if required.is_empty() {
        return Ok(());
    }
    let query = ListFilesQuery {
        workflow_id: id,
        ..ListFilesQuery::default()
    };
    let files = client.list_files(&query).await?.items;
    let missing: Vec<String> = files
        .into_iter()
        .filter(|file| {
            file.id
                .is_some_and(|id| required.binary_search(&id).is_ok())
        })
        .filter(|file| !Path::new(&file.path).exists())
        .map(|file| format!("{} ({})", file.name, file.path))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let more = missing.len().saturating_sub(NAMED);
    let mut names = missing
        .into_iter()
        .take(NAMED)
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        names += &format!(" and {more} more");
    }
    Err(Failure::new(format!(
        "input files of workflow {id} do not exist: {names}"
    ))
    .hint("run the command where their paths lead, or start with --force"))
}
