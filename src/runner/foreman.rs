//! The foreman: the one task that decides what this worker does next.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::account::{Account, Pace};
use super::claimer::{Claimed, ClaimedJob, Claimer};
use super::deadline::Deadline;
use super::gpus::Gpus;
use super::job_process::{self, JobEnd, Shop};
use super::new_run::OldRun;
use super::progress::{Display, Extent};
use super::reporter::{self, Report, ToReport};
use super::signals::Signals;
use super::verdict::Order;
use super::{Ending, Progress, RunOutcome, RunnerError, wakeup};
use crate::client::ClientError;
use crate::telemetry::task;
use crate::wire::workflows::{IsCompleteResponse, WorkflowModel, WorkflowStatusResponse};
use crate::wire::{JobId, RunId};

/// The event stream may be silent or gone; after so long one asks anyway.
const POLL: Duration = Duration::from_secs(2);
/// Time between two counts of the whole workflow, where somebody looks.
const RECOUNT: Duration = Duration::from_secs(10);
/// No job is started while so many endings could not be reported yet.
const MOST_UNREPORTED: usize = 10_000;

/// What a foreman is hired for.
pub(super) struct Terms {
    pub(super) shop: Arc<Shop>,
    pub(super) claimer: Arc<Claimer>,
    pub(super) account: Account,
    pub(super) gpus: Gpus,
    pub(super) deadline: Option<Deadline>,
    /// How long to wait for jobs; for ever without.
    pub(super) wait_for_jobs: Option<Duration>,
    /// Stay after the workflow is complete.
    pub(super) ignore_completion: bool,
    pub(super) grace: Duration,
    /// How jobs are asked to stop, unless a signal of another kind came from outside.
    pub(super) polite: Signal,
    pub(super) progress: Progress,
}

/// A job and what it had while it ran.
pub(super) struct Held {
    pub(super) claimed: Box<ClaimedJob>,
    pub(super) run_id: RunId,
    pub(super) gpus: Vec<String>,
}

/// What the foreman's tasks send word of.
pub(super) enum News {
    Claimed(Result<Claimed, ClientError>),
    Job(Held, JobEnd),
    Checked(Result<IsCompleteResponse, ClientError>),
    Counted(Result<WorkflowStatusResponse, ClientError>),
    Workflow(Result<Box<WorkflowModel>, ClientError>),
    GivenBack { tried: usize, done: u64 },
}

/// A question to the server that is asked by one task at a time.
#[derive(Debug, Default)]
pub(super) struct Question {
    /// It should be asked again.
    pub(super) due: bool,
    /// It has been asked and not been answered.
    pub(super) asked: bool,
}

impl Question {
    /// Whether to ask now; what becomes due after that is asked after the answer.
    fn take(&mut self) -> bool {
        let now = self.due && !self.asked;
        if now {
            self.due = false;
            self.asked = true;
        }
        now
    }
}

/// Decides; see the module.
pub(super) struct Foreman {
    pub(super) terms: Terms,
    pub(super) pace: Pace,
    /// Claimed, waiting for a slot.
    pub(super) queue: VecDeque<ClaimedJob>,
    /// Here in some form after the queue, and in which run.
    pub(super) at_work: HashMap<JobId, RunId>,
    /// Claimed, and not to be run after all.
    pub(super) give_back: Vec<JobId>,
    /// On their way back.
    pub(super) returning: usize,
    pub(super) claim: Question,
    pub(super) check: Question,
    pub(super) recount: Question,
    /// In which run the workflow is.
    pub(super) rerun: Question,
    pub(super) orders: watch::Sender<Order>,
    pub(super) old_runs: Vec<OldRun>,
    /// Jobs of old runs that are still here.
    pub(super) old_jobs: usize,
    news: mpsc::Sender<News>,
    inbox: mpsc::Receiver<News>,
    /// Endings on their way to the reporter; closed by [`MOST_UNREPORTED`], not by its type.
    pub(super) endings: mpsc::UnboundedSender<ToReport>,
    reports: mpsc::UnboundedReceiver<Report>,
    pub(super) unreported: usize,
    poll_at: Instant,
    recount_at: Instant,
    /// Since when there is nothing to do.
    pub(super) idle_since: Instant,
    pub(super) stopping: bool,
    /// When jobs that were asked to stop are killed, and whether because time is up.
    pub(super) kill: Option<(Instant, Order)>,
    /// When the last reports are given up.
    pub(super) give_up_at: Option<Instant>,
    pub(super) failure: Option<RunnerError>,
    pub(super) outcome: RunOutcome,
    pub(super) extent: Extent,
    pub(super) display: Display,
}

