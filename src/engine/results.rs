//! Results by themselves; those of completions are in `job_runs`.

use super::{Engine, EngineError, Subject, access, check_paging};
use crate::store::{Command, Effects, StoreError, WriteTx, jobs, results as rows};
use crate::wire::page::{DeleteCountResponse, Page};
use crate::wire::results::{ListResultsQuery, ResultModel};

/// What an insert's refusal means to whoever sent the result.
pub(super) fn refused(error: StoreError, result: &ResultModel) -> EngineError {
    match error {
        StoreError::Unique(_) => EngineError::Conflict(format!(
            "job_id={} has a result for run {} and attempt {} already",
            result.job_id,
            result.run_id,
            result.attempt_id.unwrap_or(1)
        )),
        StoreError::ForeignKey => EngineError::invalid(format!(
            "job_id={} or compute_node_id={} does not exist",
            result.job_id, result.compute_node_id
        )),
        other => other.into(),
    }
}

/// Refuses a result about a job of another workflow.
fn check_job(tx: &WriteTx<'_>, result: &ResultModel) -> Result<(), EngineError> {
    match jobs::get(tx, result.job_id)? {
        Some(job) if job.workflow_id != result.workflow_id => Err(EngineError::invalid(format!(
            "job_id={} does not belong to workflow {}",
            result.job_id, result.workflow_id
        ))),
        // One that does not exist is refused by the database.
        _ => Ok(()),
    }
}

struct CreateResult(ResultModel);

impl Command for CreateResult {
    const NAME: &'static str = "create_result";
    type Reply = ResultModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<ResultModel, EngineError> {
        let mut result = self.0;
        access::workflow(tx, result.workflow_id)?;
        check_job(tx, &result)?;
        let id = rows::insert(tx, &result, None).map_err(|error| refused(error, &result))?;
        rows::set_current(tx, result.workflow_id, result.job_id, id)?;
        result.id = Some(id);
        result.job_name = None;
        Ok(result)
    }
}

struct UpdateResult {
    id: i64,
    change: ResultModel,
}

impl Command for UpdateResult {
    const NAME: &'static str = "update_result";
    type Reply = ResultModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<ResultModel, EngineError> {
        let mut result = stored(tx, self.id)?;
        let change = self.change;
        access::workflow(tx, change.workflow_id)?;
        result.job_id = change.job_id;
        result.workflow_id = change.workflow_id;
        result.run_id = change.run_id;
        result.return_code = change.return_code;
        result.exec_time_minutes = change.exec_time_minutes;
        result.completion_time = change.completion_time;
        result.status = change.status;
        check_job(tx, &result)?;
        rows::update(tx, self.id, &result).map_err(|error| refused(error, &result))?;
        stored(tx, self.id)
    }
}

struct DeleteResult(i64);

impl Command for DeleteResult {
    const NAME: &'static str = "delete_result";
    type Reply = ResultModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<ResultModel, EngineError> {
        let result = stored(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(result)
    }
}

struct DeleteResults(i64);

impl Command for DeleteResults {
    const NAME: &'static str = "delete_results";
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

fn stored(tx: &WriteTx<'_>, id: i64) -> Result<ResultModel, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_in("result", id))
}

impl Engine {
    /// Stores a result and makes it the current one of its job, whose status stays.
    ///
    /// # Errors
    ///
    /// An unknown workflow, job or node; an attempt that has a result.
    #[tracing::instrument(level = "debug", skip_all, fields(job_id = result.job_id))]
    pub async fn create_result(&self, result: ResultModel) -> Result<ResultModel, EngineError> {
        self.may_use(Subject::Workflow(result.workflow_id)).await?;
        self.submit(CreateResult(result)).await
    }

    /// One result.
    ///
    /// # Errors
    ///
    /// An unknown result.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_result(&self, id: i64) -> Result<ResultModel, EngineError> {
        self.may_use(Subject::Row("result", id)).await?;
        let conn = self.read("get_result").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_in("result", id))
    }

    /// The results of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_results(
        &self,
        query: &ListResultsQuery,
    ) -> Result<Page<ResultModel>, EngineError> {
        self.may_use(Subject::Workflow(query.workflow_id)).await?;
        let paging = query.paging();
        check_paging(&paging)?;
        let conn = self.read_list("list_results").await?;
        access::workflow_read(&conn, query.workflow_id).await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Changes what a result says; attempt, node and measurements stay.
    ///
    /// # Errors
    ///
    /// An unknown result, workflow or job.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_result(
        &self,
        id: i64,
        change: ResultModel,
    ) -> Result<ResultModel, EngineError> {
        self.may_use(Subject::Row("result", id)).await?;
        self.may_use(Subject::Workflow(change.workflow_id)).await?;
        self.submit(UpdateResult { id, change }).await
    }

    /// Removes a result.
    ///
    /// # Errors
    ///
    /// An unknown result.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_result(&self, id: i64) -> Result<ResultModel, EngineError> {
        self.may_use(Subject::Row("result", id)).await?;
        self.submit(DeleteResult(id)).await
    }

    /// Removes all results of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_results(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let count = self.submit(DeleteResults(workflow_id)).await?;
        Ok(DeleteCountResponse {
            count,
            deleted_count: None,
        })
    }
}
