//! The foreman: the one task that decides what this worker does next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::account::{Account, Needs, Pace};
use super::claimer::{Claimed, ClaimedJob, Claimer};
use super::deadline::Deadline;
use super::gpus::Gpus;
use super::job_process::{self, JobEnd, Shop};
use super::progress::{Display, Extent};
use super::reporter::{self, Report};
use super::signals::Signals;
use super::verdict::Order;
use super::{AT_END, Ending, Progress, RunOutcome, RunnerError, wakeup};
use crate::client::ClientError;
use crate::telemetry::task;
use crate::wire::jobs::JobCompletionEntry;
use crate::wire::workflows::{IsCompleteResponse, WorkflowStatusResponse};
use crate::wire::{JobId, JobStatus};

/// The event stream may be silent or gone; after so long one asks anyway.
const POLL: Duration = Duration::from_secs(2);
/// Time between two counts of the whole workflow, where somebody looks.
const RECOUNT: Duration = Duration::from_secs(10);
/// No job is started while so many endings could not be reported yet.
const MOST_UNREPORTED: usize = 10_000;
/// After a signal, how long the server has to take the last reports.
const LAST_REPORTS: Duration = Duration::from_secs(30);
/// The same after a second signal.
const HURRIED_REPORTS: Duration = Duration::from_secs(5);
/// At the end, how long the server has to take back what was not started.
const LAST_RETURNS: Duration = Duration::from_secs(10);
/// Jobs given back at once.
const GIVING_BACK: usize = 8;

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
    pub(super) progress: Progress,
}

/// What a job had while it ran.
pub(super) struct Held {
    pub(super) needs: Needs,
    pub(super) gpus: Vec<String>,
}

