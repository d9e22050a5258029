//! Requests while they run: an id for each, the time its thread works on it, and what the
//! store did for it. When one ends it becomes a [`Finished`], for the recorder and for
//! whoever [`listens`](on_finish).
//!
//! What belongs to a request is found through the thread that polls it, so the store says
//! `request::command(…)` without knowing of HTTP; outside of a request that does nothing.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::phase::{CommandTrace, StatementTotal};
use super::recorder::{self, Kind, Part};
use crate::clock::Tick;

static IDS: AtomicU64 = AtomicU64::new(1);
static OPEN: AtomicUsize = AtomicUsize::new(0);
static LISTENERS: [OnceLock<Listener>; 4] = [const { OnceLock::new() }; 4];

thread_local! {
    static CURRENT: RefCell<Option<Box<Finished>>> = const { RefCell::new(None) };
    static ANSWERING: Arc<Answering> = Arc::default();
}

/// The status of a request whose caller went away before it was answered.
pub const GONE: u16 = 499;

/// What is told of every finished request. It must return at once; who keeps the request
/// keeps a copy, which few do.
pub type Listener = fn(&Finished);

/// What the caller says of the trace that its request belongs to (`traceparent`, W3C Trace
/// Context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace_id: u128,
    /// The caller's span in it.
    pub span_id: u64,
    /// Whether the caller recorded that.
    pub sampled: bool,
}

/// The route of what the writer did for no request; its status is 0.
pub const BACKGROUND: &str = "(background)";

/// A request that was answered, and where its time went. While it is being answered it has
/// what is known so far.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its number, counted from the start of the server.
    pub id: u64,
    /// The trace that the caller says it belongs to.
    pub parent: Option<Parent>,
    /// Method and path with placeholders.
    pub route: &'static str,
    /// The path as it was asked for, without its query.
    pub path: Box<str>,
    /// Of the answer; [`GONE`] when there was nobody left to answer.
    pub status: u16,
    /// When it came.
    pub began: Tick,
    /// Until the head of the answer was there.
    pub wall: Duration,
    /// In which a thread worked on it.
    pub busy: Duration,
    /// How often a thread turned to it.
    pub polls: u32,
    /// In which it waited for a read connection.
    pub read_wait: Duration,
    /// What the writer did for it.
    pub commands: Vec<CommandTrace>,
    /// What it read.
    pub statements: Vec<StatementTotal>,
}

/// Who asks for what.
pub struct Asked {
    /// Method and path with placeholders.
    pub route: &'static str,
    /// The path itself.
    pub path: Box<str>,
    /// The caller's trace.
    pub parent: Option<Parent>,
}

/// Which request a thread worked on last: for those who watch the thread from outside.
#[derive(Debug, Default)]
pub struct Answering(Mutex<Option<(Tick, u64, &'static str)>>);

impl Answering {
    /// What the current thread works on, also later on.
    pub fn here() -> Arc<Self> {
        ANSWERING.with(Arc::clone)
    }

    /// Number and route of the request that the thread has turned to since `then`.
    pub fn since(&self, then: Tick) -> Option<(u64, &'static str)> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (turned, id, route) = last?;
        (turned >= then).then_some((id, route))
    }

    fn turn_to(&self, since: Tick, id: u64, route: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((since, id, route));
    }
}

impl Finished {
    /// The trace that it belongs to, if the caller named one.
    pub fn trace_id(&self) -> Option<u128> {
        self.parent.map(|parent| parent.trace_id)
    }
}

/// Has every finished request shown to `listener`, for the life of the process. There is
/// room for four; servers that share a process bring the same ones.
pub fn on_finish(listener: Listener) {
    for place in &LISTENERS {
        let held = place.get_or_init(|| listener);
        if std::ptr::fn_addr_eq(*held, listener) {
            return;
        }
    }
    tracing::error!("nobody can listen to requests any more");
}

/// Requests that are being answered now.
pub fn open() -> usize {
    OPEN.load(Ordering::Relaxed)
}

/// The number of the request that this thread is working on.
pub fn current() -> Option<u64> {
    CURRENT.with_borrow(|open| open.as_ref().map(|open| open.id))
}

/// Notes what the writer did for the current request. What it did for none is shown to the
/// listener as something of its own.
pub fn command(trace: CommandTrace) {
    if !recorder::is_on() {
        return;
    }
    let left = CURRENT.with_borrow_mut(|open| match open {
        Some(open) => {
            // Mostly there is one.
            open.commands.reserve_exact(1);
            open.commands.push(trace);
            None
        }
        None => Some(trace),
    });
    if let Some(trace) = left {
        tell(&background(trace));
    }
}

fn tell(finished: &Finished) {
    for listener in LISTENERS.iter().map_while(OnceLock::get) {
        listener(finished);
    }
}

fn background(trace: CommandTrace) -> Finished {
    Finished {
        id: IDS.fetch_add(1, Ordering::Relaxed),
        parent: None,
        route: BACKGROUND,
        path: Box::default(),
        status: 0,
        began: trace.submitted,
        wall: trace.phases.whole,
        busy: Duration::ZERO,
        polls: 0,
        read_wait: Duration::ZERO,
        commands: vec![trace],
        statements: Vec::new(),
    }
}

/// Notes a statement that was read for the current request.
pub fn statement(id: &'static str, rows: u64, elapsed: Duration) {
    with(|open| StatementTotal::add(&mut open.statements, id, rows, elapsed));
}

/// Notes how long the current request waited for a read connection.
pub fn read_wait(elapsed: Duration) {
    with(|open| open.read_wait += elapsed);
}

fn with(note: impl FnOnce(&mut Finished)) {
    CURRENT.with_borrow_mut(|open| {
        if let Some(open) = open {
            note(open);
        }
    });
}

/// Ends a request, also when its future is dropped.
struct Ending(Option<Box<Finished>>);

impl Drop for Ending {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
        if let Some(mut request) = self.0.take() {
            request.wall = request.began.elapsed();
            finish(&request);
        }
    }
}

/// Takes the request back from its thread, also when its poll panics.
struct Working<'e> {
    ending: &'e mut Ending,
    outer: Option<Box<Finished>>,
    since: Tick,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut open = CURRENT.replace(self.outer.take());
        if let Some(open) = &mut open {
            open.busy += self.since.elapsed();
            open.polls += 1;
        }
        self.ending.0 = open;
    }
}

