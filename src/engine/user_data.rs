//! User data: created, read, changed, deleted.

use super::bulk::check_bulk;
use super::jobs::link;
use super::workflows::merge;
use super::{Engine, EngineError, Subject, access, check_paging};
use crate::store::job_links::Links;
use crate::store::{Command, Effects, WriteTx, jobs, user_data as rows};
use crate::wire::page::Page;
use crate::wire::user_data::{
    CreateUserDataListResponse, CreateUserDataQuery, ListMissingUserDataResponse,
    ListUserDataQuery, UserDataModel,
};

struct CreateUserData {
    model: UserDataModel,
    links: CreateUserDataQuery,
}

impl Command for CreateUserData {
    const NAME: &'static str = "create_user_data";
    type Reply = UserDataModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<UserDataModel, EngineError> {
        let mut model = self.model;
        access::workflow(tx, model.workflow_id)?;
        let id = rows::insert(tx, &model)?;
        let reads = Links {
            input_user_data: vec![id],
            ..Links::default()
        };
        let writes = Links {
            output_user_data: vec![id],
            ..Links::default()
        };
        for (job_id, links) in [
            (self.links.consumer_job_id, reads),
            (self.links.producer_job_id, writes),
        ] {
            if let Some(job_id) = job_id {
                let job =
                    jobs::get(tx, job_id)?.ok_or_else(|| EngineError::not_found("Job", job_id))?;
                link(tx, job.workflow_id, job_id, &links, &job.name)?;
            }
        }
        model.id = Some(id);
        Ok(model)
    }

    fn bytes(&self) -> usize {
        weight(&self.model)
    }
}

struct CreateUserDataList {
    workflow_id: i64,
    records: Vec<UserDataModel>,
}

impl Command for CreateUserDataList {
    const NAME: &'static str = "create_user_data_list";
    type Reply = Vec<UserDataModel>;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Vec<UserDataModel>, EngineError> {
        access::workflow(tx, self.workflow_id)?;
        let mut records = self.records;
        for record in &mut records {
            record.id = Some(rows::insert(tx, record)?);
        }
        Ok(records)
    }

    fn bytes(&self) -> usize {
        self.records.iter().map(weight).sum()
    }

    fn alone(&self) -> bool {
        true
    }
}

/// Roughly the memory of a record.
fn weight(record: &UserDataModel) -> usize {
    size_of::<UserDataModel>()
        + record.name.len()
        + record.data.as_ref().map_or(0, super::weight::of_json)
}

struct UpdateUserData {
    id: i64,
    change: UserDataModel,
}

impl Command for UpdateUserData {
    const NAME: &'static str = "update_user_data";
    type Reply = UserDataModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<UserDataModel, EngineError> {
        let mut record = stored(tx, self.id)?;
        let change = self.change;
        access::workflow(tx, change.workflow_id)?;
        record.workflow_id = change.workflow_id;
        record.name = change.name;
        merge(&mut record.is_ephemeral, change.is_ephemeral);
        // Null keeps what is there, like an absent field.
        merge(&mut record.data, change.data.filter(|data| !data.is_null()));
        rows::update(tx, self.id, &record)?;
        Ok(record)
    }

    fn bytes(&self) -> usize {
        weight(&self.change)
    }
}

struct DeleteUserData(i64);

impl Command for DeleteUserData {
    const NAME: &'static str = "delete_user_data";
    type Reply = UserDataModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<UserDataModel, EngineError> {
        let record = stored(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(record)
    }
}

struct DeleteAllUserData(i64);

impl Command for DeleteAllUserData {
    const NAME: &'static str = "delete_all_user_data";
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

fn stored(tx: &WriteTx<'_>, id: i64) -> Result<UserDataModel, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_in("user_data", id))
}

impl Engine {
    /// Creates a record, read and written by the jobs that `links` names.
    ///
    /// # Errors
    ///
    /// An unknown workflow or job.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = model.workflow_id))]
    pub async fn create_user_data(
        &self,
        model: UserDataModel,
        links: CreateUserDataQuery,
    ) -> Result<UserDataModel, EngineError> {
        self.may_use(Subject::Workflow(model.workflow_id)).await?;
        self.submit(CreateUserData { model, links }).await
    }

    /// Creates many records of one workflow, all or none.
    ///
    /// # Errors
    ///
    /// None, too many, several workflows, a name used twice, an unknown workflow.
    #[tracing::instrument(
        level = "debug", skip_all,
        fields(workflow_id = records.first().map(|one| one.workflow_id), records = records.len())
    )]
    pub async fn create_user_data_list(
        &self,
        records: Vec<UserDataModel>,
    ) -> Result<CreateUserDataListResponse, EngineError> {
        let items = records
            .iter()
            .map(|record| (record.workflow_id, record.name.as_str()));
        let workflow_id = check_bulk("user data", "user data", items)?;
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let records = self
            .submit(CreateUserDataList {
                workflow_id,
                records,
            })
            .await?;
        Ok(CreateUserDataListResponse {
            user_data: Some(records),
        })
    }

    /// One record.
    ///
    /// # Errors
    ///
    /// An unknown record.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_user_data(&self, id: i64) -> Result<UserDataModel, EngineError> {
        self.may_use(Subject::Row("user_data", id)).await?;
        let conn = self.read("get_user_data").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_in("user_data", id))
    }

    /// The records of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_user_data(
        &self,
        query: &ListUserDataQuery,
    ) -> Result<Page<UserDataModel>, EngineError> {
        self.may_use(Subject::Workflow(query.workflow_id)).await?;
        let paging = query.paging();
        check_paging(&paging)?;
        let conn = self.read_list("list_user_data").await?;
        access::workflow_read(&conn, query.workflow_id).await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Records that lack a value the workflow needs.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn list_missing_user_data(
        &self,
        workflow_id: i64,
    ) -> Result<ListMissingUserDataResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read_list("list_missing_user_data").await?;
        access::workflow_read(&conn, workflow_id).await?;
        let user_data = rows::missing(&conn, workflow_id).await?;
        Ok(ListMissingUserDataResponse { user_data })
    }

    /// Changes a record; absent and null fields stay.
    ///
    /// # Errors
    ///
    /// An unknown record or workflow.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_user_data(
        &self,
        id: i64,
        change: UserDataModel,
    ) -> Result<UserDataModel, EngineError> {
        self.may_use(Subject::Row("user_data", id)).await?;
        self.may_use(Subject::Workflow(change.workflow_id)).await?;
        self.submit(UpdateUserData { id, change }).await
    }

    /// Removes a record and its links.
    ///
    /// # Errors
    ///
    /// An unknown record.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_user_data(&self, id: i64) -> Result<UserDataModel, EngineError> {
        self.may_use(Subject::Row("user_data", id)).await?;
        self.submit(DeleteUserData(id)).await
    }

    /// Removes all records of a workflow; answers how many.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_all_user_data(&self, workflow_id: i64) -> Result<i64, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(DeleteAllUserData(workflow_id)).await
    }
}
