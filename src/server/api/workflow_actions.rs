//! Workflow actions.

use axum::extract::{Path, Query};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::Value;

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::object::Object;
use crate::wire::page::MessageResponse;
use crate::wire::workflow_actions::{ClaimActionRequest, ClaimActionResponse, WorkflowActionModel};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/workflows/{id}/actions", get(list).post(create))
        .route("/workflows/{id}/actions/pending", get(pending))
        .route(
            "/workflows/{id}/actions/{action_id}",
            put(update).delete(remove),
        )
        .route("/workflows/{id}/actions/{action_id}/claim", post(claim))
}

async fn create(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(action)): Json<Object<WorkflowActionModel>>,
) -> Answer<WorkflowActionModel> {
    answer(engine.create_workflow_action(id, action).await)
}

async fn list(engine: Engine, Path(id): Path<i64>) -> Answer<Vec<WorkflowActionModel>> {
    answer(engine.get_workflow_actions(id).await)
}

/// `trigger_type` may be given several times.
async fn pending(
    engine: Engine,
    Path(id): Path<i64>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Answer<Vec<WorkflowActionModel>> {
    let triggers = pairs.into_iter().filter(|(name, _)| name == "trigger_type");
    let triggers: Vec<String> = triggers.map(|(_, trigger)| trigger).collect();
    answer(engine.get_pending_actions(id, &triggers).await)
}

async fn update(
    engine: Engine,
    Path((id, action_id)): Path<(i64, i64)>,
    Json(change): Json<Value>,
) -> Answer<WorkflowActionModel> {
    answer(engine.update_workflow_action(id, action_id, change).await)
}

async fn remove(
    engine: Engine,
    Path((id, action_id)): Path<(i64, i64)>,
) -> Answer<MessageResponse> {
    answer(engine.delete_workflow_action(id, action_id).await)
}

async fn claim(
    engine: Engine,
    Path((id, action_id)): Path<(i64, i64)>,
    Json(Object(request)): Json<Object<ClaimActionRequest>>,
) -> Answer<ClaimActionResponse> {
    answer(
        engine
            .claim_action(id, action_id, request.compute_node_id)
            .await,
    )
}
