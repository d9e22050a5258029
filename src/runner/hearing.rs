//! What the foreman makes of the news.

use tokio::time::Instant;

use super::claimer::{Claimed, ClaimedJob};
use super::foreman::{Foreman, Held, News};
use super::job_process::JobEnd;
use super::reporter::{Report, ToReport, says_already_complete, says_other_run};
use super::verdict::Order;
use super::wakeup::Wake;
use super::{Ending, RunnerError};
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
            News::Job(held, end) => self.hear_job(held, end),
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
            News::Workflow(answer) => {
                self.rerun.asked = false;
                match answer {
                    Ok(workflow) => self.hear_workflow(&workflow),
                    Err(error) => self.lose("read the workflow", error),
                }
            }
            News::GivenBack { tried, done } => {
                self.returning -= tried;
                self.outcome.given_back += done;
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
            self.give_back
                .extend(claimed.jobs.iter().map(ClaimedJob::id));
        } else {
            for claimed in claimed.jobs {
                self.take_in(claimed);
            }
        }
    }

    /// Puts a claimed job into the queue, unless it is here already: then the server made
    /// it ready again meanwhile, and the one here will do.
    fn take_in(&mut self, claimed: ClaimedJob) {
        let id = claimed.id();
        let runs = self.at_work.get(&id) == Some(&self.terms.shop.run_id);
        if !runs && self.queue.iter().all(|other| other.id() != id) {
            self.queue.push_back(claimed);
        }
    }

    fn hear_job(&mut self, held: Held, end: JobEnd) {
        let Held {
            claimed,
            run_id,
            gpus,
        } = held;
        let now = Instant::now();
        self.idle_since = now;
        self.terms.account.give_back(claimed.needs);
        self.terms.gpus.give_back(gpus);
        let id = claimed.id();
        self.at_work.remove(&id);
        let is_old = run_id != self.terms.shop.run_id;
        match end {
            JobEnd::Ended(_) if is_old => {
                self.outcome.superseded += 1;
                self.give_back.push(id);
            }
            JobEnd::Ended(entry) => {
                self.pace.ended(now, self.terms.account.most_ahead());
                self.unreported += 1;
                // The reporter lives as long as this sender.
                let trace = claimed.trace;
                let _ = self.endings.send(ToReport {
                    entry: *entry,
                    trace,
                });
            }
            JobEnd::Unstarted => self.give_back.push(id),
            JobEnd::OtherRun if self.is_stopping() => self.give_back.push(id),
            JobEnd::OtherRun => {
                self.rerun.due |= !is_old;
                self.queue.push_front(*claimed);
            }
            JobEnd::Refused(error) => {
                tracing::warn!(%error, "a claimed job is not ours any more");
                self.claim.due = true;
                self.check.due = true;
            }
            JobEnd::Unreachable(error) => self.lose("start a job", error),
            JobEnd::Broken(error) => {
                self.give_back.push(id);
                self.fail(error);
            }
        }
        if is_old {
            self.old_job_ended();
        }
    }

    fn hear_state(&mut self, state: IsCompleteResponse) {
        if self.is_stopping() {
            return;
        }
        if state.is_canceled {
            self.stop(Ending::Canceled);
            let kill_at = Instant::now() + self.terms.grace;
            let kill = Order::Kill { time_up: false };
            self.stop_jobs(self.terms.polite, kill_at, kill);
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
        self.extent.counted(status.total_jobs, done);
    }

    /// A request failed for good: nothing sensible can follow.
    fn lose(&mut self, doing: &'static str, source: ClientError) {
        let gone = !source.is_transient();
        self.fail(RunnerError::Server { doing, source });
        if gone {
            // The server is there and does not want this worker, for instance because
            // the workflow was deleted: then nobody wants its jobs either.
            let kill_at = Instant::now() + self.terms.grace;
            let kill = Order::Kill { time_up: false };
            self.stop_jobs(self.terms.polite, kill_at, kill);
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
        let run_id = self.terms.shop.run_id;
        for entry in &batch {
            let refusal = answer.errors.iter().find(|it| it.job_id == entry.job_id);
            match refusal {
                None => self.outcome.count(entry.status),
                // Whatever the reason: nobody waits for the results of an old run.
                Some(refusal) if says_other_run(&refusal.message) || entry.run_id != run_id => {
                    self.outcome.superseded += 1;
                    self.give_back.push(entry.job_id);
                    self.rerun.due = true;
                }
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
        self.rerun.due |= wake.missed;
        self.recount.due |= wake.missed && self.extent.total > 0;
    }
}