impl Foreman {
    pub(super) fn new(terms: Terms) -> Self {
        let now = Instant::now();
        let (news, inbox) = mpsc::channel(256);
        let (endings, to_report) = mpsc::unbounded_channel();
        let (reported, reports) = mpsc::unbounded_channel();
        let shop = &terms.shop;
        task::spawn(
            "runner: reporter",
            reporter::run(
                shop.client.clone(),
                shop.workflow_id,
                shop.retry,
                to_report,
                reported,
            ),
        );
        let display = Display::new(terms.progress);
        let due = |due| Question { due, asked: false };
        Self {
            pace: Pace::default(),
            queue: VecDeque::new(),
            at_work: HashMap::new(),
            give_back: Vec::new(),
            returning: 0,
            claim: due(true),
            check: due(false),
            recount: due(display.is_shown()),
            rerun: due(false),
            orders: watch::Sender::new(Order::Run),
            old_runs: Vec::new(),
            old_jobs: 0,
            news,
            inbox,
            endings,
            reports,
            unreported: 0,
            poll_at: now + POLL,
            recount_at: now + RECOUNT,
            idle_since: now,
            stopping: false,
            kill: None,
            give_up_at: None,
            failure: None,
            outcome: RunOutcome::default(),
            extent: Extent::default(),
            display,
            terms,
        }
    }

    /// Works until there is nothing more to do.
    pub(super) async fn work(mut self, signals: &mut Signals) -> Result<RunOutcome, RunnerError> {
        let (wakes_out, mut wakes) = mpsc::channel(1);
        let client = self.terms.shop.client.clone();
        let listener = task::spawn(
            "runner: event stream",
            wakeup::run(client, self.terms.shop.workflow_id, wakes_out),
        );
        self.greet();
        loop {
            self.start_jobs();
            self.ask();
            self.display
                .update(self.extent, self.terms.account.jobs(), &self.outcome);
            if self.is_done() {
                break;
            }
            let alarm = self.next_alarm();
            tokio::select! {
                Some(news) = self.inbox.recv() => self.hear(news),
                Some(report) = self.reports.recv() => self.hear_report(report),
                Some(wake) = wakes.recv() => self.wake(wake),
                signal = signals.next() => self.hear_signal(signal, signals.heard()),
                () = tokio::time::sleep_until(alarm) => self.alarm(Instant::now()),
            }
        }
        listener.abort();
        self.leave()
    }

    fn greet(&self) {
        let (workflow, run) = (self.terms.shop.workflow_id, self.terms.shop.run_id);
        tracing::info!(workflow.id = workflow, run.id = run, "working");
        self.display
            .say(&format!("working on workflow {workflow}, run {run}"));
    }

    /// Starts claimed jobs while there is room.
    fn start_jobs(&mut self) {
        while !self.stopping
            && !self.is_between_runs()
            && self.unreported < MOST_UNREPORTED
            && self.terms.account.may_start()
            && let Some(claimed) = self.queue.pop_front()
        {
            self.terms.account.take(claimed.needs);
            let gpus = self.terms.gpus.take(claimed.needs.gpus);
            let (shop, news) = (Arc::clone(&self.terms.shop), self.news.clone());
            self.at_work.insert(claimed.id(), shop.run_id);
            let mut orders = self.orders.subscribe();
            task::spawn("runner: job", async move {
                let end = job_process::run(&claimed, &gpus, &shop, &mut orders).await;
                let held = Held {
                    claimed: Box::new(claimed),
                    run_id: shop.run_id,
                    gpus,
                };
                // Nobody listens only after the foreman has given up.
                let _ = news.send(News::Job(held, end)).await;
            });
        }
    }

