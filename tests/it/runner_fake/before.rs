//! What the fake server says of a workflow that is about to be started.

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use torc_server::wire::files::{FileModel, ListFilesQuery, ListRequiredExistingFilesResponse};
use torc_server::wire::page::Page;
use torc_server::wire::workflows::{
    InitializeJobsQuery, IsUninitializedResponse, JobStatusCounts, WorkflowStatusResponse,
};
use torc_server::wire::{API_VERSION, JobStatus};

use super::Fake;

/// What is asked before a worker begins.
pub fn routes() -> Router<Fake> {
    Router::new()
        .route("/version", get(version))
        .route("/workflows/1/is_uninitialized", get(is_uninitialized))
        .route("/workflows/1/required_existing_files", get(required))
        .route("/workflows/1/initialize_jobs", post(initialize))
        .route("/workflows/1/status", get(status))
        .route("/files", get(files))
}

async fn version() -> Json<serde_json::Value> {
    Json(json!({"version": "fake", "api_version": API_VERSION}))
}

/// All of them, as if no job wrote any.
async fn required(State(fake): State<Fake>) -> Json<ListRequiredExistingFilesResponse> {
    let count = fake.world().files.len() as i64;
    Json(ListRequiredExistingFilesResponse {
        files: (1..=count).collect(),
    })
}

/// One to a page: whoever wants to see all of them must go on reading.
async fn files(
    State(fake): State<Fake>,
    Query(query): Query<ListFilesQuery>,
) -> Json<Page<FileModel>> {
    let world = fake.world();
    let offset = query.offset.unwrap_or_default();
    let items: Vec<FileModel> = world
        .files
        .iter()
        .skip(offset as usize)
        .take(1)
        .cloned()
        .collect();
    Json(Page {
        offset,
        max_limit: 1,
        count: items.len() as i64,
        total_count: world.files.len() as i64,
        has_more: offset + 1 < world.files.len() as i64,
        items,
    })
}

async fn is_uninitialized(State(fake): State<Fake>) -> Json<IsUninitializedResponse> {
    let (is_uninitialized, slow) = {
        let mut world = fake.world();
        world.asked += 1;
        (world.is_uninitialized(), world.slow_to_say)
    };
    tokio::time::sleep(slow).await;
    Json(IsUninitializedResponse { is_uninitialized })
}

/// As the contract has it: without `if_uninitialized` jobs at work become ready again.
async fn initialize(
    State(fake): State<Fake>,
    Query(query): Query<InitializeJobsQuery>,
) -> Json<serde_json::Value> {
    let mut world = fake.world();
    let skips = query.if_uninitialized == Some(true) && !world.is_uninitialized();
    if !skips {
        for job in &mut world.jobs {
            job.status = match job.status {
                Some(JobStatus::Uninitialized) => Some(JobStatus::Blocked),
                Some(JobStatus::Pending | JobStatus::Running) => Some(JobStatus::Ready),
                other => other,
            };
        }
        if query.if_uninitialized == Some(true) && world.workflow.run_id == Some(0) {
            world.workflow.run_id = Some(1);
        }
        world.release();
        fake.tell_of("workflow_started", world.silent);
    }
    Json(json!({"message": "Initialized job status"}))
}

async fn status(State(fake): State<Fake>) -> Json<WorkflowStatusResponse> {
    let world = fake.world();
    let count = |status| world.count(status) as i64;
    Json(WorkflowStatusResponse {
        total_jobs: world.jobs.len() as i64,
        jobs_by_status: JobStatusCounts {
            completed: count(JobStatus::Completed),
            ..JobStatusCounts::default()
        },
        ..WorkflowStatusResponse::default()
    })
}
