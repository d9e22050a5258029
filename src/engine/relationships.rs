//! Relationships of jobs, files and user data: read only.

use super::{Engine, EngineError};
use crate::store::relationships as rows;
use crate::wire::page::{MAX_LIMIT, Page, Paging};
use crate::wire::relationships::{
    JobDependencyModel, JobFileRelationshipModel, JobUserDataRelationshipModel,
    ListRelationshipsQuery, SlurmJobCorrelationModel,
};

/// The contract cuts a limit that is too large here, where other lists refuse it.
fn cut(query: &ListRelationshipsQuery) -> Paging {
    let paging = query.paging();
    Paging {
        limit: paging.limit.min(MAX_LIMIT),
        ..paging
    }
}

impl Engine {
    /// Which jobs of a workflow wait for which.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a negative offset or limit.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn list_job_dependencies(
        &self,
        workflow_id: i64,
        query: &ListRelationshipsQuery,
    ) -> Result<Page<JobDependencyModel>, EngineError> {
        let paging = cut(query);
        let conn = self
            .list_owned("list_job_dependencies", workflow_id, &paging)
            .await?;
        Ok(rows::job_dependencies(&conn, workflow_id, &paging).await?)
    }

    /// Which jobs of a workflow write and read which files.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a negative offset or limit.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn list_job_file_relationships(
        &self,
        workflow_id: i64,
        query: &ListRelationshipsQuery,
    ) -> Result<Page<JobFileRelationshipModel>, EngineError> {
        let paging = cut(query);
        let conn = self
            .list_owned("list_job_file_relationships", workflow_id, &paging)
            .await?;
        Ok(rows::job_files(&conn, workflow_id, &paging).await?)
    }

    /// Which jobs of a workflow write and read which user data.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a negative offset or limit.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn list_job_user_data_relationships(
        &self,
        workflow_id: i64,
        query: &ListRelationshipsQuery,
    ) -> Result<Page<JobUserDataRelationshipModel>, EngineError> {
        let paging = cut(query);
        let conn = self
            .list_owned("list_job_user_data_relationships", workflow_id, &paging)
            .await?;
        Ok(rows::job_user_data(&conn, workflow_id, &paging).await?)
    }

    /// Which Slurm jobs ran which jobs of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn get_slurm_job_correlations(
        &self,
        workflow_id: i64,
        query: &ListRelationshipsQuery,
    ) -> Result<Page<SlurmJobCorrelationModel>, EngineError> {
        let paging = query.paging();
        let conn = self
            .list_owned("get_slurm_job_correlations", workflow_id, &paging)
            .await?;
        Ok(rows::slurm_jobs(&conn, workflow_id, &paging).await?)
    }
}
