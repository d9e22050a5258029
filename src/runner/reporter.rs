//! Tells the server how jobs ended, in batches, until it has heard.

use tokio::sync::mpsc;

use crate::client::{Client, ClientError, IdempotencyKey, RetryPolicy, Trace};
use crate::wire::WorkflowId;
use crate::wire::jobs::{BatchCompleteJobsRequest, BatchCompleteJobsResponse, JobCompletionEntry};

/// Endings per request at most; well below the server's limit on a body.
const BATCH: usize = 500;

/// How a job ended, and the trace of its claim.
#[derive(Debug)]
pub(super) struct ToReport {
    pub(super) entry: JobCompletionEntry,
    pub(super) trace: Option<Trace>,
}

/// What the server said about a batch.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) batch: Vec<JobCompletionEntry>,
    pub(super) answer: Result<BatchCompleteJobsResponse, ClientError>,
}

/// Reports what comes in `endings` and hands on what was said of it, until `endings` closes.
///
/// No timer collects a batch: while one request is under way the next gathers by itself.
pub(super) async fn run(
    client: Client,
    workflow_id: WorkflowId,
    retry: RetryPolicy,
    mut endings: mpsc::UnboundedReceiver<ToReport>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && endings.recv_many(&mut waiting, BATCH).await == 0 {
            return;
        }
        let (trace, completions) = next_batch(&mut waiting);
        let client = client.in_trace(trace);
        let request = BatchCompleteJobsRequest { completions };
        // The same key for every repetition: what was recorded although the answer got
        // lost is then a success, not an error.
        let key = IdempotencyKey::fresh();
        let answer = retry
            .run(|| client.batch_complete_jobs(workflow_id, &request, Some(&key)))
            .await;
        let report = Report {
            batch: request.completions,
            answer,
        };
        if reports.send(report).is_err() {
            return;
        }
    }
}

/// Takes the first ending and all others of its trace: a request is in one trace. Nearly
/// all are in none, and go together.
fn next_batch(waiting: &mut Vec<ToReport>) -> (Option<Trace>, Vec<JobCompletionEntry>) {
    let trace = waiting.first().and_then(|first| first.trace);
    let of_trace = waiting.extract_if(.., |ending| ending.trace == trace);
    (trace, of_trace.map(|ending| ending.entry).collect())
}

/// Whether this refusal only says that the workflow is in another run by now.
pub(super) fn says_other_run(message: &str) -> bool {
    message.contains("Run ID mismatch")
}

/// Whether this refusal only says that the job has ended before, for instance by a cancel.
pub(super) fn says_already_complete(message: &str) -> bool {
    message.contains("already complete")
}
