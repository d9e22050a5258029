//! Joins what hears of finished requests, batches, background work and stalled threads: the
//! flight recorder, the exemplars, the slow-operation log and those who follow. Dumps the
//! flight recorder on its own when a thread panics, an operation takes far too long or a
//! task keeps a worker thread.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::phase::{self, BatchTrace};
use super::request::{self, Finished};
use super::runtime::watchdog::{self, Seen};
use super::{TelemetryHandle, exemplars, flight, follow, slow};
use crate::clock::Tick;

/// Time between two dumps for the same reason.
const APART: Duration = Duration::from_secs(60);
/// How long the end of the process waits for a dump.
const LAST: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<TelemetryHandle> = OnceLock::new();
static PANICS: Reason = Reason::new("a panic");
static SLOW: Reason = Reason::new("a slow operation");
static STALLED: Reason = Reason::new("a stalled worker thread");
static FAILED: AtomicBool = AtomicBool::new(false);

/// Why dumps are written, and when the last one was.
struct Reason {
    text: &'static str,
    last: Mutex<Option<Tick>>,
}

/// Installs the listeners and the panic hook; dumps go where `handle` puts them.
pub fn install(handle: &TelemetryHandle) {
    if HANDLE.set(handle.clone()).is_err() {
        return;
    }
    request::on_finish(finished);
    phase::on_batch(batch);
    phase::on_task(task);
    watchdog::on_stall(stalled);
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        others(info);
        let Some(end) = PANICS.dump() else { return };
        // A panic of the main thread ends the process; that of another holds up nobody,
        // since it may be the writer's.
        if std::thread::current().name() == Some("main") {
            let _ = end.recv_timeout(LAST);
        }
    }));
}

fn finished(finished: &Finished) {
    flight::request(finished);
    exemplars::keep(finished);
    follow::show(finished);
    if slow::look(finished) {
        SLOW.dump();
    }
}

fn batch(trace: &BatchTrace<'_>) {
    flight::batch(trace);
}

fn task(name: &'static str, elapsed: Duration) {
    let now = Tick::now();
    flight::note("task", name, now.before(elapsed), elapsed);
}

/// The dump shows a stall as far as it has come, and what led to it.
fn stalled(seen: &Seen<'_>) {
    match seen {
        Seen::Begun(stall) => {
            let name = format!("{}, so far", stall.who());
            flight::note("stall", &name, stall.since, stall.since.elapsed());
            STALLED.dump();
        }
        Seen::Ended(stall) => {
            let took = stall.took.unwrap_or_default();
            flight::note("stall", &stall.who(), stall.since, took);
        }
        Seen::Standstill(since, elapsed) => {
            flight::note("standstill", "the whole process", *since, *elapsed);
        }
    }
}

impl Reason {
    const fn new(text: &'static str) -> Self {
        Self {
            text,
            last: Mutex::new(None),
        }
    }

    /// Dumps on a thread of its own, unless it was done within the last minute or the
    /// recorder is off. Its end can be waited for.
    fn dump(&'static self) -> Option<mpsc::Receiver<()>> {
        let handle = HANDLE.get().filter(|_| flight::is_on())?;
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() < APART) {
                return None;
            }
            *last = Some(Tick::now());
        }
        let (done, end) = mpsc::channel();
        let started = std::thread::Builder::new()
            .name("flight-dump".to_owned())
            .spawn(move || {
                self.write(handle);
                let _ = done.send(());
            });
        started.is_ok().then_some(end)
    }

    fn write(&self, handle: &TelemetryHandle) {
        match handle.dump_flight(self.text) {
            Ok(path) => {
                FAILED.store(false, Ordering::Relaxed);
                tracing::info!(path = %path.display(), "flight recorder dumped after {}", self.text);
            }
            Err(error) if !FAILED.swap(true, Ordering::Relaxed) => {
                tracing::error!(%error, "cannot dump the flight recorder after {}", self.text);
            }
            Err(_) => {}
        }
    }
}
