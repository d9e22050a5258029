//! The runs of a workflow: initialised, cancelled, reset.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::engine::workflow_runs::Extent;
use crate::server::error::ApiError;
use crate::wire::object::Object;
use crate::wire::workflows::{
    ArchiveWorkflowRequest, InitializeJobsQuery, ProcessChangedJobInputsResponse,
    ProcessChangedQuery, ResetStatusQuery, WorkflowModel,
};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/workflows/{id}/initialize_jobs", post(initialize))
        .route("/workflows/{id}/archive", post(archive))
        .route("/workflows/{id}/cancel", put(cancel))
        .route("/workflows/{id}/reset_status", post(reset))
        .route(
            "/workflows/{id}/process_changed_job_inputs",
            post(process_changed),
        )
}

async fn initialize(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<InitializeJobsQuery>,
) -> Result<Response, ApiError> {
    let extent = match (query.if_uninitialized, query.only_uninitialized) {
        (Some(true), _) => Extent::AllIfUninitialized,
        (_, Some(true)) => Extent::Uninitialized,
        _ => Extent::All,
    };
    if query.run_async == Some(true) {
        let task = engine.initialize_jobs_later(id, &query, extent).await?;
        return Ok((StatusCode::ACCEPTED, Json(task)).into_response());
    }
    let done = engine.initialize_jobs(id, extent).await?;
    Ok(Json(done).into_response())
}

async fn cancel(engine: Engine, Path(id): Path<i64>) -> Answer<WorkflowModel> {
    answer(engine.cancel_workflow(id).await)
}

async fn archive(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(request)): Json<Object<ArchiveWorkflowRequest>>,
) -> Answer<WorkflowModel> {
    answer(engine.archive_workflow(id, request.is_archived).await)
}

async fn reset(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ResetStatusQuery>,
) -> Answer<WorkflowModel> {
    let force = query.force.unwrap_or(false);
    answer(engine.reset_workflow_status(id, force).await)
}

async fn process_changed(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ProcessChangedQuery>,
) -> Answer<ProcessChangedJobInputsResponse> {
    let dry_run = query.dry_run.unwrap_or(false);
    answer(engine.process_changed_job_inputs(id, dry_run).await)
}
