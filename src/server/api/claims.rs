//! Claims: a worker asks for jobs.

use axum::extract::{Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::server::extract::RequestKey;
use crate::wire::claims::{
    ClaimByResourcesQuery, ClaimNextQuery, ClaimResponse, ComputeNodesResources,
    GetReadyJobRequirementsResponse, ReadyRequirementsQuery,
};
use crate::wire::object::Object;

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/workflows/{id}/claim_next_jobs", post(next))
        .route(
            "/workflows/{id}/claim_jobs_based_on_resources/{limit}",
            post(by_resources),
        )
        .route("/workflows/{id}/ready_job_requirements", get(requirements))
}

async fn next(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ClaimNextQuery>,
    RequestKey(key): RequestKey,
) -> Answer<ClaimResponse> {
    answer(engine.claim_next_jobs(id, query, key).await)
}

async fn by_resources(
    engine: Engine,
    Path((id, limit)): Path<(i64, i64)>,
    Query(query): Query<ClaimByResourcesQuery>,
    RequestKey(key): RequestKey,
    Json(Object(resources)): Json<Object<ComputeNodesResources>>,
) -> Answer<ClaimResponse> {
    let strict = query.strict_scheduler_match.unwrap_or(false);
    answer(
        engine
            .claim_jobs_based_on_resources(id, limit, resources, strict, key)
            .await,
    )
}

async fn requirements(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ReadyRequirementsQuery>,
) -> Answer<GetReadyJobRequirementsResponse> {
    answer(
        engine
            .get_ready_job_requirements(id, query.scheduler_config_id)
            .await,
    )
}
