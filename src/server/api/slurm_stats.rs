//! Slurm statistics.

use axum::extract::Query;
use axum::routing::get;
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::object::Object;
use crate::wire::page::Page;
use crate::wire::slurm_stats::{ListSlurmStatsQuery, SlurmStatsModel};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new().route("/slurm_stats", get(list).post(create))
}

async fn create(
    engine: Engine,
    Json(Object(model)): Json<Object<SlurmStatsModel>>,
) -> Answer<SlurmStatsModel> {
    answer(engine.create_slurm_stats(model).await)
}

async fn list(
    engine: Engine,
    Query(query): Query<ListSlurmStatsQuery>,
) -> Answer<Page<SlurmStatsModel>> {
    answer(engine.list_slurm_stats(&query).await)
}
