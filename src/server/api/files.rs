//! Files: paths that jobs read and write.

use axum::extract::{Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::server::extract::ManyJson;
use crate::wire::files::{
    CreateFilesResponse, FileModel, FilesModel, ListFilesQuery, ListRequiredExistingFilesResponse,
};
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/files", get(list).post(create).delete(delete_all))
        .route("/files/{id}", get(read).put(update).delete(delete))
        .route("/workflows/{id}/required_existing_files", get(required))
}

/// The route that takes large bodies.
pub fn bulk_routes() -> Router<Engine> {
    Router::new().route("/bulk_files", post(create_bulk))
}

async fn create(engine: Engine, Json(Object(file)): Json<Object<FileModel>>) -> Answer<FileModel> {
    answer(engine.create_file(file).await)
}

async fn create_bulk(
    engine: Engine,
    ManyJson(files): ManyJson<FilesModel>,
) -> Answer<CreateFilesResponse> {
    answer(engine.create_files(files.files).await)
}

async fn required(
    engine: Engine,
    Path(id): Path<i64>,
) -> Answer<ListRequiredExistingFilesResponse> {
    answer(engine.list_required_existing_files(id).await)
}

async fn list(engine: Engine, Query(query): Query<ListFilesQuery>) -> Answer<Page<FileModel>> {
    answer(engine.list_files(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<FileModel> {
    answer(engine.get_file(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<FileModel>>,
) -> Answer<FileModel> {
    answer(engine.update_file(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<FileModel> {
    answer(engine.delete_file(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_files(query.workflow_id).await)
}
