//! Remote workers: added, listed, removed. To reach them is the clients' business.

use super::{Engine, EngineError, Subject, access, weight};
use crate::store::{Command, Effects, WriteTx, remote_workers as rows};
use crate::wire::remote_workers::RemoteWorkerModel;

struct CreateRemoteWorkers {
    workflow_id: i64,
    workers: Vec<String>,
}

impl Command for CreateRemoteWorkers {
    const NAME: &'static str = "create_remote_workers";
    type Reply = Vec<RemoteWorkerModel>;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let workflow_id = self.workflow_id;
        access::workflow(tx, workflow_id)?;
        for worker in &self.workers {
            rows::insert(tx, workflow_id, worker)?;
        }
        let model = |worker| RemoteWorkerModel {
            worker,
            workflow_id,
        };
        Ok(self.workers.into_iter().map(model).collect())
    }

    fn bytes(&self) -> usize {
        weight::of_texts(&self.workers)
    }

    fn alone(&self) -> bool {
        self.workers.len() > super::MANY
    }
}

struct DeleteRemoteWorker(RemoteWorkerModel);

impl Command for DeleteRemoteWorker {
    const NAME: &'static str = "delete_remote_worker";
    type Reply = RemoteWorkerModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let model = self.0;
        access::workflow(tx, model.workflow_id)?;
        if rows::delete(tx, model.workflow_id, &model.worker)? {
            return Ok(model);
        }
        Err(EngineError::NotFound(format!(
            "Remote worker '{}' not found in workflow {}",
            model.worker, model.workflow_id
        )))
    }
}

impl Engine {
    /// Adds workers to a workflow; those that it has already stay. Answers all that were
    /// asked for.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a worker without a name.
    #[tracing::instrument(level = "debug", skip(self, workers), fields(workers = workers.len()))]
    pub async fn create_remote_workers(
        &self,
        workflow_id: i64,
        workers: Vec<String>,
    ) -> Result<Vec<RemoteWorkerModel>, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        if workers.iter().any(|worker| worker.trim().is_empty()) {
            return Err(EngineError::invalid("a remote worker must have a name"));
        }
        self.submit(CreateRemoteWorkers {
            workflow_id,
            workers,
        })
        .await
    }

    /// The workers of a workflow, by name.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn list_remote_workers(
        &self,
        workflow_id: i64,
    ) -> Result<Vec<RemoteWorkerModel>, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read_list("list_remote_workers").await?;
        access::workflow_read(&conn, workflow_id).await?;
        Ok(rows::list(&conn, workflow_id).await?)
    }

    /// Removes a worker from a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow or worker.
    #[tracing::instrument(level = "debug", skip(self, worker))]
    pub async fn delete_remote_worker(
        &self,
        workflow_id: i64,
        worker: String,
    ) -> Result<RemoteWorkerModel, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        self.submit(DeleteRemoteWorker(RemoteWorkerModel {
            worker,
            workflow_id,
        }))
        .await
    }
}