/// What the foreman's tasks send word of.
pub(super) enum News {
    Claimed(Result<Claimed, ClientError>),
    Job(Held, JobEnd),
    Checked(Result<IsCompleteResponse, ClientError>),
    Counted(Result<WorkflowStatusResponse, ClientError>),
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
    /// Claimed, and not to be run after all.
    pub(super) give_back: Vec<JobId>,
    pub(super) claim: Question,
    pub(super) check: Question,
    pub(super) recount: Question,
    orders: watch::Sender<Order>,
    news: mpsc::Sender<News>,
    inbox: mpsc::Receiver<News>,
    /// Endings on their way to the reporter; closed by [`MOST_UNREPORTED`], not by its type.
    pub(super) endings: mpsc::UnboundedSender<JobCompletionEntry>,
    reports: mpsc::UnboundedReceiver<Report>,
    pub(super) unreported: usize,
    poll_at: Instant,
    recount_at: Instant,
    /// Since when there is nothing to do.
    pub(super) idle_since: Instant,
    stopping: bool,
    /// When jobs that were asked to stop are killed, and whether because time is up.
    kill: Option<(Instant, Order)>,
    /// When the last reports are given up.
    give_up_at: Option<Instant>,
    failure: Option<RunnerError>,
    pub(super) outcome: RunOutcome,
    pub(super) extent: Extent,
    display: Display,
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
            give_back: Vec::new(),
            claim: due(true),
            check: due(false),
            recount: due(display.is_shown()),
            orders: watch::Sender::new(Order::Run),
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
    pub(super) async fn work(mut self, mut signals: Signals) -> Result<RunOutcome, RunnerError> {
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
                signal = signals.next() => self.hear_signal(signal),
                () = tokio::time::sleep_until(alarm) => self.alarm(Instant::now()),
            }
        }
        listener.abort();
        self.leave().await
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
            && self.unreported < MOST_UNREPORTED
            && self.terms.account.may_start()
            && let Some(ClaimedJob { job, needs }) = self.queue.pop_front()
        {
            self.terms.account.take(needs);
            let gpus = self.terms.gpus.take(needs.gpus);
            let (shop, news) = (Arc::clone(&self.terms.shop), self.news.clone());
            let mut orders = self.orders.subscribe();
            task::spawn("runner: job", async move {
                let end = job_process::run(&job, &gpus, &shop, &mut orders).await;
                let held = Held { needs, gpus };
                // Nobody listens only after the foreman has given up.
                let _ = news.send(News::Job(held, end)).await;
            });
        }
    }

    /// Asks the server what there is to ask.
    fn ask(&mut self) {
        if self.stopping {
            return;
        }
        self.ask_for_jobs();
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

    fn inform(&self, name: &'static str, answer: impl Future<Output = News> + Send + 'static) {
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
        self.stopping && (given_up || (self.is_idle() && !self.claim.asked))
    }

    fn next_alarm(&self) -> Instant {
        let idle_end = self.terms.wait_for_jobs.map(|wait| self.idle_since + wait);
        let signal_at = self.terms.deadline.map(|deadline| deadline.signal_at);
        let while_working = [idle_end.filter(|_| self.is_idle()), signal_at]
            .into_iter()
            .filter(|_| !self.stopping);
        let always = [self.kill.map(|(at, _)| at), self.give_up_at];
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
        if self.stopping {
            return;
        }
        if let Some(deadline) = self.terms.deadline.filter(|it| now >= it.signal_at) {
            self.stop(Ending::TimeUp);
            let order = Order::Kill { time_up: true };
            self.stop_jobs(Signal::TERM, deadline.kill_at, order);
        } else if self.is_idle()
            && self
                .terms
                .wait_for_jobs
                .is_some_and(|wait| now >= self.idle_since + wait)
        {
            self.stop(Ending::Idle);
        }
    }

    /// Claims and starts nothing more.
    pub(super) fn stop(&mut self, ending: Ending) {
        tracing::info!(?ending, "stopping");
        self.stopping = true;
        self.outcome.ending = ending;
        let ids = self.queue.drain(..).filter_map(|claimed| claimed.job.id);
        self.give_back.extend(ids);
    }

    /// Asks the running jobs to stop, and kills them when `kill_at` comes.
    pub(super) fn stop_jobs(&mut self, signal: Signal, kill_at: Instant, kill: Order) {
        self.orders.send_replace(Order::Stop(signal));
        self.kill = Some((kill_at, kill));
    }

    /// Ends the work because it cannot go on; jobs that run may end on their own.
    pub(super) fn fail(&mut self, doing: &'static str, source: ClientError) {
        tracing::error!(error = %source, "could not {doing}");
        if self.failure.is_none() {
            self.failure = Some(RunnerError::Server { doing, source });
        }
        if !self.stopping {
            self.stop(Ending::default());
        }
    }

    fn hear_signal(&mut self, signal: Signal) {
        let now = Instant::now();
        let kill = Order::Kill { time_up: false };
        if self.outcome.interrupted_by().is_some() {
            self.display.say("killing the jobs");
            self.orders.send_replace(kill);
            self.give_up_at = Some(now + HURRIED_REPORTS);
            return;
        }
        let jobs = self.terms.account.jobs();
        self.display.say(&format!(
            "stopping {jobs} running jobs; a second signal kills them"
        ));
        self.stop(Ending::Interrupted(signal.as_raw()));
        let kill_at = now + self.terms.grace;
        self.stop_jobs(signal, kill_at, kill);
        self.give_up_at = Some(kill_at + LAST_REPORTS);
    }

    /// The last things: gives back what was not started, and sums up.
    async fn leave(mut self) -> Result<RunOutcome, RunnerError> {
        self.outcome.unreported += self.unreported as u64;
        // The jobs of a canceled workflow are canceled too, and must stay so.
        if self.outcome.ending != Ending::Canceled {
            let given_back = AtomicU64::new(0);
            // Without a server each would be tried in vain, and the user waits.
            let _ = tokio::time::timeout(LAST_RETURNS, self.give_back_jobs(&given_back)).await;
            self.outcome.given_back = given_back.into_inner();
        }
        self.display.finish();
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        tracing::info!(outcome = %self.outcome, "worker stopped");
        Ok(self.outcome)
    }

    async fn give_back_jobs(&self, given_back: &AtomicU64) {
        let shop = &self.terms.shop;
        stream::iter(&self.give_back)
            .for_each_concurrent(GIVING_BACK, |&id| async move {
                let change = || {
                    shop.client
                        .manage_status_change(id, JobStatus::Ready, shop.run_id)
                };
                match AT_END.run(change).await {
                    Ok(_) => {
                        given_back.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => {
                        tracing::warn!(job.id = id, %error, "a claimed job could not be given back");
                    }
                }
            })
            .await;
    }
}
