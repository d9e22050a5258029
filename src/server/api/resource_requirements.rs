//! Resource requirements: what jobs need of a machine.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};
use crate::wire::resource_requirements::{
    ListResourceRequirementsQuery, ResourceRequirementsModel,
};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route(
            "/resource_requirements",
            get(list).post(create).delete(delete_all),
        )
        .route(
            "/resource_requirements/{id}",
            get(read).put(update).delete(delete),
        )
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<ResourceRequirementsModel>>,
) -> Answer<ResourceRequirementsModel> {
    answer(engine.create_resource_requirements(model).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListResourceRequirementsQuery>,
) -> Answer<Page<ResourceRequirementsModel>> {
    answer(engine.list_resource_requirements(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<ResourceRequirementsModel> {
    answer(engine.get_resource_requirements(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<ResourceRequirementsModel>>,
) -> Answer<ResourceRequirementsModel> {
    answer(engine.update_resource_requirements(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<ResourceRequirementsModel> {
    answer(engine.delete_resource_requirement(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_resource_requirements(query.workflow_id).await)
}
