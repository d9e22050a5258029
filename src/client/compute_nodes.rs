//! Compute nodes: the machines on which workers run.

use super::{Client, ClientError, Deleted};
use crate::wire::WorkflowId;
use crate::wire::compute_nodes::{ComputeNodeModel, ListComputeNodesQuery};
use crate::wire::page::{Page, WorkflowQuery};

impl Client {
    /// Creates a compute node.
    pub async fn create_compute_node(
        &self,
        body: &ComputeNodeModel,
    ) -> Result<ComputeNodeModel, ClientError> {
        self.post("/compute_nodes").json(body).send().await
    }

    /// Reads a compute node.
    pub async fn get_compute_node(&self, id: i64) -> Result<ComputeNodeModel, ClientError> {
        self.get(format!("/compute_nodes/{id}")).send().await
    }

    /// Lists the compute nodes of a workflow, a page at a time.
    pub async fn list_compute_nodes(
        &self,
        query: &ListComputeNodesQuery,
    ) -> Result<Page<ComputeNodeModel>, ClientError> {
        self.get("/compute_nodes").query(query).send().await
    }

    /// Changes a compute node.
    pub async fn update_compute_node(
        &self,
        id: i64,
        body: &ComputeNodeModel,
    ) -> Result<ComputeNodeModel, ClientError> {
        self.put(format!("/compute_nodes/{id}"))
            .json(body)
            .send()
            .await
    }

    /// Deletes a compute node, and answers with it.
    pub async fn delete_compute_node(&self, id: i64) -> Result<ComputeNodeModel, ClientError> {
        self.delete(format!("/compute_nodes/{id}")).send().await
    }

    /// Deletes the compute nodes of a workflow, and says how many.
    pub async fn delete_compute_nodes(&self, workflow_id: WorkflowId) -> Result<i64, ClientError> {
        let query = WorkflowQuery { workflow_id };
        let answer: Deleted = self.delete("/compute_nodes").query(&query).send().await?;
        Ok(answer.rows())
    }
}
