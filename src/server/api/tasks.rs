//! Tasks.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::tasks::{ActiveTaskResponse, TaskModel};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/tasks/{id}", get(read))
        .route("/workflows/{id}/active_task", get(active))
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<TaskModel> {
    answer(engine.get_task(id).await)
}

async fn active(engine: Engine, Path(id): Path<i64>) -> Answer<ActiveTaskResponse> {
    answer(engine.get_active_task(id).await)
}
