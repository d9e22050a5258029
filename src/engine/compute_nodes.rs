//! Compute nodes: registered, read, changed, deleted.

use serde_json::json;

use super::workflows::merge;
use super::{Engine, EngineError, Subject, access, check_paging, labels};
use crate::store::{Command, Effects, WriteTx, compute_nodes as rows};
use crate::wire::compute_nodes::{ComputeNodeModel, ListComputeNodesQuery};
use crate::wire::events::Severity;
use crate::wire::page::{DeleteCountResponse, Page};

struct CreateComputeNode(ComputeNodeModel);

impl Command for CreateComputeNode {
    const NAME: &'static str = "create_compute_node";
    type Reply = ComputeNodeModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<Self::Reply, EngineError> {
        let mut node = self.0;
        access::workflow(tx, node.workflow_id)?;
        let id = rows::insert(tx, &node)?;
        effects.event(
            node.workflow_id,
            "compute_node_started",
            Severity::Info,
            json!({
                "compute_node_id": id,
                "hostname": node.hostname,
                "pid": node.pid,
                "num_cpus": node.num_cpus,
                "memory_gb": node.memory_gb,
                "num_gpus": node.num_gpus,
                "compute_node_type": node.compute_node_type,
            }),
        );
        node.id = Some(id);
        Ok(node)
    }
}

struct UpdateComputeNode {
    id: i64,
    change: ComputeNodeModel,
}

impl Command for UpdateComputeNode {
    const NAME: &'static str = "update_compute_node";
    type Reply = ComputeNodeModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<Self::Reply, EngineError> {
        let mut node = stored(tx, self.id)?;
        let change = self.change;
        access::workflow(tx, change.workflow_id)?;
        node.workflow_id = change.workflow_id;
        node.hostname = change.hostname;
        node.pid = change.pid;
        node.start_time = change.start_time;
        node.num_cpus = change.num_cpus;
        node.memory_gb = change.memory_gb;
        node.num_gpus = change.num_gpus;
        node.num_nodes = change.num_nodes;
        node.compute_node_type = change.compute_node_type;
        merge(&mut node.end_time, change.end_time);
        merge(&mut node.duration_seconds, change.duration_seconds);
        merge(&mut node.is_active, change.is_active);
        merge(&mut node.time_limit, change.time_limit);
        merge(&mut node.scheduler_config_id, change.scheduler_config_id);
        merge(
            &mut node.scheduler,
            change.scheduler.filter(|value| !value.is_null()),
        );
        merge(&mut node.sample_count, change.sample_count);
        merge(&mut node.peak_cpu_percent, change.peak_cpu_percent);
        merge(&mut node.avg_cpu_percent, change.avg_cpu_percent);
        merge(&mut node.peak_memory_bytes, change.peak_memory_bytes);
        merge(&mut node.avg_memory_bytes, change.avg_memory_bytes);
        rows::update(tx, self.id, &node)?;
        if change.is_active == Some(false) {
            effects.event(
                node.workflow_id,
                "compute_node_stopped",
                Severity::Info,
                json!({
                    "compute_node_id": self.id,
                    "hostname": node.hostname,
                    "pid": node.pid,
                    "duration_seconds": node.duration_seconds,
                    "compute_node_type": node.compute_node_type,
                }),
            );
        }
        Ok(node)
    }
}

struct DeleteComputeNode(i64);

impl Command for DeleteComputeNode {
    const NAME: &'static str = "delete_compute_node";
    type Reply = ComputeNodeModel;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, _: &mut Effects) -> Result<Self::Reply, EngineError> {
        let node = stored(tx, self.0)?;
        rows::delete(tx, self.0)?;
        Ok(node)
    }
}

struct DeleteComputeNodes(i64);

impl Command for DeleteComputeNodes {
    const NAME: &'static str = "delete_compute_nodes";
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

fn stored(tx: &WriteTx<'_>, id: i64) -> Result<ComputeNodeModel, EngineError> {
    rows::get(tx, id)?.ok_or_else(|| EngineError::not_in("compute_node", id))
}

impl Engine {
    /// Registers a worker's machine.
    ///
    /// # Errors
    ///
    /// An unknown workflow, bad labels.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = node.workflow_id))]
    pub async fn create_compute_node(
        &self,
        mut node: ComputeNodeModel,
    ) -> Result<ComputeNodeModel, EngineError> {
        self.may_use(Subject::Workflow(node.workflow_id)).await?;
        if let Some(given) = &mut node.labels {
            labels::check(given, &format!("compute node '{}'", node.hostname))?;
            given.sort();
            given.dedup();
        }
        self.submit(CreateComputeNode(node)).await
    }

    /// One node.
    ///
    /// # Errors
    ///
    /// An unknown node.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_compute_node(&self, id: i64) -> Result<ComputeNodeModel, EngineError> {
        self.may_use(Subject::Row("compute_node", id)).await?;
        let conn = self.read("get_compute_node").await?;
        rows::read(&conn, id)
            .await?
            .ok_or_else(|| EngineError::not_in("compute_node", id))
    }

    /// The nodes of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip_all, fields(workflow_id = query.workflow_id))]
    pub async fn list_compute_nodes(
        &self,
        query: &ListComputeNodesQuery,
    ) -> Result<Page<ComputeNodeModel>, EngineError> {
        self.may_use(Subject::Workflow(query.workflow_id)).await?;
        let paging = query.paging();
        check_paging(&paging)?;
        let conn = self.read_list("list_compute_nodes").await?;
        access::workflow_read(&conn, query.workflow_id).await?;
        Ok(rows::list(&conn, query, &paging).await?)
    }

    /// Changes a node; absent fields stay, and so do its labels.
    ///
    /// # Errors
    ///
    /// An unknown node or workflow.
    #[tracing::instrument(level = "debug", skip(self, change))]
    pub async fn update_compute_node(
        &self,
        id: i64,
        change: ComputeNodeModel,
    ) -> Result<ComputeNodeModel, EngineError> {
        self.may_use(Subject::Row("compute_node", id)).await?;
        self.may_use(Subject::Workflow(change.workflow_id)).await?;
        self.submit(UpdateComputeNode { id, change }).await
    }

    /// Removes a node, and the results of jobs that ran on it.
    ///
    /// # Errors
    ///
    /// An unknown node.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_compute_node(&self, id: i64) -> Result<ComputeNodeModel, EngineError> {
        self.may_use(Subject::Row("compute_node", id)).await?;
        self.submit(DeleteComputeNode(id)).await
    }

    /// Removes all nodes of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn delete_compute_nodes(
        &self,
        workflow_id: i64,
    ) -> Result<DeleteCountResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let count = self.submit(DeleteComputeNodes(workflow_id)).await?;
        Ok(DeleteCountResponse {
            count,
            deleted_count: None,
        })
    }
}
