//! `torc workflows start`: makes a workflow ready for workers.

use std::path::Path;

use serde_json::json;

use super::context::{Context, insistently, patiently};
use super::failure::Failure;
use super::output::count;
use super::paging::{self, ListArgs};
use crate::client::{Client, ClientError};
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
async fn start(
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
    let query = ResetStatusQuery { force: Some(force) };
    patiently(|| client.reset_workflow_status(id, &query)).await?;
    if is_untouched(&status) {
        patiently(|| client.initialize_jobs(id, &UNLESS_DONE)).await?;
    } else {
        let query = ResetJobStatusQuery {
            failed_only: Some(false),
        };
        patiently(|| client.reset_job_status(id, &query)).await?;
        let query = InitializeJobsQuery::default();
        patiently(|| client.initialize_jobs(id, &query)).await?;
    }
    Ok(client.get_workflow_status(id).await?)
}

/// Initializes a workflow unless somebody else has done so by now, which our server
/// decides in one step; then the first run begins with it. Doing it twice would make jobs
/// ready that are at work already.
const UNLESS_DONE: InitializeJobsQuery = InitializeJobsQuery {
    only_uninitialized: Some(true),
    if_uninitialized: Some(true),
    clear_ephemeral_user_data: None,
    run_async: None,
};

/// Whether no run has left traces that a new one must not inherit.
fn is_untouched(status: &WorkflowStatusResponse) -> bool {
    let jobs = &status.jobs_by_status;
    jobs.uninitialized + jobs.disabled == status.total_jobs
}

/// Starts the workflow if nobody has. Several workers may do this in the same moment.
///
/// The server then begins the first run, which is run 1, as with the published clients.
///
/// # Errors
///
/// [`Failure`] if input files are missing, or the server refuses.
pub async fn start_if_nobody_has(context: &Context, id: WorkflowId) -> Result<(), Failure> {
    let client = &context.client;
    if is_uninitialized(client, id).await? {
        check_files(client, id).await?;
        patiently(|| client.initialize_jobs(id, &UNLESS_DONE)).await?;
    }
    Ok(())
}

async fn is_uninitialized(client: &Client, id: WorkflowId) -> Result<bool, ClientError> {
    let answer = insistently(|| client.is_workflow_uninitialized(id)).await?;
    Ok(answer.is_uninitialized)
}

/// Missing files named in the message.
const NAMED: usize = 10;

/// Refuses to start what would fail at once: no job makes these files, and they do not exist.
async fn check_files(client: &Client, id: WorkflowId) -> Result<(), Failure> {
    let required = insistently(|| client.list_required_existing_files(id))
        .await?
        .files;
    if required.is_empty() {
        return Ok(());
    }
    let files = paging::all(&ListArgs::default(), |offset, limit| {
        let query = ListFilesQuery {
            workflow_id: id,
            offset: Some(offset),
            limit: Some(limit),
            ..ListFilesQuery::default()
        };
        async move { client.list_files(&query).await }
    })
    .await?;
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
