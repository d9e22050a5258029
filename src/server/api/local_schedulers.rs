//! Local schedulers.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::local_schedulers::{ListLocalSchedulersQuery, LocalSchedulerModel};
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route(
            "/local_schedulers",
            get(list).post(create).delete(delete_all),
        )
        .route(
            "/local_schedulers/{id}",
            get(read).put(update).delete(delete),
        )
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<LocalSchedulerModel>>,
) -> Answer<LocalSchedulerModel> {
    answer(engine.create_local_scheduler(model).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListLocalSchedulersQuery>,
) -> Answer<Page<LocalSchedulerModel>> {
    answer(engine.list_local_schedulers(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<LocalSchedulerModel> {
    answer(engine.get_local_scheduler(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<LocalSchedulerModel>>,
) -> Answer<LocalSchedulerModel> {
    answer(engine.update_local_scheduler(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<LocalSchedulerModel> {
    answer(engine.delete_local_scheduler(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_local_schedulers(query.workflow_id).await)
}
