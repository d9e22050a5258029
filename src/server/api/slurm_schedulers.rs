//! Slurm schedulers.

use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::object::Object;
use crate::wire::page::{DeleteCountResponse, Page, WorkflowQuery};
use crate::wire::slurm_schedulers::{ListSlurmSchedulersQuery, SlurmSchedulerModel};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route(
            "/slurm_schedulers",
            get(list).post(create).delete(delete_all),
        )
        .route(
            "/slurm_schedulers/{id}",
            get(read).put(update).delete(delete),
        )
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<SlurmSchedulerModel>>,
) -> Answer<SlurmSchedulerModel> {
    answer(engine.create_slurm_scheduler(model).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListSlurmSchedulersQuery>,
) -> Answer<Page<SlurmSchedulerModel>> {
    answer(engine.list_slurm_schedulers(&query).await)
}

async fn read(engine: Engine, Path(id): Path<i64>) -> Answer<SlurmSchedulerModel> {
    answer(engine.get_slurm_scheduler(id).await)
}

async fn update(
    engine: Engine,
    Path(id): Path<i64>,
    Json(Object(change)): Json<Object<SlurmSchedulerModel>>,
) -> Answer<SlurmSchedulerModel> {
    answer(engine.update_slurm_scheduler(id, change).await)
}

async fn delete(engine: Engine, Path(id): Path<i64>) -> Answer<SlurmSchedulerModel> {
    answer(engine.delete_slurm_scheduler(id).await)
}

async fn delete_all(
    engine: Engine,
    Query(query): Query<WorkflowQuery>,
) -> Answer<DeleteCountResponse> {
    answer(engine.delete_slurm_schedulers(query.workflow_id).await)
}