/// Answers a request by `future`, whose output's status is read by `status`.
pub async fn record<F: Future>(
    asked: Asked,
    future: F,
    status: impl FnOnce(&F::Output) -> u16,
) -> F::Output {
    if !recorder::is_on() {
        return future.await;
    }
    OPEN.fetch_add(1, Ordering::Relaxed);
    let (id, route) = (IDS.fetch_add(1, Ordering::Relaxed), asked.route);
    let mut ending = Ending(Some(Box::new(Finished {
        id,
        parent: asked.parent,
        route,
        path: asked.path,
        status: GONE,
        began: Tick::now(),
        wall: Duration::ZERO,
        busy: Duration::ZERO,
        polls: 0,
        read_wait: Duration::ZERO,
        commands: Vec::new(),
        statements: Vec::new(),
    })));
    let mut future = pin!(future);
    let output = poll_fn(|context| {
        let outer = CURRENT.replace(ending.0.take());
        let working = Working {
            ending: &mut ending,
            outer,
            since: Tick::now(),
        };
        ANSWERING.with(|thread| thread.turn_to(working.since, id, route));
        future.as_mut().poll(context)
    })
    .await;
    if let Some(request) = &mut ending.0 {
        request.status = status(&output);
    }
    output
}

fn finish(finished: &Finished) {
    recorder::record(Kind::Route, finished.route, |operation| {
        operation.part(Part::Whole).add_duration(finished.wall, 1);
        operation.part(Part::Busy).add_duration(finished.busy, 1);
        if !finished.read_wait.is_zero() {
            let part = operation.part(Part::ReadWait);
            part.add_duration(finished.read_wait, 1);
        }
        let class = usize::from(finished.status / 100).clamp(1, 5);
        operation.counts.statuses[class - 1] += 1;
    });
    tell(finished);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn asked(route: &'static str) -> Asked {
        Asked {
            route,
            path: "/test".into(),
            parent: None,
        }
    }

    /// What is noted while a request is polled is its own, also when two take turns on one
    /// thread, and one that is dropped is told as gone.
    #[tokio::test]
    async fn what_is_noted_belongs_to_the_request_that_is_polled() {
        static SEEN: Mutex<Vec<Finished>> = Mutex::new(Vec::new());
        on_finish(|finished| SEEN.lock().unwrap().push(finished.clone()));
        let one = |route, id: &'static str| {
            record(
                asked(route),
                async move {
                    for _ in 0..3 {
                        statement(id, 1, Duration::from_millis(1));
                        tokio::task::yield_now().await;
                    }
                    current()
                },
                |_| 200,
            )
        };
        let (a, b) = tokio::join!(one("request_test a", "a"), one("request_test b", "b"));
        assert!(a.is_some() && b.is_some() && a != b);
        assert_eq!(current(), None);
        let mut dropped = Box::pin(record(
            asked("request_test gone"),
            std::future::pending::<()>(),
            |()| 200,
        ));
        assert!(futures_util::poll!(&mut dropped).is_pending());
        drop(dropped);

        let seen = SEEN.lock().unwrap();
        let of = |route| seen.iter().find(|one| one.route == route).unwrap();
        for (route, id) in [("request_test a", "a"), ("request_test b", "b")] {
            let finished = of(route);
            assert_eq!((finished.status, finished.polls), (200, 4));
            assert_eq!(finished.statements.len(), 1);
            assert_eq!(
                (finished.statements[0].id, finished.statements[0].calls),
                (id, 3)
            );
            assert!(finished.busy <= finished.wall);
        }
        assert_eq!(of("request_test gone").status, GONE);
    }
}
