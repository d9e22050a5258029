//! Files: paths that jobs read and write.

use super::{Client, ClientError, Deleted};
use crate::wire::WorkflowId;
use crate::wire::files::{
    CreateFilesResponse, FileModel, FilesModel, ListFilesQuery, ListRequiredExistingFilesResponse,
};
use crate::wire::page::{Page, WorkflowQuery};

impl Client {
    /// Creates a file.
    pub async fn create_file(&self, body: &FileModel) -> Result<FileModel, ClientError> {
        self.post("/files").json(body).send().await
    }

    /// Reads a file.
    pub async fn get_file(&self, id: i64) -> Result<FileModel, ClientError> {
        self.get(format!("/files/{id}")).send().await
    }

    /// Lists the files of a workflow, a page at a time.
    pub async fn list_files(&self, query: &ListFilesQuery) -> Result<Page<FileModel>, ClientError> {
        self.get("/files").query(query).send().await
    }

    /// Changes a file.
    pub async fn update_file(&self, id: i64, body: &FileModel) -> Result<FileModel, ClientError> {
        self.put(format!("/files/{id}")).json(body).send().await
    }

    /// Deletes a file, and answers with it.
    pub async fn delete_file(&self, id: i64) -> Result<FileModel, ClientError> {
        self.delete(format!("/files/{id}")).send().await
    }

    /// Deletes the files of a workflow, and says how many.
    pub async fn delete_files(&self, workflow_id: WorkflowId) -> Result<i64, ClientError> {
        let query = WorkflowQuery { workflow_id };
        let answer: Deleted = self.delete("/files").query(&query).send().await?;
        Ok(answer.rows())
    }

    /// Creates several files at once; the answer is in the order of the request.
    pub async fn create_files(
        &self,
        files: &FilesModel,
    ) -> Result<CreateFilesResponse, ClientError> {
        self.post("/bulk_files").json(files).send().await
    }

    /// The files that must exist for the workflow to run.
    pub async fn list_required_existing_files(
        &self,
        workflow_id: WorkflowId,
    ) -> Result<ListRequiredExistingFilesResponse, ClientError> {
        self.get(format!("/workflows/{workflow_id}/required_existing_files"))
            .send()
            .await
    }
}
