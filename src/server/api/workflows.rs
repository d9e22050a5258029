//! Workflows: created, read, changed, deleted.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::jobs::{RunningJobModel, RunningJobsQuery};
use crate::wire::object::Object;
use crate::wire::page::Page;
use crate::wire::workflows::{
    IsCompleteResponse, IsUninitializedResponse, ListJobIdsResponse, ListWorkflowsQuery,
    WorkflowModel, WorkflowStatusResponse,
};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/workflows", get(list).post(create))
        .route("/workflows/{id}", get(read).put(update).delete(delete))
        .route("/workflows/{id}/status", get(status))
        .route("/workflows/{id}/is_complete", get(is_complete))
        .route("/workflows/{id}/is_uninitialized", get(is_uninitialized))
        .route("/workflows/{id}/job_ids", get(job_ids))
        .route("/workflows/{id}/running_jobs", get(running_jobs))
}

async fn create(
    engine: Engine,
    Json(Object(workflow)): Json<Object<WorkflowModel>>,
) -> Answer<WorkflowModel> {
    answer(engine.create_workflow(workflow).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListWorkflowsQuery>,
) -> Answer<Page<WorkflowModel>> {
    answer(engine.list_workflows(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<WorkflowModel> {
    answer(engine.get_workflow(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<WorkflowModel>>,
) -> Answer<WorkflowModel> {
    answer(engine.update_workflow(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<WorkflowModel> {
    answer(engine.delete_workflow(id).await)
}

async fn status(engine: Engine, Path(id): Path<i64>) -> Answer<WorkflowStatusResponse> {
    answer(engine.get_workflow_status(id).await)
}

async fn is_complete(engine: Engine, Path(id): Path<i64>) -> Answer<IsCompleteResponse> {
    answer(engine.is_workflow_complete(id).await)
}

async fn is_uninitialized(engine: Engine, Path(id): Path<i64>) -> Answer<IsUninitializedResponse> {
    answer(engine.is_workflow_uninitialized(id).await)
}

async fn job_ids(engine: Engine, Path(id): Path<i64>) -> Answer<ListJobIdsResponse> {
    answer(engine.list_job_ids(id).await)
}

async fn running_jobs(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<RunningJobsQuery>,
) -> Answer<Page<RunningJobModel>> {
    answer(engine.get_running_jobs(id, query).await)
}
