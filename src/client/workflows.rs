//! Workflows: creating and reading them, and what happens to them as a whole.

use super::{Client, ClientError};
use crate::wire::WorkflowId;
use crate::wire::jobs::{RunningJobModel, RunningJobsQuery};
use crate::wire::page::{MessageResponse, Page};
use crate::wire::workflows::{
    InitializeJobsQuery, IsCompleteResponse, IsUninitializedResponse, ListJobIdsResponse,
    ListWorkflowsQuery, ProcessChangedJobInputsResponse, ProcessChangedQuery, ResetStatusQuery,
    WorkflowModel, WorkflowStatusResponse,
};

impl Client {
    /// Creates a workflow.
    pub async fn create_workflow(
        &self,
        body: &WorkflowModel,
    ) -> Result<WorkflowModel, ClientError> {
        self.post("/workflows").json(body).send().await
    }

    /// Reads a workflow.
    pub async fn get_workflow(&self, id: i64) -> Result<WorkflowModel, ClientError> {
        self.get(format!("/workflows/{id}")).send().await
    }

    /// Lists workflows, a page at a time.
    pub async fn list_workflows(
        &self,
        query: &ListWorkflowsQuery,
    ) -> Result<Page<WorkflowModel>, ClientError> {
        self.get("/workflows").query(query).send().await
    }

    /// Changes a workflow.
    pub async fn update_workflow(
        &self,
        id: i64,
        body: &WorkflowModel,
    ) -> Result<WorkflowModel, ClientError> {
        self.put(format!("/workflows/{id}")).json(body).send().await
    }

    /// Deletes a workflow, and answers with it.
    pub async fn delete_workflow(&self, id: i64) -> Result<WorkflowModel, ClientError> {
        self.delete(format!("/workflows/{id}")).send().await
    }

    /// Counts the jobs of a workflow by status, and sums up how it stands.
    pub async fn get_workflow_status(
        &self,
        id: WorkflowId,
    ) -> Result<WorkflowStatusResponse, ClientError> {
        self.get(format!("/workflows/{id}/status")).send().await
    }

    /// Whether nothing is left to do.
    pub async fn is_workflow_complete(
        &self,
        id: WorkflowId,
    ) -> Result<IsCompleteResponse, ClientError> {
        self.get(format!("/workflows/{id}/is_complete"))
            .send()
            .await
    }

    /// Whether no job has been initialized.
    pub async fn is_workflow_uninitialized(
        &self,
        id: WorkflowId,
    ) -> Result<IsUninitializedResponse, ClientError> {
        self.get(format!("/workflows/{id}/is_uninitialized"))
            .send()
            .await
    }

    /// Cancels a workflow and the jobs of it that run.
    pub async fn cancel_workflow(&self, id: WorkflowId) -> Result<WorkflowModel, ClientError> {
        self.put(format!("/workflows/{id}/cancel")).send().await
    }

    /// Begins the next run of a workflow.
    pub async fn reset_workflow_status(
        &self,
        id: WorkflowId,
        query: &ResetStatusQuery,
    ) -> Result<WorkflowModel, ClientError> {
        self.post(format!("/workflows/{id}/reset_status"))
            .query(query)
            .send()
            .await
    }

    /// Works out what depends on what, and makes ready what waits for nothing.
    pub async fn initialize_jobs(
        &self,
        id: WorkflowId,
        query: &InitializeJobsQuery,
    ) -> Result<MessageResponse, ClientError> {
        self.post(format!("/workflows/{id}/initialize_jobs"))
            .query(query)
            .send()
            .await
    }

    /// The ids of all jobs.
    pub async fn list_job_ids(&self, id: WorkflowId) -> Result<ListJobIdsResponse, ClientError> {
        self.get(format!("/workflows/{id}/job_ids")).send().await
    }

    /// The jobs that run now, and where.
    pub async fn get_running_jobs(
        &self,
        id: WorkflowId,
        query: &RunningJobsQuery,
    ) -> Result<Page<RunningJobModel>, ClientError> {
        self.get(format!("/workflows/{id}/running_jobs"))
            .query(query)
            .send()
            .await
    }

    /// Takes back to the beginning the jobs whose inputs have changed.
    pub async fn process_changed_job_inputs(
        &self,
        id: WorkflowId,
        query: &ProcessChangedQuery,
    ) -> Result<ProcessChangedJobInputsResponse, ClientError> {
        self.post(format!("/workflows/{id}/process_changed_job_inputs"))
            .query(query)
            .send()
            .await
    }
}