    /// Asks the server what there is to ask.
    fn ask(&mut self) {
        self.give_back_jobs();
        if self.stopping {
            return;
        }
        self.ask_for_jobs();
        if self.rerun.take() {
            let shop = Arc::clone(&self.terms.shop);
            self.inform("runner: run", async move {
                let ask = || shop.client.get_workflow(shop.workflow_id);
                News::Workflow(shop.retry.run(ask).await.map(Box::new))
            });
        }
        if self.check.take() {
            let shop = Arc::clone(&self.terms.shop);
            self.inform("runner: check", async move {
                let id = shop.workflow_id;
                let ask = || shop.client.is_workflow_complete(id);
                News::Checked(shop.retry.run(ask).await)
            });
        }
        if self.recount.take() {
            let shop = Arc::clone(&self.terms.shop);
            self.inform("runner: count", async move {
                News::Counted(shop.client.get_workflow_status(shop.workflow_id).await)
            });
        }
    }

    fn ask_for_jobs(&mut self) {
        if self.is_between_runs() {
            return;
        }
        let now = Instant::now();
        let ahead = self.pace.ahead(now, self.terms.account.most_ahead());
        let Some(request) = self.terms.account.request(self.queue.len(), ahead) else {
            return;
        };
        if self.claim.take() {
            let claimer = Arc::clone(&self.terms.claimer);
            let time_left = self.terms.deadline.map(|deadline| deadline.time_left(now));
            self.inform("runner: claim", async move {
                News::Claimed(claimer.claim(request, time_left).await)
            });
        }
    }

    pub(super) fn inform(
        &self,
        name: &'static str,
        answer: impl Future<Output = News> + Send + 'static,
    ) {
        let news = self.news.clone();
        task::spawn(name, async move {
            let _ = news.send(answer.await).await;
        });
    }

    /// Whether no job is here in any form.
    pub(super) fn is_idle(&self) -> bool {
        self.terms.account.jobs() == 0 && self.queue.is_empty() && self.unreported == 0
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    fn is_done(&self) -> bool {
        let given_up = self.give_up_at.is_some_and(|at| Instant::now() >= at);
        let coming = self.claim.asked || self.returning > 0 || !self.give_back.is_empty();
        self.stopping && (given_up || (self.is_idle() && !coming))
    }

    fn next_alarm(&self) -> Instant {
        let idle_end = self.terms.wait_for_jobs.map(|wait| self.idle_since + wait);
        let signal_at = self.terms.deadline.map(|deadline| deadline.signal_at);
        let while_working = [idle_end.filter(|_| self.is_idle()), signal_at]
            .into_iter()
            .filter(|_| !self.stopping);
        let always = [
            self.kill.map(|(at, _)| at),
            self.next_kill(),
            self.give_up_at,
        ];
        while_working
            .chain(always)
            .flatten()
            .fold(self.poll_at, Instant::min)
    }

    fn alarm(&mut self, now: Instant) {
        if now >= self.poll_at {
            // Spread out, as the workers of one start would otherwise poll together for ever.
            self.poll_at = now + POLL.mul_f64(1.0 + fastrand::f64() / 4.0);
            self.claim.due = true;
            self.check.due = true;
        }
        if now >= self.recount_at {
            self.recount_at = now + RECOUNT;
            self.recount.due = self.display.is_shown();
        }
        if let Some((_, order)) = self.kill.take_if(|(at, _)| now >= *at) {
            self.orders.send_replace(order);
        }
        self.alarm_old_runs(now);
        if self.stopping {
            return;
        }
        if let Some(deadline) = self.terms.deadline.filter(|it| now >= it.signal_at) {
            self.stop(Ending::TimeUp);
            let order = Order::Kill { time_up: true };
            self.stop_jobs(self.terms.polite, deadline.kill_at, order);
        } else if self.is_idle()
            && self
                .terms
                .wait_for_jobs
                .is_some_and(|wait| now >= self.idle_since + wait)
        {
            self.stop(Ending::Idle);
        }
    }
}
