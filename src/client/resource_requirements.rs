//! Resource requirements: what jobs need of a machine.

use super::{Client, ClientError, Deleted};
use crate::wire::WorkflowId;
use crate::wire::page::{Page, WorkflowQuery};
use crate::wire::resource_requirements::{
    ListResourceRequirementsQuery, ResourceRequirementsModel,
};

impl Client {
    /// Creates a set of requirements.
    pub async fn create_resource_requirements(
        &self,
        body: &ResourceRequirementsModel,
    ) -> Result<ResourceRequirementsModel, ClientError> {
        self.post("/resource_requirements").json(body).send().await
    }

    /// Reads a set of requirements.
    pub async fn get_resource_requirements(
        &self,
        id: i64,
    ) -> Result<ResourceRequirementsModel, ClientError> {
        self.get(format!("/resource_requirements/{id}"))
            .send()
            .await
    }

    /// Lists the sets of requirements of a workflow, a page at a time.
    pub async fn list_resource_requirements(
        &self,
        query: &ListResourceRequirementsQuery,
    ) -> Result<Page<ResourceRequirementsModel>, ClientError> {
        self.get("/resource_requirements").query(query).send().await
    }

    /// Changes a set of requirements.
    pub async fn update_resource_requirements(
        &self,
        id: i64,
        body: &ResourceRequirementsModel,
    ) -> Result<ResourceRequirementsModel, ClientError> {
        self.put(format!("/resource_requirements/{id}"))
            .json(body)
            .send()
            .await
    }

    /// Deletes a set of requirements, and answers with it.
    pub async fn delete_resource_requirement(
        &self,
        id: i64,
    ) -> Result<ResourceRequirementsModel, ClientError> {
        self.delete(format!("/resource_requirements/{id}"))
            .send()
            .await
    }

    /// Deletes the sets of requirements of a workflow, and says how many.
    pub async fn delete_resource_requirements(
        &self,
        workflow_id: WorkflowId,
    ) -> Result<i64, ClientError> {
        let query = WorkflowQuery { workflow_id };
        let answer: Deleted = self
            .delete("/resource_requirements")
            .query(&query)
            .send()
            .await?;
        Ok(answer.rows())
    }
}
