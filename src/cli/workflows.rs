//! `torc workflows`: everything about workflows as a whole.

use clap::{Args, Subcommand};
use serde_json::json;

use super::confirm::Confirm;
use super::context::{Context, patiently};
use super::create::{self, CreateArgs};
use super::failure::Failure;
use super::jobs::id;
use super::paging::{self, ListArgs};
use super::table::Column;
use super::{start, status};
use crate::say::say;
use crate::wire::WorkflowId;
use crate::wire::workflows::{ListWorkflowsQuery, WorkflowModel};

/// What can be done with workflows.
#[derive(Debug, Clone, Subcommand)]
pub enum WorkflowsCommand {
    /// Create a workflow from a spec
    Create(CreateArgs),
    /// Make a workflow ready for workers; afresh if it has run before
    #[command(visible_alias = "init")]
    Start {
        /// Workflow
        id: WorkflowId,
        /// Even if jobs are at work or input files are missing
        #[arg(long)]
        force: bool,
    },
    /// List workflows
    List(WorkflowsList),
    /// Show a workflow
    Get {
        /// Workflow
        id: WorkflowId,
    },
    /// Show how a workflow stands
    Status {
        /// Workflow; your newest when absent
        id: Option<WorkflowId>,
    },
    /// Cancel a workflow and stop its jobs
    Cancel(CancelArgs),
    /// Delete workflows with all that belongs to them
    Delete(DeleteArgs),
}

/// What `torc workflows list` takes.
#[derive(Debug, Clone, Args)]
pub struct WorkflowsList {
    /// Workflows of everybody, not yours alone
    #[arg(short, long)]
    all_users: bool,
    /// Only workflows of this name
    #[arg(long)]
    name: Option<String>,
    /// Also archived workflows
    #[arg(long)]
    include_archived: bool,
    /// Only archived workflows
    #[arg(long, conflicts_with = "include_archived")]
    archived_only: bool,
    #[command(flatten)]
    page: ListArgs,
}

/// What `torc cancel` takes.
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// Workflow; your newest when absent
    id: Option<WorkflowId>,
    #[command(flatten)]
    confirm: Confirm,
}

/// What `torc delete` takes.
#[derive(Debug, Clone, Args)]
pub struct DeleteArgs {
    /// Workflows
    #[arg(required = true)]
    ids: Vec<WorkflowId>,
    #[command(flatten)]
    confirm: Confirm,
}

const COLUMNS: [Column<WorkflowModel>; 6] = [
    Column::number("id", |row| id(row.id)),
    Column::text("name", |row| row.name.clone()),
    Column::text("user", |row| row.user.clone()),
    Column::text("project", |row| row.project.clone().unwrap_or_default()),
    Column::text("created", |row| row.timestamp.clone().unwrap_or_default()),
    Column::text("description", |row| {
        row.description.clone().unwrap_or_default()
    }),
];

/// Does what was asked for.
///
/// # Errors
///
/// [`Failure`] if the server refuses.
pub async fn run(context: &Context, command: WorkflowsCommand) -> Result<(), Failure> {
    match command {
        WorkflowsCommand::Create(args) => create::run(context, args).await,
        WorkflowsCommand::Start { id, force } => start::run(context, id, force).await,
        WorkflowsCommand::List(args) => list(context, args).await,
        WorkflowsCommand::Get { id } => get(context, id).await,
        WorkflowsCommand::Status { id } => status::run(context, id).await,
        WorkflowsCommand::Cancel(args) => cancel(context, args).await,
        WorkflowsCommand::Delete(args) => delete(context, args).await,
    }
}

async fn list(context: &Context, args: WorkflowsList) -> Result<(), Failure> {
    let archived = match (args.include_archived, args.archived_only) {
        (true, _) => None,
        (_, only) => Some(only),
    };
    let query = ListWorkflowsQuery {
        name: args.name,
        user: (!args.all_users).then(|| context.user.clone()),
        is_archived: archived,
        sort_by: args.page.sort_by.clone(),
        reverse_sort: args.page.reverse_sort.then_some(true),
        ..ListWorkflowsQuery::default()
    };
    let workflows = paging::all(&args.page, |offset, limit| {
        let query = ListWorkflowsQuery {
            offset: Some(offset),
            limit: Some(limit),
            ..query.clone()
        };
        async move { context.client.list_workflows(&query).await }
    })
    .await?;
    context.output.list(&workflows, &COLUMNS)
}

async fn get(context: &Context, id: WorkflowId) -> Result<(), Failure> {
    let workflow = context.client.get_workflow(id).await?;
    let flag = |flag: Option<bool>| if flag == Some(true) { "yes" } else { "" }.to_owned();
    let metadata = workflow.metadata.as_ref();
    let lines = [
        ("Workflow", format!("{id}, {}", workflow.name)),
        ("User", workflow.user.clone()),
        (
            "Description",
            workflow.description.clone().unwrap_or_default(),
        ),
        ("Project", workflow.project.clone().unwrap_or_default()),
        (
            "Metadata",
            metadata.map_or_else(String::new, |metadata| json!(metadata).to_string()),
        ),
        ("Created", workflow.timestamp.clone().unwrap_or_default()),
        (
            "Created in",
            workflow.submission_directory.clone().unwrap_or_default(),
        ),
        ("Run", workflow.run_id.unwrap_or_default().to_string()),
        ("Canceled", flag(workflow.is_canceled)),
        ("Archived", flag(workflow.is_archived)),
    ];
    let told: Vec<_> = lines
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    context.output.one(&workflow, &told)
}

/// Cancels a workflow.
///
/// # Errors
///
/// [`Failure`] if the user or the server refuses.
pub async fn cancel(context: &Context, args: CancelArgs) -> Result<(), Failure> {
    let id = context.workflow_or_newest(args.id).await?;
    args.confirm
        .ask(&format!("Cancel workflow {id} and stop its jobs?"))?;
    patiently(|| context.client.cancel_workflow(id)).await?;
    let message = format!("Canceled workflow {id}");
    let answer = json!({ "workflow_id": id, "status": "success", "message": message });
    context.output.done(&answer, &message)
}

/// Deletes workflows; one that cannot be deleted does not keep the others.
///
/// # Errors
///
/// [`Failure`] if the user refuses, or the server refuses one of them.
pub async fn delete(context: &Context, args: DeleteArgs) -> Result<(), Failure> {
    let ids: Vec<String> = args.ids.iter().map(i64::to_string).collect();
    let noun = if ids.len() == 1 {
        "workflow"
    } else {
        "workflows"
    };
    let question = format!(
        "Delete {noun} {} with all jobs and results?",
        ids.join(", ")
    );
    args.confirm.ask(&question)?;
    let mut failure = None;
    let mut answers = Vec::new();
    for id in args.ids {
        let mut result = patiently(|| context.client.delete_workflow(id))
            .await
            .map_err(Failure::from)
            .map(drop);
        if result.is_ok() {
            let message = format!("Deleted workflow {id}");
            if !context.output.is_json() {
                result = context.output.done(&(), &message);
            }
            answers.push(json!({ "workflow_id": id, "status": "success", "message": message }));
        }
        if let Err(error) = result
            && let Some(earlier) = failure.replace(error)
        {
            say(earlier);
        }
    }
    if context.output.is_json() {
        match answers.as_slice() {
            [one] => context.output.done(one, "")?,
            several => context.output.done(&json!({ "items": several }), "")?,
        }
    }
    failure.map_or(Ok(()), Err)
}
