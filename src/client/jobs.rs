//! Jobs: creating and reading them, and what happens to them in a run.

use super::{Client, ClientError, Deleted, IdempotencyKey};
use crate::wire::jobs::{
    BatchCompleteJobsRequest, BatchCompleteJobsResponse, CreateJobsResponse, JobModel, JobsModel,
    ListJobsQuery, ResetJobStatusQuery, ResetJobStatusResponse, RetryJobQuery,
};
use crate::wire::page::{Page, WorkflowQuery};
use crate::wire::results::ResultModel;
use crate::wire::{JobId, JobStatus, RunId, WorkflowId};

impl Client {
    /// Creates a job.
    pub async fn create_job(&self, body: &JobModel) -> Result<JobModel, ClientError> {
        self.post("/jobs").json(body).send().await
    }

    /// Reads a job.
    pub async fn get_job(&self, id: i64) -> Result<JobModel, ClientError> {
        self.get(format!("/jobs/{id}")).send().await
    }

    /// Lists the jobs of a workflow, a page at a time.
    pub async fn list_jobs(&self, query: &ListJobsQuery) -> Result<Page<JobModel>, ClientError> {
        self.get("/jobs").query(query).send().await
    }

    /// Changes a job.
    pub async fn update_job(&self, id: i64, body: &JobModel) -> Result<JobModel, ClientError> {
        self.put(format!("/jobs/{id}")).json(body).send().await
    }

    /// Deletes a job, and answers with it.
    pub async fn delete_job(&self, id: i64) -> Result<JobModel, ClientError> {
        self.delete(format!("/jobs/{id}")).send().await
    }

    /// Deletes the jobs of a workflow, and says how many.
    pub async fn delete_jobs(&self, workflow_id: WorkflowId) -> Result<i64, ClientError> {
        let query = WorkflowQuery { workflow_id };
        let answer: Deleted = self.delete("/jobs").query(&query).send().await?;
        Ok(answer.rows())
    }

    /// Creates several jobs at once; the answer is in the order of the request.
    pub async fn create_jobs(&self, jobs: &JobsModel) -> Result<CreateJobsResponse, ClientError> {
        self.post("/bulk_jobs").json(jobs).send().await
    }

    /// Says that a claimed job starts now, on this compute node.
    ///
    /// With a key it may be repeated: a job that this node has started already is a success.
    pub async fn start_job(
        &self,
        id: JobId,
        run_id: RunId,
        compute_node_id: i64,
        key: Option<&IdempotencyKey>,
    ) -> Result<JobModel, ClientError> {
        let path = format!("/jobs/{id}/start_job/{run_id}/{compute_node_id}");
        self.put(path).key(key).send().await
    }

    /// Records how a job ended.
    pub async fn complete_job(
        &self,
        id: JobId,
        status: JobStatus,
        run_id: RunId,
        result: &ResultModel,
    ) -> Result<JobModel, ClientError> {
        let path = format!("/jobs/{id}/complete_job/{status}/{run_id}");
        self.post(path).json(result).send().await
    }

    /// Records how several jobs ended; the answer tells of each.
    ///
    /// Repeated with the same key, what was recorded the first time is a success again.
    pub async fn batch_complete_jobs(
        &self,
        workflow_id: WorkflowId,
        batch: &BatchCompleteJobsRequest,
        key: Option<&IdempotencyKey>,
    ) -> Result<BatchCompleteJobsResponse, ClientError> {
        self.post(format!("/workflows/{workflow_id}/batch_complete_jobs"))
            .json(batch)
            .key(key)
            .send()
            .await
    }

    /// Moves a job to a status that is not an ending.
    pub async fn manage_status_change(
        &self,
        id: JobId,
        status: JobStatus,
        run_id: RunId,
    ) -> Result<JobModel, ClientError> {
        let path = format!("/jobs/{id}/manage_status_change/{status}/{run_id}");
        self.put(path).send().await
    }

    /// Makes a job ready for another attempt.
    pub async fn retry_job(
        &self,
        id: JobId,
        run_id: RunId,
        max_retries: i64,
    ) -> Result<JobModel, ClientError> {
        let path = format!("/jobs/{id}/retry/{run_id}");
        self.post(path)
            .query(&RetryJobQuery { max_retries })
            .send()
            .await
    }

    /// Takes jobs of a workflow back to the beginning.
    pub async fn reset_job_status(
        &self,
        workflow_id: WorkflowId,
        query: &ResetJobStatusQuery,
    ) -> Result<ResetJobStatusResponse, ClientError> {
        self.post(format!("/workflows/{workflow_id}/reset_job_status"))
            .query(query)
            .send()
            .await
    }
}
