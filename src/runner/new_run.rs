//! A new run that begins under a live worker: `torc workflows start`, by whomever.
//!
//! What was started in the old run belongs to nobody any more: its results would be
//! refused, and the server may have given the jobs to others. So the worker stops it,
//! and goes on with the new run when it is gone. Jobs that it has claimed and not started
//! it keeps: a claim is of no run, so it cannot know in which one it got them, but
//! starting them tells, since the server refuses whoever does not hold the job.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::foreman::Foreman;
use super::progress::Extent;
use super::verdict::Order;
use crate::wire::workflows::WorkflowModel;

/// A run that is over while jobs of it are still here.
#[derive(Debug)]
pub(super) struct OldRun {
    /// What its jobs are told.
    pub(super) orders: watch::Sender<Order>,
    /// When those that are left are killed.
    pub(super) kill_at: Instant,
}

impl Foreman {
    /// Goes over to another run, if the workflow is in one.
    pub(super) fn hear_workflow(&mut self, workflow: &WorkflowModel) {
        let old = self.terms.shop.run_id;
        let new = workflow.run_id.unwrap_or_default();
        if new == old || self.is_stopping() {
            return;
        }
        let jobs = self.terms.account.jobs();
        tracing::info!(
            old_run.id = old,
            run.id = new,
            jobs,
            "the workflow is in a new run"
        );
        self.display.say(&format!(
            "run {new} has begun; stopping {jobs} running jobs of run {old}"
        ));
        self.terms.shop = Arc::new(self.terms.shop.in_run(workflow));
        let orders = std::mem::replace(&mut self.orders, watch::Sender::new(Order::Run));
        orders.send_replace(Order::Stop(self.terms.polite));
        let now = Instant::now();
        self.old_runs.push(OldRun {
            orders,
            kill_at: now + self.terms.grace,
        });
        self.old_jobs = jobs;
        self.extent = Extent::default();
        self.recount.due = self.display.is_shown();
        self.claim.due = true;
        self.check.due = true;
        self.idle_since = now;
    }

    /// Whether it is open, or too early, to say in which run a job would be started.
    pub(super) fn is_between_runs(&self) -> bool {
        let asks = self.rerun.due || self.rerun.asked;
        asks || self.old_jobs > 0 || self.returning > 0 || !self.give_back.is_empty()
    }

    /// Notes that a job of an old run is gone; it must not stay with this worker.
    pub(super) fn old_job_ended(&mut self) {
        self.old_jobs = self.old_jobs.saturating_sub(1);
        if self.old_jobs == 0 {
            self.old_runs.clear();
            self.claim.due = true;
        }
    }

    /// Kills what an old run has left after its time.
    pub(super) fn alarm_old_runs(&mut self, now: Instant) {
        for run in &self.old_runs {
            let kill = Order::Kill { time_up: false };
            if now >= run.kill_at && *run.orders.borrow() != kill {
                run.orders.send_replace(kill);
            }
        }
    }

    /// When that is next to be done.
    pub(super) fn next_kill(&self) -> Option<Instant> {
        let waiting = self.old_runs.iter();
        waiting
            .filter(|run| matches!(*run.orders.borrow(), Order::Stop(_)))
            .map(|run| run.kill_at)
            .min()
    }
}
