//! The state of a workflow at a glance; what every worker polls.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::{Engine, EngineError, Subject, access, check_limit, labels};
use crate::clock;
use crate::store::{ReadConn, jobs, workflow_status as rows};
use crate::wire::JobStatus;
use crate::wire::jobs::{RunningJobModel, RunningJobsQuery};
use crate::wire::page::{MAX_LIMIT, Page};
use crate::wire::workflows::{
    IsCompleteResponse, IsUninitializedResponse, JobStatusCounts, ListJobIdsResponse,
    WorkflowStatusResponse,
};

/// Seconds by which a job may outlast its node before it counts as blocked by its runtime.
const GRACE_SECONDS: i64 = 120;

type Counts = [i64; JobStatus::ALL.len()];

/// Whether no job is left to do: all have ended or were taken out.
fn all_ended(counts: &Counts) -> bool {
    JobStatus::ALL
        .into_iter()
        .zip(counts)
        .all(|(status, jobs)| *jobs == 0 || status.is_complete() || status == JobStatus::Disabled)
}

async fn head(conn: &ReadConn, id: i64) -> Result<rows::Head, EngineError> {
    rows::head(conn, id)
        .await?
        .ok_or_else(|| EngineError::not_found("Workflow", id))
}

/// What the active nodes leave to be desired by ready jobs.
async fn unserved(
    conn: &ReadConn,
    status: &mut WorkflowStatusResponse,
    nodes: &[rows::ActiveNode],
) -> Result<(), EngineError> {
    let now = clock::now();
    let remaining = |node: &rows::ActiveNode| {
        let end = DateTime::parse_from_rfc3339(node.end_time.as_deref()?).ok()?;
        Some((end.to_utc() - now).num_seconds().max(0))
    };
    status.max_allocation_remaining_seconds = nodes.iter().filter_map(remaining).max();
    let unlabeled: Vec<_> = nodes.iter().filter(|node| node.labels.is_empty()).collect();
    let limits: Vec<_> = unlabeled.iter().map(|node| remaining(node)).collect();
    // A node without an end serves every runtime.
    if status.jobs_by_status.ready > 0
        && !limits.is_empty()
        && let Some(longest) = limits.into_iter().collect::<Option<Vec<_>>>()
        && let Some(longest) = longest.into_iter().max()
    {
        let (jobs, runtime) =
            rows::ready_longer_than(conn, status.workflow_id, longest + GRACE_SECONDS).await?;
        status.runtime_blocked_ready_jobs = jobs;
        status.longest_ready_runtime_seconds = runtime;
    }
    if status.jobs_by_status.ready > 0 {
        status.unserved_ready_labels = rows::ready_labels(conn, status.workflow_id)
            .await?
            .into_iter()
            .filter(|(set, _)| !nodes.iter().any(|node| labels::serves(&node.labels, set)))
            .map(|(set, jobs)| (set.join(","), jobs))
            .collect::<BTreeMap<_, _>>();
    }
    Ok(())
}

fn by_status(counts: &Counts) -> JobStatusCounts {
    let of = |status: JobStatus| counts[status as usize];
    JobStatusCounts {
        uninitialized: of(JobStatus::Uninitialized),
        blocked: of(JobStatus::Blocked),
        ready: of(JobStatus::Ready),
        pending: of(JobStatus::Pending),
        running: of(JobStatus::Running),
        completed: of(JobStatus::Completed),
        failed: of(JobStatus::Failed),
        canceled: of(JobStatus::Canceled),
        terminated: of(JobStatus::Terminated),
        disabled: of(JobStatus::Disabled),
        pending_failed: of(JobStatus::PendingFailed),
    }
}

