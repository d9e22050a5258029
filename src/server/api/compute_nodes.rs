//! Compute nodes: the machines on which workers run.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::compute_nodes::{ComputeNodeModel, ListComputeNodesQuery};
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/compute_nodes", get(list).post(create).delete(delete_all))
        .route("/compute_nodes/{id}", get(read).put(update).delete(delete))
}

async fn create(
    engine: Engine,
    Json(Object(node)): Json<Object<ComputeNodeModel>>,
) -> Answer<ComputeNodeModel> {
    answer(engine.create_compute_node(node).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListComputeNodesQuery>,
) -> Answer<Page<ComputeNodeModel>> {
    answer(engine.list_compute_nodes(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<ComputeNodeModel> {
    answer(engine.get_compute_node(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<ComputeNodeModel>>,
) -> Answer<ComputeNodeModel> {
    answer(engine.update_compute_node(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<ComputeNodeModel> {
    answer(engine.delete_compute_node(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_compute_nodes(query.workflow_id).await)
}
