//! Workers: claim, start, complete, until nothing is left or enough was done. Closed
//! loop: each waits for its answer before it goes on, as real workers do.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, try_join_all};

use super::Outcome;
use super::api::Api;
use super::args::Workers;
use super::flow::Flow;
use super::ledger::{Claimed, Ledger};
use super::readers::Readers;
use super::report::{Call, Calls};

/// The pause after a claim that brought nothing; it doubles each time.
const SHORT_PAUSE: Duration = Duration::from_millis(1);
/// The longest such pause.
const LONG_PAUSE: Duration = Duration::from_millis(32);

/// Jobs that nobody could claim for so long, while nothing else happened, are lost. Torc
/// looks after dependents every 30 s unless it is told otherwise.
const LOST: Duration = Duration::from_secs(45);

/// What everybody at work on a workflow shares.
pub struct Field<'f> {
    flow: &'f Flow,
    plan: &'f Workers,
    ledger: RefCell<Ledger>,
    calls: RefCell<Calls>,
    begun: Instant,
    ended: Cell<Option<Instant>>,
    cycles: Cell<u64>,
    /// When a job was last claimed or completed.
    progress: Cell<Instant>,
    lost: Cell<bool>,
}

/// What came of it.
pub struct Harvest {
    /// Cycles within the time.
    pub cycles: u64,
    /// The time until the last of them.
    pub took: Duration,
    /// Whether every job was completed.
    pub whole: bool,
    /// Whether the workers gave up on jobs that were never claimable.
    pub lost: bool,
    /// The jobs as we were told of them.
    pub ledger: Ledger,
    /// How long calls took.
    pub calls: Calls,
}

impl<'f> Field<'f> {
    /// A field on which nobody has begun; its clock runs from now.
    pub fn new(flow: &'f Flow, plan: &'f Workers) -> Outcome<Self> {
        Ok(Self {
            flow,
            plan,
            ledger: RefCell::new(Ledger::new(flow)?),
            calls: RefCell::new(Calls::new()?),
            begun: Instant::now(),
            ended: Cell::new(None),
            cycles: Cell::new(0),
            progress: Cell::new(Instant::now()),
            lost: Cell::new(false),
        })
    }

    /// Whether everything is done, or enough.
    pub fn over(&self) -> bool {
        if self.ended.get().is_some() {
            return true;
        }
        let late = |limit: f64| self.begun.elapsed().as_secs_f64() >= limit;
        if self.plan.seconds.is_some_and(late) {
            self.ended.set(Some(Instant::now()));
        }
        self.ended.get().is_some()
    }

    /// The workflow.
    pub fn flow(&self) -> &'f Flow {
        self.flow
    }

    /// Counts a call that began then.
    pub fn record(&self, call: Call, begun: Instant) {
        self.calls.borrow_mut().record(call, begun.elapsed());
    }

    /// Counts how late this client was with a call.
    pub fn record_late(&self, late: Duration) {
        self.calls.borrow_mut().record(Call::ClientLate, late);
    }

    /// Opens a connection for each worker, lets them all work, with readers beside
    /// them, and answers what came of it.
    pub async fn work(mut self, host: &str, readers: &Readers) -> Outcome<Harvest> {
        let mut callers = Vec::with_capacity(self.plan.workers);
        for _ in 0..self.plan.workers {
            callers.push(Api::open(host).await?);
        }
        self.begun = Instant::now();
        self.progress.set(self.begun);
        let field = &self;
        let mut all: Vec<LocalBoxFuture<'_, Outcome<()>>> = callers
            .into_iter()
            .map(|api| field.worker(api).boxed_local())
            .collect();
        for nth in 0..readers.count {
            all.push(readers.read(nth, field, host).boxed_local());
        }
        try_join_all(all).await?;

        let completed = self.ledger.borrow().completed();
        let ended = self.ended.get().unwrap_or_else(Instant::now);
        Ok(Harvest {
            cycles: self.cycles.get(),
            took: ended - self.begun,
            whole: completed == self.flow.jobs(),
            lost: self.lost.get(),
            ledger: self.ledger.into_inner(),
            calls: self.calls.into_inner(),
        })
    }

    async fn worker(&self, mut api: Api) -> Outcome<()> {
        let mut jobs = Vec::new();
        let mut pause = SHORT_PAUSE;
        while !self.over() {
            let begun = Instant::now();
            let (way, limit) = (self.plan.claim, self.plan.claim_limit);
            api.claim(self.flow.id, way, limit, &mut jobs).await?;
            if jobs.is_empty() {
                self.record(Call::EmptyClaim, begun);
                if self.ledger.borrow().all_claimed() {
                    break;
                }
                if self.progress.get().elapsed() > LOST {
                    self.lost.set(true);
                    self.ended.set(Some(Instant::now()));
                    break;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONG_PAUSE);
                continue;
            }
            self.record(Call::Claim, begun);
            pause = SHORT_PAUSE;
            self.claimed(&mut jobs);
            match self.plan.batch {
                true => self.run_together(&mut api, &jobs).await?,
                false => self.run_singly(&mut api, &jobs).await?,
            }
        }
        Ok(())
    }

    async fn run_singly(&self, api: &mut Api, jobs: &[i64]) -> Outcome<()> {
        for job in jobs {
            if self.over() {
                break;
            }
            self.start(api, *job).await?;
            let begun = Instant::now();
            self.ledger.borrow_mut().completing(*job);
            api.complete(self.flow.id, self.flow.node, *job).await?;
            self.record(Call::Complete, begun);
            self.completed(&[*job]);
        }
        Ok(())
    }

    async fn run_together(&self, api: &mut Api, jobs: &[i64]) -> Outcome<()> {
        for job in jobs {
            self.start(api, *job).await?;
        }
        let begun = Instant::now();
        for job in jobs {
            self.ledger.borrow_mut().completing(*job);
        }
        api.complete_all(self.flow.id, self.flow.node, jobs).await?;
        self.record(Call::Complete, begun);
        self.completed(jobs);
        Ok(())
    }

    async fn start(&self, api: &mut Api, job: i64) -> Outcome<()> {
        let begun = Instant::now();
        api.start(job, self.flow.node).await?;
        self.record(Call::Start, begun);
        Ok(())
    }

    /// Notes what was claimed, and leaves those that are the claimer's to run.
    fn claimed(&self, jobs: &mut Vec<i64>) {
        self.progress.set(Instant::now());
        let mut ledger = self.ledger.borrow_mut();
        jobs.retain(|job| match ledger.claim(*job) {
            Claimed::Wrongly => false,
            Claimed::Rightly => true,
            Claimed::FirstOfLayer(gap) => {
                self.calls.borrow_mut().record(Call::Release, gap);
                true
            }
        });
    }

    fn completed(&self, jobs: &[i64]) {
        let mut ledger = self.ledger.borrow_mut();
        for job in jobs {
            ledger.complete(*job);
        }
        self.progress.set(Instant::now());
        // What was on its way when the time was up is checked, and counts for nothing.
        if self.ended.get().is_some() {
            return;
        }
        let cycles = self.cycles.get() + jobs.len() as u64;
        self.cycles.set(cycles);
        let enough = self.plan.cycles.is_some_and(|limit| cycles >= limit);
        if enough || ledger.completed() == self.flow.jobs() {
            self.ended.set(Some(Instant::now()));
        }
    }
}