impl Engine {
    /// How many jobs of all workflows are in each status.
    ///
    /// # Errors
    ///
    /// What the store says.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn count_jobs(&self) -> Result<Vec<(&'static str, u64)>, EngineError> {
        let conn = self.read("count_jobs").await?;
        let counts = rows::counts_of_all(&conn).await?;
        let named = JobStatus::ALL.into_iter().zip(counts);
        Ok(named
            .map(|(status, count)| (status.as_str(), u64::try_from(count).unwrap_or(0)))
            .collect())
    }

    /// Counts, times and nodes of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn get_workflow_status(
        &self,
        workflow_id: i64,
    ) -> Result<WorkflowStatusResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read("get_workflow_status").await?;
        let head = head(&conn, workflow_id).await?;
        let counts = rows::counts(&conn, workflow_id).await?;
        let (minutes, walltime) = rows::times(&conn, workflow_id).await?;
        let nodes = rows::active_nodes(&conn, workflow_id).await?;
        let (pending, active) = rows::scheduled_nodes(&conn, workflow_id).await?;
        let mut status = WorkflowStatusResponse {
            workflow_id,
            workflow_name: head.name,
            workflow_user: head.user,
            total_jobs: counts.iter().sum(),
            jobs_by_status: by_status(&counts),
            total_exec_time_minutes: minutes,
            walltime_seconds: walltime,
            active_compute_nodes: nodes.len() as i64,
            pending_scheduled_nodes: pending,
            active_scheduled_nodes: active,
            is_complete: head.is_canceled || all_ended(&counts),
            is_canceled: head.is_canceled,
            ..WorkflowStatusResponse::default()
        };
        unserved(&conn, &mut status, &nodes).await?;
        Ok(status)
    }

    /// Whether anything is left to do.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn is_workflow_complete(
        &self,
        workflow_id: i64,
    ) -> Result<IsCompleteResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read("is_workflow_complete").await?;
        let head = head(&conn, workflow_id).await?;
        let is_complete = head.is_canceled || all_ended(&rows::counts(&conn, workflow_id).await?);
        Ok(IsCompleteResponse {
            is_canceled: head.is_canceled,
            is_complete,
        })
    }

    /// Whether every job is uninitialized or disabled.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn is_workflow_uninitialized(
        &self,
        workflow_id: i64,
    ) -> Result<IsUninitializedResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read("is_workflow_uninitialized").await?;
        access::workflow_read(&conn, workflow_id).await?;
        let counts = rows::counts(&conn, workflow_id).await?;
        let is_uninitialized = JobStatus::ALL
            .into_iter()
            .zip(counts)
            .all(|(status, jobs)| {
                jobs == 0 || matches!(status, JobStatus::Uninitialized | JobStatus::Disabled)
            });
        Ok(IsUninitializedResponse { is_uninitialized })
    }

    /// The ids of all jobs of a workflow.
    ///
    /// # Errors
    ///
    /// An unknown workflow.
    #[tracing::instrument(level = "debug", skip(self))]
    pub async fn list_job_ids(&self, workflow_id: i64) -> Result<ListJobIdsResponse, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let conn = self.read_list("list_job_ids").await?;
        access::workflow_read(&conn, workflow_id).await?;
        let job_ids = jobs::ids(&conn, workflow_id).await?;
        let count = job_ids.len() as i64;
        Ok(ListJobIdsResponse { job_ids, count })
    }

    /// The jobs that run now, and where.
    ///
    /// # Errors
    ///
    /// An unknown workflow, a page out of bounds.
    #[tracing::instrument(level = "debug", skip(self, query))]
    pub async fn get_running_jobs(
        &self,
        workflow_id: i64,
        query: RunningJobsQuery,
    ) -> Result<Page<RunningJobModel>, EngineError> {
        self.may_use(Subject::Workflow(workflow_id)).await?;
        let limit = query.limit.unwrap_or(MAX_LIMIT);
        let offset = query.offset.unwrap_or(0);
        check_limit(limit)?;
        if offset < 0 {
            return Err(EngineError::invalid("offset cannot be negative"));
        }
        let conn = self.read_list("get_running_jobs").await?;
        access::workflow_read(&conn, workflow_id).await?;
        Ok(rows::running_jobs(&conn, workflow_id, offset, limit).await?)
    }
}
