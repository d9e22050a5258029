//! RO-Crate entities.

use axum::extract::{Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::object::Object;
use crate::wire::page::{MessageResponse, Page};
use crate::wire::ro_crate_entities::{
    DeleteRoCrateEntitiesResponse, ListRoCrateEntitiesQuery, RoCrateEntityModel,
};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/ro_crate_entities", post(create))
        .route(
            "/ro_crate_entities/{id}",
            get(read).put(update).delete(delete),
        )
        .route(
            "/workflows/{id}/ro_crate_entities",
            get(list).delete(delete_all),
        )
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<RoCrateEntityModel>>,
) -> Answer<RoCrateEntityModel> {
    answer(engine.create_ro_crate_entity(model).await)
}

async fn list(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ListRoCrateEntitiesQuery>,
) -> Answer<Page<RoCrateEntityModel>> {
    answer(engine.list_ro_crate_entities(id, &query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<RoCrateEntityModel> {
    answer(engine.get_ro_crate_entity(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<RoCrateEntityModel>>,
) -> Answer<RoCrateEntityModel> {
    answer(engine.update_ro_crate_entity(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<MessageResponse> {
    answer(engine.delete_ro_crate_entity(id).await)
}

async fn delete_all(engine: Engine, Path(id): Path<i64>) -> Answer<DeleteRoCrateEntitiesResponse> {
    answer(engine.delete_ro_crate_entities(id).await)
}
