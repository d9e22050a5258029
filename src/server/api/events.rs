//! Stored events. The live stream is in `server/events.rs`.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::events::{EventModel, ListEventsQuery};
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/events", get(list).post(create).delete(delete_all))
        .route("/events/{id}", get(read).put(update).delete(delete))
}

async fn create(
    engine: Engine,
    Json(Object(event)): Json<Object<EventModel>>,
) -> Answer<EventModel> {
    answer(engine.create_event(event).await)
}

async fn list(engine: Engine, Query(query): Query<ListEventsQuery>) -> Answer<Page<EventModel>> {
    answer(engine.list_events(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<EventModel> {
    answer(engine.get_event(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(data): Json<Value>,
) -> Answer<EventModel> {
    answer(engine.update_event(id, data).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<EventModel> {
    answer(engine.delete_event(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_events(query.workflow_id).await)
}
