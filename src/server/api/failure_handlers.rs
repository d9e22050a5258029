//! Failure handlers.

use axum::extract::{Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::failure_handlers::{
    DeletedFailureHandler, FailureHandlerModel, ListFailureHandlersQuery,
};
use crate::wire::object::Object;
use crate::wire::page::Page;

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/failure_handlers", post(create))
        .route("/failure_handlers/{id}", get(read).delete(delete))
        .route("/workflows/{id}/failure_handlers", get(list))
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<FailureHandlerModel>>,
) -> Answer<FailureHandlerModel> {
    answer(engine.create_failure_handler(model).await)
}

async fn list(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ListFailureHandlersQuery>,
) -> Answer<Page<FailureHandlerModel>> {
    answer(engine.list_failure_handlers(id, &query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<FailureHandlerModel> {
    answer(engine.get_failure_handler(id).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<DeletedFailureHandler> {
    answer(engine.delete_failure_handler(id).await)
}
