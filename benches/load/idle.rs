//! Hardly anything goes on: many are connected and poll, many listen to events, one
//! worker runs a job now and then. What does a connection cost, and who is kept waiting?

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, try_join_all};

use super::Outcome;
use super::api::Api;
use super::args::{Claim, Idle, Submit};
use super::flow::Flow;
use super::http::Connection;
use super::meter::memory_kib;
use super::open_loop::Arrivals;
use super::report::{Call, Calls, Report};
use super::scenario::Run;

/// Time at the end for the last events to arrive.
const GRACE: Duration = Duration::from_secs(1);

struct Hall<'a> {
    plan: &'a Idle,
    flow: &'a Flow,
    calls: RefCell<Calls>,
    until: Instant,
    cycles: Cell<u64>,
    events: Cell<u64>,
    /// Listeners that were told that they missed something.
    dropped: Cell<u64>,
}

/// Runs the scenario.
pub async fn idle(mut run: Run<'_>, plan: &Idle) -> Outcome<Report> {
    run.describe("idle", plan)?;
    let mut api = run.caller().await?;
    let jobs = (plan.cycle_rate * plan.seconds) as usize + 100;
    let submit = Submit {
        jobs,
        chunk: jobs,
        kinds: 1,
    };
    let flow = run.submit(&mut api, &submit).await?;
    let resident = || run.pid.and_then(|pid| memory_kib(pid, "VmRSS:"));
    let before = resident();
    let mut pollers = Vec::new();
    for _ in 0..plan.pollers {
        let mut conn = Connection::open(run.host).await?;
        conn.ok("GET", format_args!("/ping"), b"").await?;
        pollers.push(conn);
    }
    let mut streams = Vec::new();
    for _ in 0..plan.streams {
        let mut conn = Connection::open(run.host).await?;
        let path = format_args!("/workflows/{}/events/stream", flow.id);
        conn.open_stream(path).await?;
        streams.push(conn);
    }
    if let Some((before, after)) = before.zip(resident()) {
        let each = after.saturating_sub(before) as f64;
        let each = each / (plan.pollers + plan.streams).max(1) as f64;
        let name = "memory_kib_per_connection".to_owned();
        run.report.extras.insert(name, each);
    }
    let hall = Hall {
        plan,
        flow: &flow,
        calls: RefCell::new(Calls::new()?),
        until: Instant::now() + Duration::from_secs_f64(plan.seconds),
        cycles: Cell::new(0),
        events: Cell::new(0),
        dropped: Cell::new(0),
    };
    let measuring = run.meter.begin();
    let mut all: Vec<LocalBoxFuture<'_, Outcome<()>>> = Vec::new();
    for (nth, conn) in pollers.into_iter().enumerate() {
        all.push(hall.poller(conn, nth).boxed_local());
    }
    for conn in streams {
        all.push(hall.listener(conn).boxed_local());
    }
    all.push(hall.worker(api).boxed_local());
    try_join_all(all).await?;
    let cycles = hall.cycles.get();
    let phase = measuring.end("idle", usize::try_from(cycles)?, None);
    run.report.phases.push(phase);
    run.save_timings().await?;
    hall.note(&mut run.report);
    Ok(run.report)
}

impl Hall<'_> {
    async fn poller(&self, mut conn: Connection, nth: usize) -> Outcome<()> {
        let interval = Duration::from_secs_f64(self.plan.interval);
        let offset = interval.mul_f64(nth as f64 / self.plan.pollers as f64);
        let mut arrivals = Arrivals::regular(interval, offset);
        while arrivals.due() < self.until {
            let due = arrivals.next().await;
            let path = format_args!("/workflows/{}/is_complete", self.flow.id);
            conn.ok("GET", path, b"").await?;
            let mut calls = self.calls.borrow_mut();
            calls.record(Call::IsComplete, due.since.elapsed());
            calls.record(Call::ClientLate, due.late);
        }
        Ok(())
    }

    async fn listener(&self, mut conn: Connection) -> Outcome<()> {
        let until = tokio::time::Instant::from_std(self.until);
        while let Ok(piece) = tokio::time::timeout_at(until, conn.next_piece()).await {
            let piece = piece?;
            self.events
                .set(self.events.get() + occurrences(piece, b"event: job_"));
            let told = occurrences(piece, b"event: warning");
            self.dropped.set(self.dropped.get() + told);
        }
        Ok(())
    }

    async fn worker(&self, mut api: Api) -> Outcome<()> {
        let mean = Duration::from_secs_f64(1.0 / self.plan.cycle_rate);
        let mut arrivals = Arrivals::regular(mean, Duration::ZERO);
        let mut jobs = Vec::new();
        while arrivals.due() + GRACE < self.until {
            let due = arrivals.next().await;
            api.claim(self.flow.id, Claim::Next, 1, &mut jobs).await?;
            let mut begun = Instant::now();
            self.calls
                .borrow_mut()
                .record(Call::Claim, begun - due.since);
            for job in &jobs {
                api.start(*job, self.flow.node).await?;
                self.calls.borrow_mut().record(Call::Start, begun.elapsed());
                begun = Instant::now();
                api.complete(self.flow.id, self.flow.node, *job).await?;
                let took = begun.elapsed();
                self.calls.borrow_mut().record(Call::Complete, took);
                self.cycles.set(self.cycles.get() + 1);
            }
        }
        Ok(())
    }

    /// Every listener should have heard of every start and every end.
    fn note(self, report: &mut Report) {
        let wanted = self.cycles.get() * 2 * self.plan.streams as u64;
        let (heard, dropped) = (self.events.get(), self.dropped.get());
        if heard != wanted || dropped > 0 {
            report.violations.push(format!(
                "listeners heard {heard} of {wanted} events, {dropped} were told they missed some"
            ));
        }
        let name = "events_heard".to_owned();
        report.extras.insert(name, heard as f64);
        report.calls = self.calls.into_inner().figures();
    }
}

fn occurrences(text: &[u8], part: &[u8]) -> u64 {
    text.windows(part.len()).filter(|w| *w == part).count() as u64
}
