//! User data: JSON values that jobs read and write.

use axum::extract::{Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::server::extract::ManyJson;
use crate::wire::object::Object;
use crate::wire::page::{Page, WorkflowQuery};
use crate::wire::user_data::{
    CreateUserDataListResponse, CreateUserDataQuery, ListMissingUserDataResponse,
    ListUserDataQuery, UserDataListModel, UserDataModel,
};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/user_data", get(list).post(create).delete(delete_all))
        .route("/user_data/{id}", get(read).put(update).delete(delete))
        .route("/workflows/{id}/missing_user_data", get(missing))
}

/// The route that takes large bodies.
pub fn bulk_routes() -> Router<Engine> {
    Router::new().route("/bulk_user_data", post(create_bulk))
}

async fn create(
    engine: Engine,
    Query(links): Query<CreateUserDataQuery>,
    Json(Object(record)): Json<Object<UserDataModel>>,
) -> Answer<UserDataModel> {
    answer(engine.create_user_data(record, links).await)
}

async fn create_bulk(
    engine: Engine,
    ManyJson(records): ManyJson<UserDataListModel>,
) -> Answer<CreateUserDataListResponse> {
    answer(engine.create_user_data_list(records.user_data).await)
}

async fn missing(engine: Engine, Path(id): Path<i64>) -> Answer<ListMissingUserDataResponse> {
    answer(engine.list_missing_user_data(id).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListUserDataQuery>,
) -> Answer<Page<UserDataModel>> {
    answer(engine.list_user_data(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<UserDataModel> {
    answer(engine.get_user_data(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<UserDataModel>>,
) -> Answer<UserDataModel> {
    answer(engine.update_user_data(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<UserDataModel> {
    answer(engine.delete_user_data(id).await)
}

async fn delete_all(engine: Engine, Query(query): Query<WorkflowQuery>) -> Answer<Value> {
    let workflow_id = query.workflow_id;
    let count = engine.delete_all_user_data(workflow_id).await;
    answer(count.map(|count| {
        json!({
            "message": format!("Deleted {count} user data records for workflow {workflow_id}"),
            "deleted_count": count,
        })
    }))
}
