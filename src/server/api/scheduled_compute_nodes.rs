//! Scheduled compute nodes.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};
use crate::wire::scheduled_compute_nodes::{
    ListScheduledComputeNodesQuery, ScheduledComputeNodesModel,
};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route(
            "/scheduled_compute_nodes",
            get(list).post(create).delete(delete_all),
        )
        .route(
            "/scheduled_compute_nodes/{id}",
            get(read).put(update).delete(delete),
        )
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<ScheduledComputeNodesModel>>,
) -> Answer<ScheduledComputeNodesModel> {
    answer(engine.create_scheduled_compute_node(model).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListScheduledComputeNodesQuery>,
) -> Answer<Page<ScheduledComputeNodesModel>> {
    answer(engine.list_scheduled_compute_nodes(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<ScheduledComputeNodesModel> {
    answer(engine.get_scheduled_compute_node(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<ScheduledComputeNodesModel>>,
) -> Answer<ScheduledComputeNodesModel> {
    answer(engine.update_scheduled_compute_node(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<ScheduledComputeNodesModel> {
    answer(engine.delete_scheduled_compute_node(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(
        engine
            .delete_scheduled_compute_nodes(query.workflow_id)
            .await,
    )
}
