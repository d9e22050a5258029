//! Relationships of jobs, files and user data.

use axum::Router;
use axum::extract::{Path, Query};
use axum::routing::get;

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::page::Page;
use crate::wire::relationships::{
    JobDependencyModel, JobFileRelationshipModel, JobUserDataRelationshipModel,
    ListRelationshipsQuery, SlurmJobCorrelationModel,
};

/// The routes of these lists.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/workflows/{id}/job_dependencies", get(dependencies))
        .route("/workflows/{id}/job_file_relationships", get(files))
        .route(
            "/workflows/{id}/job_user_data_relationships",
            get(user_data),
        )
        .route("/workflows/{id}/slurm_job_correlations", get(slurm))
}

async fn dependencies(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ListRelationshipsQuery>,
) -> Answer<Page<JobDependencyModel>> {
    answer(engine.list_job_dependencies(id, &query).await)
}

async fn files(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ListRelationshipsQuery>,
) -> Answer<Page<JobFileRelationshipModel>> {
    answer(engine.list_job_file_relationships(id, &query).await)
}

async fn user_data(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ListRelationshipsQuery>,
) -> Answer<Page<JobUserDataRelationshipModel>> {
    answer(engine.list_job_user_data_relationships(id, &query).await)
}

async fn slurm(
    engine: Engine,
    Path(id): Path<i64>,
    Query(query): Query<ListRelationshipsQuery>,
) -> Answer<Page<SlurmJobCorrelationModel>> {
    answer(engine.get_slurm_job_correlations(id, &query).await)
}
