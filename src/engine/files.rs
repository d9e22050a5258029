//! Files: created, read, changed, deleted.

use super::bulk::check_bulk;
use super::{Engine, EngineError, MANY, Subject, access, check_paging};
use crate::store::{Command, Effects, WriteTx, files as rows};
use crate::wire::files::{
    CreateFilesResponse, FileModel, ListFilesQuery, ListRequiredExistingFilesResponse,
};
use crate::wire::page::{DeleteCountResponse, Page};

struct CreateFiles {
    workflow_id: i64,
    files: Vec<FileModel>,
}

impl Command for CreateFiles {
    const NAME: &'static str = "create_files";
    type Reply = Vec<FileModel>;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Vec<FileModel>, EngineError> {
        access::workflow(tx, self.workflow_id)?;
        let mut files = self.files;
        for file in &mut files {
            file.id = Some(rows::insert(tx, file)?);
        }
        Ok(files)
    }

    fn bytes(&self) -> usize {
        self.files
            .iter()
            .map(|file| size_of::<FileModel>() + file.name.len() + file.path.len())
            .sum()
    }

    fn alone(&self) -> bool {
        self.files.len() > MANY
    }
}

struct UpdateFile {
    id: i64,
    change: FileModel,
}

impl Command for UpdateFile {
    const NAME: &'static str = "update_file";
    type Reply = FileModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<FileModel, EngineError> {
        stored(tx, self.id)?;
        access::workflow(tx, self.change.workflow_id)?;
        // The modification time is taken as it comes: absent means that the file is gone.
        rows::update(tx, self.id, &self.change)?;
        stored(tx, self.id)
    }
}

struct DeleteFile(i64);

impl Command for DeleteFile {
    const NAME: &'static str = "delete_file";
    type Reply = FileModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<FileModel, EngineError> {
        let file = stored(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(file)
    }
}

struct DeleteFiles(i64);

impl Command for DeleteFiles {
    const NAME: &'static str = "delete_files";
    type Reply = i64;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<i64, EngineError> {
        access::workflow(tx, self.0)?;
        Ok(rows::delete_all(tx, self.0)?)
    }

    fn alone(&self) -> bool {
        true
    }
}

fn stored(tx: &WriteTx<'_>, id: i64) -> Result<FileModel, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_in("file", id))
}

impl Engine {
    /// Creates a file.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = file.workflow_id))]
    pub async fn create_file(&self, file: FileModel) -> Result<FileModel, EngineError> {
        self.may_use(Subject::Workflow(file.workflow_id)).await?;
        let (workflow_id, echo) = (file.workflow_id, file.clone());
        let created = self
            .submit(CreateFiles {
                workflow_id,
                files: vec![file],
            })
            .await?;
        Ok(created.into_iter().next().unwrap_or(echo))
    }

    /// Creates many files of one workflow, all or none.
    ///
    /// # Errors
    ///
    /// None, too many, several workflows, a name used twice, an unknown workflow.
    #[tracing::instrument(
        level = "debug", skip_all,
        fields(workflow_id = files.first().map(|file| file.workflow_id), files = files.len())
    )]
    pub async fn create_files(
        &self,
        files: Vec<FileModel>,
    ) -> Result<CreateFilesResponse, EngineError> {
        let items = files
            .iter()
            .map(|file| (file.workflow_id, file.name.as_str()));
        let workflow_id = check_bulk("file", "files", items)?;
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let files = self.submit(CreateFiles { workflow_id, files }).await?;
        Ok(CreateFilesResponse { files: Some(files) })
    }

    /// One file.
    ///
    /// # Errors
    ///
    /// An unknown file.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_file(&self, id: i64) -> Result<FileModel, EngineError> {
        self.may_use(Subject::Row("file", id)).await?;
        let conn = self.read("get_file").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_in("file", id))
    }

    /// The files of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_files(&self, query: &ListFilesQuery) -> Result<Page<FileModel>, EngineError> {
        self.may_use(Subject::Workflow(query.workflow_id)).await?;
        let paging = query.paging();
        check_paging(&paging)?;
        let conn = self.read_list("list_files").await?;
        access::workflow_read(&conn, query.workflow_id).await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Files that must exist for the workflow to run.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn list_required_existing_files(
        &self,
        workflow_id: i64,
    ) -> Result<ListRequiredExistingFilesResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read_list("list_required_existing_files").await?;
        access::workflow_read(&conn, workflow_id).await?;
        let files = rows::required(&conn, workflow_id).await?;
        Ok(ListRequiredExistingFilesResponse { files })
    }

    /// Changes a file; its modification time is always taken from the request.
    ///
    /// # Errors
    ///
    /// An unknown file or workflow.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_file(&self, id: i64, change: FileModel) -> Result<FileModel, EngineError> {
        self.may_use(Subject::Row("file", id)).await?;
        self.may_use(Subject::Workflow(change.workflow_id)).await?;
        self.submit(UpdateFile { id, change }).await
    }

    /// Removes a file and its links.
    ///
    /// # Errors
    ///
    /// An unknown file.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_file(&self, id: i64) -> Result<FileModel, EngineError> {
        self.may_use(Subject::Row("file", id)).await?;
        self.submit(DeleteFile(id)).await
    }

    /// Removes all files of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_files(&self, workflow_id: i64) -> Result<DeleteCountResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let count = self.submit(DeleteFiles(workflow_id)).await?;
        // Both names: the published clients disagree.
        Ok(DeleteCountResponse {
            count,
            deleted_count: Some(count),
        })
    }
}
