//! What the foreman makes of the news.

use rustix::process::Signal;
use tokio::time::Instant;

use super::Ending;
use super::claimer::Claimed;
use super::foreman::{Foreman, News};
use super::job_process::JobEnd;
use super::progress::Extent;
use super::reporter::{Report, says_already_complete};
use super::verdict::Order;
use super::wakeup::Wake;
use crate::client::ClientError;
use crate::wire::workflows::{IsCompleteResponse, WorkflowStatusResponse};

impl Foreman {
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Claimed(answer) => {
                self.claim.asked = false;
                match answer {
                    Ok(claimed) => self.hear_claimed(claimed),
                    Err(error) => self.lose("claim jobs", error),
                }
            }
            News::Job(held, end) => {
                self.terms.account.give_back(held.needs);
                self.terms.gpus.give_back(held.gpus);
                self.hear_job(end);
            }
            News::Checked(answer) => {
                self.check.asked = false;
                match answer {
                    Ok(state) => self.hear_state(state),
                    Err(error) => self.lose("ask how the workflow stands", error),
                }
            }
            News::Counted(answer) => {
                self.recount.asked = false;
                // Only the display wanted to know, and will ask again.
                if let Ok(status) = answer {
                    self.hear_count(&status);
                }
            }
        }
    }

    fn hear_claimed(&mut self, claimed: Claimed) {
        tracing::debug!(jobs = claimed.jobs.len(), "claimed");
        // Word of new jobs may have come while the claim was under way: it stays due then.
        self.claim.due |= claimed.more;
        if claimed.jobs.is_empty() {
            self.check.due |= self.is_idle();
        } else if self.is_stopping() {
            let ids = claimed.jobs.iter().filter_map(|claimed| claimed.job.id);
            self.give_back.extend(ids);
        } else {
            self.queue.extend(claimed.jobs);
        }
    }

    fn hear_job(&mut self, end: JobEnd) {
        let now = Instant::now();
        match end {
            JobEnd::Ended(entry) => {
                self.pace.ended(now, self.terms.account.most_ahead());
                self.unreported += 1;
                // The reporter lives as long as this sender.
                let _ = self.endings.send(*entry);
            }
            JobEnd::Unstarted(id) => self.give_back.push(id),
            JobEnd::Refused(error) => {
                tracing::warn!(%error, "a claimed job is not ours any more");
                self.claim.due = true;
                self.check.due = true;
            }
            JobEnd::Unreachable(error) => self.lose("start a job", error),
        }
        self.idle_since = now;
    }

    fn hear_state(&mut self, state: IsCompleteResponse) {
        if self.is_stopping() {
            return;
        }
        if state.is_canceled {
            self.stop(Ending::Canceled);
            let kill_at = Instant::now() + self.terms.grace;
            self.stop_jobs(Signal::TERM, kill_at, Order::Kill { time_up: false });
        } else if state.is_complete && self.is_idle() && !self.terms.ignore_completion {
            self.stop(Ending::Complete);
        }
    }

    fn hear_count(&mut self, status: &WorkflowStatusResponse) {
        let counts = &status.jobs_by_status;
        let done = counts.completed
            + counts.failed
            + counts.canceled
            + counts.terminated
            + counts.pending_failed;
        self.extent = Extent {
            total: u64::try_from(status.total_jobs).unwrap_or_default(),
            done: u64::try_from(done).unwrap_or_default(),
        };
    }

    /// A request failed for good: nothing sensible can follow.
    fn lose(&mut self, doing: &'static str, error: ClientError) {
        let gone = !error.is_transient();
        self.fail(doing, error);
        if gone {
            // The server is there and does not want this worker, for instance because
            // the workflow was deleted: then nobody wants its jobs either.
            let kill_at = Instant::now() + self.terms.grace;
            self.stop_jobs(Signal::TERM, kill_at, Order::Kill { time_up: false });
        }
    }

    pub(super) fn hear_report(&mut self, report: Report) {
        let Report { batch, answer } = report;
        self.unreported -= batch.len();
        self.idle_since = Instant::now();
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.outcome.unreported += batch.len() as u64;
                for entry in &batch {
                    let (id, code) = (entry.job_id, entry.result.return_code);
                    tracing::error!(job.id = id, return_code = code, status = %entry.status, "an ending was not reported");
                }
                return self.lose("report how jobs ended", error);
            }
        };
        for entry in &batch {
            let refusal = answer.errors.iter().find(|it| it.job_id == entry.job_id);
            match refusal {
                None => self.outcome.count(entry.status),
                Some(refusal)
                    if says_already_complete(&refusal.message)
                        && self.outcome.ending == Ending::Canceled =>
                {
                    self.outcome.canceled += 1;
                }
                Some(refusal) => {
                    self.outcome.refused += 1;
                    tracing::warn!(
                        job.id = entry.job_id,
                        reason = refusal.message,
                        "the server did not take an ending"
                    );
                }
            }
        }
        // Whatever waited for these jobs is ready now.
        self.claim.due = true;
        self.check.due |= self.is_idle();
    }

    pub(super) fn wake(&mut self, wake: Wake) {
        self.extent.done += wake.ended;
        self.claim.due |= wake.claim;
        self.check.due |= wake.missed || (wake.check && self.is_idle());
        self.recount.due |= wake.missed && self.extent.total > 0;
    }
}
