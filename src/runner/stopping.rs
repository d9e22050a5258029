//! How the worker comes to its end.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use super::foreman::Foreman;
use super::verdict::Order;
use super::{Ending, RunOutcome, RunnerError};

/// After a signal, how long the server has to take the last reports.
const LAST_REPORTS: Duration = Duration::from_secs(30);
/// The same after a second signal.
const HURRIED_REPORTS: Duration = Duration::from_secs(5);
/// The signal of this number waits for nothing.
pub(super) const AT_ONCE: u32 = 3;
/// After a signal, how long the server has for the rest if there is nothing to report.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

impl Foreman {
    /// Claims and starts nothing more.
    pub(super) fn stop(&mut self, ending: Ending) {
        tracing::info!(?ending, "stopping");
        self.stopping = true;
        self.outcome.ending = ending;
        let ids = self.queue.drain(..).map(|claimed| claimed.id());
        self.give_back.extend(ids);
    }

    /// Asks the running jobs to stop, and kills them when `kill_at` comes.
    pub(super) fn stop_jobs(&mut self, signal: Signal, kill_at: Instant, kill: Order) {
        self.orders.send_replace(Order::Stop(signal));
        self.kill = Some((kill_at, kill));
    }

    /// Ends the work because it cannot go on; jobs that run may end on their own.
    pub(super) fn fail(&mut self, failure: RunnerError) {
        tracing::error!(%failure, "stopping");
        if self.failure.is_none() {
            self.failure = Some(failure);
        }
        if !self.stopping {
            self.stop(Ending::default());
        }
    }

    /// Takes a signal; `nth` of those that have come.
    pub(super) fn hear_signal(&mut self, signal: Signal, nth: u32) {
        let now = Instant::now();
        let kill = Order::Kill { time_up: false };
        match nth {
            0 | 1 => {
                let jobs = self.terms.account.jobs();
                self.display.say(&format!(
                    "stopping {jobs} running jobs; a second signal kills them"
                ));
                self.stop(Ending::Interrupted(signal.as_raw()));
                let kill_at = now + self.terms.grace;
                self.stop_jobs(signal, kill_at, kill);
                self.give_up_at = Some(if jobs + self.unreported > 0 {
                    kill_at + LAST_REPORTS
                } else {
                    now + LAST_ANSWERS
                });
            }
            2 => {
                self.display
                    .say("killing the jobs; a third signal ends this program at once");
                self.orders.send_replace(kill);
                for run in &self.old_runs {
                    run.orders.send_replace(kill);
                }
                self.give_up_at = Some(now + HURRIED_REPORTS);
            }
            AT_ONCE.. => self.give_up_at = Some(now),
        }
    }

    /// Sums up.
    pub(super) fn leave(mut self) -> Result<RunOutcome, RunnerError> {
        self.outcome.unreported += self.unreported as u64;
        self.display.finish();
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        tracing::info!(outcome = %self.outcome, "worker stopped");
        Ok(self.outcome)
    }
}
