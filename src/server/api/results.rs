//! Results: how the runs of jobs ended.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};
use crate::wire::results::{ListResultsQuery, ResultModel};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/results", get(list).post(create).delete(delete_all))
        .route("/results/{id}", get(read).put(update).delete(delete))
}

async fn create(
    engine: Engine,
    Json(Object(result)): Json<Object<ResultModel>>,
) -> Answer<ResultModel> {
    answer(engine.create_result(result).await)
}

async fn list(engine: Engine, Query(query): Query<ListResultsQuery>) -> Answer<Page<ResultModel>> {
    answer(engine.list_results(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<ResultModel> {
    answer(engine.get_result(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<ResultModel>>,
) -> Answer<ResultModel> {
    answer(engine.update_result(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<ResultModel> {
    answer(engine.delete_result(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_results(query.workflow_id).await)
}
