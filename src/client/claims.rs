//! Claims: asking for jobs to run.

use super::{Client, ClientError, IdempotencyKey};
use crate::wire::WorkflowId;
use crate::wire::claims::{
    ClaimByResourcesQuery, ClaimNextQuery, ClaimResponse, ComputeNodesResources,
    GetReadyJobRequirementsResponse, ReadyRequirementsQuery,
};

impl Client {
    /// Claims ready jobs in the order of their priority, whatever they need.
    ///
    /// Repeated with the same key it answers with the same jobs.
    pub async fn claim_next_jobs(
        &self,
        workflow_id: WorkflowId,
        query: &ClaimNextQuery,
        key: Option<&IdempotencyKey>,
    ) -> Result<ClaimResponse, ClientError> {
        self.post(format!("/workflows/{workflow_id}/claim_next_jobs"))
            .query(query)
            .key(key)
            .send()
            .await
    }

    /// Claims ready jobs that fit into what is offered, at most `limit`.
    ///
    /// Repeated with the same key it answers with the same jobs.
    pub async fn claim_jobs_based_on_resources(
        &self,
        workflow_id: WorkflowId,
        limit: i64,
        offer: &ComputeNodesResources,
        query: &ClaimByResourcesQuery,
        key: Option<&IdempotencyKey>,
    ) -> Result<ClaimResponse, ClientError> {
        let path = format!("/workflows/{workflow_id}/claim_jobs_based_on_resources/{limit}");
        self.post(path)
            .query(query)
            .json(offer)
            .key(key)
            .send()
            .await
    }

    /// What all ready jobs together would need.
    pub async fn get_ready_job_requirements(
        &self,
        workflow_id: WorkflowId,
        query: &ReadyRequirementsQuery,
    ) -> Result<GetReadyJobRequirementsResponse, ClientError> {
        self.get(format!("/workflows/{workflow_id}/ready_job_requirements"))
            .query(query)
            .send()
            .await
    }
}
