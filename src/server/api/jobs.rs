//! Jobs: created, read, changed, deleted.

use axum::extract::{Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::server::extract::ManyJson;
use crate::wire::jobs::{CreateJobsResponse, JobModel, JobsModel, ListJobsQuery};
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/jobs", get(list).post(create).delete(delete_all))
        .route("/jobs/{id}", get(read).put(update).delete(delete))
}

/// The route that takes large bodies.
pub fn bulk_routes() -> Router<Engine> {
    Router::new().route("/bulk_jobs", post(create_bulk))
}

async fn create(engine: Engine, Json(Object(job)): Json<Object<JobModel>>) -> Answer<JobModel> {
    answer(engine.create_job(job).await)
}

async fn create_bulk(
    engine: Engine,
    ManyJson(jobs): ManyJson<JobsModel>,
) -> Answer<CreateJobsResponse> {
    answer(engine.create_jobs(jobs).await)
}

async fn list(engine: Engine, Query(query): Query<ListJobsQuery>) -> Answer<Page<JobModel>> {
    answer(engine.list_jobs(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<JobModel> {
    answer(engine.get_job(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<JobModel>>,
) -> Answer<JobModel> {
    answer(engine.update_job(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<JobModel> {
    answer(engine.delete_job(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_jobs(query.workflow_id).await)
}
