//! One run of a job: started, ended, tried again, set by hand.

use axum::extract::{Path, Query};
use axum::routing::{post, put};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::server::extract::RequestKey;
use crate::wire::JobStatus;
use crate::wire::jobs::{
    BatchCompleteJobsRequest, BatchCompleteJobsResponse, JobModel, ResetJobStatusQuery,
    ResetJobStatusResponse, RetryJobQuery,
};
use crate::wire::object::Object;
use crate::wire::results::ResultModel;
use crate::wire::spawn_jobs::{SpawnJobsRequest, SpawnJobsResponse};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route(
            "/jobs/{id}/start_job/{run_id}/{compute_node_id}",
            put(start),
        )
        .route("/jobs/{id}/complete_job/{status}/{run_id}", post(complete))
        .route(
            "/jobs/{id}/manage_status_change/{status}/{run_id}",
            put(manage),
        )
        .route("/jobs/{id}/retry/{run_id}", post(retry))
        .route("/jobs/{id}/spawn_jobs", post(spawn))
        .route("/workflows/{id}/batch_complete_jobs", post(complete_batch))
        .route("/workflows/{id}/reset_job_status", post(reset))
}

async fn start(
    engine: Engine,
    Path((id, run_id, compute_node_id)): Path<(i64, i64, i64)>,
    RequestKey(key): RequestKey,
) -> Answer<JobModel> {
    answer(
        engine
            .start_job(id, run_id, compute_node_id, key.is_some())
            .await,
    )
}

async fn complete(
    engine: Engine,
    Path((id, status, run_id)): Path<(i64, JobStatus, i64)>,
    RequestKey(key): RequestKey,
    Json(Object(result)): Json<Object<ResultModel>>,
) -> Answer<JobModel> {
    answer(engine.complete_job(id, status, run_id, result, key).await)
}

async fn complete_batch(
    engine: Engine,
    Path(id): Path<i64>,
    RequestKey(key): RequestKey,
    Json(Object(request)): Json<Object<BatchCompleteJobsRequest>>,
) -> Answer<BatchCompleteJobsResponse> {
    answer(
        engine
            .batch_complete_jobs(id, request.completions, key)
            .await,
    )
}

async fn manage(
    engine: Engine,
    Path((id, status, run_id)): Path<(i64, JobStatus, i64)>,
) -> Answer<JobModel> {
    answer(engine.manage_status_change(id, status, run_id).await)
}

async fn retry(
    engine: Engine,
    Path((id, run_id)): Path<(i64, i64)>,
    Query(query): Query<RetryJobQuery>,
) -> Answer<JobModel> {
    answer(engine.retry_job(id, run_id, query.max_retries).await)
}

async fn spawn(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(request)): Json<Object<SpawnJobsRequest>>,
) -> Answer<SpawnJobsResponse> {
    answer(engine.spawn_jobs(id, request).await)
}

async fn reset(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ResetJobStatusQuery>,
) -> Answer<ResetJobStatusResponse> {
    answer(
        engine
            .reset_job_status(id, query.failed_only.unwrap_or(false))
            .await,
    )
}
