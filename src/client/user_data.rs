//! User data: JSON values that jobs read and write.

use super::{Client, ClientError, Deleted};
use crate::wire::WorkflowId;
use crate::wire::page::{Page, WorkflowQuery};
use crate::wire::user_data::{
    CreateUserDataListResponse, CreateUserDataQuery, ListMissingUserDataResponse,
    ListUserDataQuery, UserDataListModel, UserDataModel,
};

impl Client {
    /// Creates a record, and links it to jobs where the query names some.
    pub async fn create_user_data(
        &self,
        body: &UserDataModel,
        query: &CreateUserDataQuery,
    ) -> Result<UserDataModel, ClientError> {
        self.post("/user_data").query(query).json(body).send().await
    }

    /// Creates several records at once; the answer is in the order of the request.
    pub async fn create_user_data_list(
        &self,
        body: &UserDataListModel,
    ) -> Result<CreateUserDataListResponse, ClientError> {
        self.post("/bulk_user_data").json(body).send().await
    }

    /// Reads a record.
    pub async fn get_user_data(&self, id: i64) -> Result<UserDataModel, ClientError> {
        self.get(format!("/user_data/{id}")).send().await
    }

    /// Lists the records of a workflow, a page at a time.
    pub async fn list_user_data(
        &self,
        query: &ListUserDataQuery,
    ) -> Result<Page<UserDataModel>, ClientError> {
        self.get("/user_data").query(query).send().await
    }

    /// Changes a record.
    pub async fn update_user_data(
        &self,
        id: i64,
        body: &UserDataModel,
    ) -> Result<UserDataModel, ClientError> {
        self.put(format!("/user_data/{id}")).json(body).send().await
    }

    /// Deletes a record, and answers with it.
    pub async fn delete_user_data(&self, id: i64) -> Result<UserDataModel, ClientError> {
        self.delete(format!("/user_data/{id}")).send().await
    }

    /// Deletes the records of a workflow, and says how many.
    pub async fn delete_all_user_data(&self, workflow_id: WorkflowId) -> Result<i64, ClientError> {
        let query = WorkflowQuery { workflow_id };
        let answer: Deleted = self.delete("/user_data").query(&query).send().await?;
        Ok(answer.rows())
    }

    /// The records that lack a value which the workflow needs.
    pub async fn list_missing_user_data(
        &self,
        workflow_id: WorkflowId,
    ) -> Result<ListMissingUserDataResponse, ClientError> {
        self.get(format!("/workflows/{workflow_id}/missing_user_data"))
            .send()
            .await
    }
}
