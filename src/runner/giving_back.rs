//! Giving back jobs that were claimed and not run, so that somebody else may run them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::AT_END;
use super::foreman::{Foreman, News};
use super::job_process::Shop;
use crate::client::{ClientError, IdempotencyKey};
use crate::wire::{JobId, JobStatus};

/// How long the server has to take jobs back; the user may be waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// Jobs given back at once.
const AT_ONCE: usize = 8;

impl Foreman {
    /// Gives back what is to be given back, in a task of its own.
    pub(super) fn give_back_jobs(&mut self) {
        if self.give_back.is_empty() {
            return;
        }
        let ids = std::mem::take(&mut self.give_back);
        self.returning += ids.len();
        let shop = Arc::clone(&self.terms.shop);
        self.inform("runner: give back", async move {
            let done = AtomicU64::new(0);
            let all = stream::iter(&ids).for_each_concurrent(AT_ONCE, |&id| {
                let (shop, done) = (&shop, &done);
                async move {
                    match give_back(shop, id).await {
                        Ok(true) => {
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(false) => tracing::debug!(job.id = id, "not ours any more"),
                        Err(error) => {
                            tracing::warn!(job.id = id, %error, "a claimed job could not be given back");
                        }
                    }
                }
            });
            // Without a server each would be tried in vain.
            let _ = tokio::time::timeout(PATIENCE, all).await;
            News::GivenBack {
                tried: ids.len(),
                done: done.into_inner(),
            }
        });
    }
}

/// Makes a job ready that waits for this worker; says whether it did.
///
/// Who has a pending job is written nowhere, and in a new run, or after a canceled one,
/// it may be another worker's by now. Of several that start a job one wins, and the
/// others are refused. So the job is started here, which makes it ours for certain, and
/// then made ready; setting it ready at once might take it from whoever runs it.
async fn give_back(shop: &Shop, id: JobId) -> Result<bool, ClientError> {
    let key = IdempotencyKey::fresh();
    let attempt = || async {
        loop {
            let workflow = shop.client.get_workflow(shop.workflow_id).await?;
            let run_id = workflow.run_id.unwrap_or_default();
            let node = shop.compute_node_id;
            match shop.client.start_job(id, run_id, node, Some(&key)).await {
                Ok(_) => {}
                Err(error) if error.says_other_run() => continue,
                Err(error) if !error.is_transient() => return Ok(false),
                Err(error) => return Err(error),
            }
            let ready = JobStatus::Ready;
            match shop.client.manage_status_change(id, ready, run_id).await {
                Ok(_) => return Ok(true),
                Err(error) if error.says_other_run() => {}
                Err(error) => return Err(error),
            }
        }
    };
    AT_END.run(attempt).await
}
