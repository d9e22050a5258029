//! Results: how the runs of jobs ended.

use super::{Client, ClientError, Deleted};
use crate::wire::WorkflowId;
use crate::wire::page::{Page, WorkflowQuery};
use crate::wire::results::{ListResultsQuery, ResultModel};

impl Client {
    /// Creates a result.
    pub async fn create_result(&self, body: &ResultModel) -> Result<ResultModel, ClientError> {
        self.post("/results").json(body).send().await
    }

    /// Reads a result.
    pub async fn get_result(&self, id: i64) -> Result<ResultModel, ClientError> {
        self.get(format!("/results/{id}")).send().await
    }

    /// Lists the results of a workflow, a page at a time.
    pub async fn list_results(
        &self,
        query: &ListResultsQuery,
    ) -> Result<Page<ResultModel>, ClientError> {
        self.get("/results").query(query).send().await
    }

    /// Changes a result.
    pub async fn update_result(
        &self,
        id: i64,
        body: &ResultModel,
    ) -> Result<ResultModel, ClientError> {
        self.put(format!("/results/{id}")).json(body).send().await
    }

    /// Deletes a result, and answers with it.
    pub async fn delete_result(&self, id: i64) -> Result<ResultModel, ClientError> {
        self.delete(format!("/results/{id}")).send().await
    }

    /// Deletes the results of a workflow, and says how many.
    pub async fn delete_results(&self, workflow_id: WorkflowId) -> Result<i64, ClientError> {
        let query = WorkflowQuery { workflow_id };
        let answer: Deleted = self.delete("/results").query(&query).send().await?;
        Ok(answer.rows())
    }
}
