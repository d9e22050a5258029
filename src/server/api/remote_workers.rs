//! Remote workers. Bodies and answers are bare arrays.

use axum::extract::Path;
use axum::routing::{delete, get};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::remote_workers::RemoteWorkerModel;

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/workflows/{id}/remote_workers", get(list).post(create))
        .route("/workflows/{id}/remote_workers/{worker}", delete(remove))
}

async fn create(
    engine: Engine,
    Path(id): Path<i64>,
    Json(workers): Json<Vec<String>>,
) -> Answer<Vec<RemoteWorkerModel>> {
    answer(engine.create_remote_workers(id, workers).await)
}

async fn list(engine: Engine, Path(id): Path<i64>) -> Answer<Vec<RemoteWorkerModel>> {
    answer(engine.list_remote_workers(id).await)
}

async fn remove(
    engine: Engine,
    Path((id, worker)): Path<(i64, String)>,
) -> Answer<RemoteWorkerModel> {
    answer(engine.delete_remote_worker(id, worker).await)
}
