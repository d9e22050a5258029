//! The slow-operation log: one JSON line for each request or command that took longer than
//! its threshold, with all that is known of it.
//!
//! At most ten lines are written in any second; what is left out is counted in the next one.
//! They go through a queue of their own to `torc-slow.jsonl` in the log directory, so no
//! request waits for them. The newest [`REMEMBERED`] slow requests are kept for the page,
//! written or not. Debug pages wait on purpose: they are slow only where `--slow` names them.

mod file;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::outlet::{Outlet, OutletGuard};
use super::request::{BACKGROUND, Finished};
use super::told::{RequestTold, micros};
use crate::config::slow::{self, SlowRules};
use crate::config::telemetry::LogFile;

/// Slow requests that the page shows.
pub const REMEMBERED: usize = 200;
/// Lines in any second.
const LINES: usize = 10;
/// Time between two lines in the normal log.
const SUMMARY: Duration = Duration::from_secs(5);
/// So many times its threshold is worth a dump.
const FAR: u32 = 10;

static SLOW: OnceLock<Slow> = OnceLock::new();

struct Slow {
    rules: SlowRules,
    outlet: Option<Outlet>,
    newest: Mutex<VecDeque<SlowRequest>>,
    pace: Mutex<Pace>,
    summary: Mutex<Summary>,
}

/// A request that took too long, and what of it.
#[derive(Clone)]
pub struct SlowRequest {
    /// The request.
    pub request: Arc<Finished>,
    /// Its route, or the command that took too long.
    pub operation: &'static str,
    /// From how long on that is slow.
    pub threshold: Duration,
}

/// Lets ten lines pass in any second, and counts the others.
#[derive(Default)]
struct Pace {
    passed: VecDeque<Instant>,
    suppressed: u64,
}

/// The line in the normal log, which comes rarely.
#[derive(Default)]
struct Summary {
    said: Option<Instant>,
    unsaid: u64,
}

/// A line, and an entry of the page.
#[derive(Debug, Serialize)]
pub struct SlowTold {
    /// What took too long: the route, or a command.
    pub operation: &'static str,
    /// From how long on that is slow.
    pub threshold_us: f64,
    /// Slow requests before this one that got no line. Not on the page, which leaves
    /// none out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<u64>,
    /// The request.
    #[serde(flatten)]
    pub request: RequestTold,
}

/// Starts the log, with a file where there is a log directory.
///
/// # Errors
///
/// If the log directory cannot be found.
pub fn open(rules: SlowRules, logs: Option<&LogFile>) -> io::Result<Option<(Outlet, OutletGuard)>> {
    let opened = logs.map(file::open).transpose()?;
    let outlet = opened.as_ref().map(|(outlet, _)| outlet.clone());
    // Set twice only where telemetry is started twice, which is refused.
    let _ = SLOW.set(Slow {
        rules,
        outlet,
        newest: Mutex::default(),
        pace: Mutex::default(),
        summary: Mutex::default(),
    });
    Ok(opened)
}

/// Looks at a finished request, and logs it if it was slow. Says whether it, or one of its
/// commands, took more than ten times its threshold.
pub fn look(finished: &Finished) -> bool {
    let Some(slow) = SLOW.get() else {
        return false;
    };
    let Some((operation, elapsed, threshold)) = slow.rules.exceeded(finished) else {
        return false;
    };
    let entry = SlowRequest {
        request: Arc::new(finished.clone()),
        operation,
        threshold,
    };
    slow.write(&entry);
    slow.say(&entry, elapsed);
    let mut newest = lock(&slow.newest);
    newest.push_back(entry);
    let oldest = (newest.len() > REMEMBERED).then(|| newest.pop_front());
    drop(newest);
    drop(oldest);
    !threshold.is_zero() && elapsed > threshold * FAR
}

/// Whether a request, or a command of it, took longer than it should.
pub fn is_slow(finished: &Finished) -> bool {
    SLOW.get()
        .is_some_and(|slow| slow.rules.exceeded(finished).is_some())
}

/// The slow requests that are remembered, the newest first.
pub fn newest() -> Vec<SlowRequest> {
    SLOW.get().map_or_else(Vec::new, |slow| {
        lock(&slow.newest).iter().rev().cloned().collect()
    })
}

/// The slow request with this number, if it is remembered.
pub fn find(id: u64) -> Option<Arc<Finished>> {
    let newest = lock(&SLOW.get()?.newest);
    let found = newest.iter().find(|one| one.request.id == id);
    found.map(|one| Arc::clone(&one.request))
}

/// Reads a time such as `250ms`, as `--slow` takes it.
///
/// # Errors
///
/// One sentence about what would be right.
pub fn time(text: &str) -> Result<Duration, String> {
    slow::duration(text)
}

/// The thresholds.
pub fn rules() -> SlowRules {
    SLOW.get()
        .map_or_else(SlowRules::default, |slow| slow.rules.clone())
}

impl SlowTold {
    /// Tells of a slow request.
    pub fn of(slow: &SlowRequest, suppressed: Option<u64>) -> Self {
        Self {
            operation: slow.operation,
            threshold_us: micros(slow.threshold),
            suppressed,
            request: RequestTold::of(&slow.request),
        }
    }
}

impl SlowRules {
    /// What of a request took longer than it should: its operation, how long it took, and
    /// what its threshold is.
    fn exceeded(&self, finished: &Finished) -> Option<(&'static str, Duration, Duration)> {
        let exceeds = |operation: &'static str, elapsed: Duration, own: Option<Duration>| {
            let threshold = own?;
            (elapsed >= threshold).then_some((operation, elapsed, threshold))
        };
        let (route, wall) = (finished.route, finished.wall);
        // Of background work the command is to blame. Looked at only when it matters.
        let spared = || route == BACKGROUND || route.contains(" /debug/");
        let named = self.named(route);
        let of_route = exceeds(route, wall, named.unwrap_or(self.all))
            .filter(|_| named.is_some() || !spared());
        let mut commands = finished.commands.iter();
        of_route.or_else(|| {
            commands.find_map(|command| {
                let threshold = self.named(command.name).unwrap_or(self.all);
                exceeds(command.name, command.phases.whole, threshold)
            })
        })
    }
}

impl Slow {
    /// Writes the line, unless ten were written in this second.
    fn write(&self, entry: &SlowRequest) {
        let Some(mut outlet) = self.outlet.clone() else {
            return;
        };
        let suppressed = lock(&self.pace).pass(Instant::now());
        let Some(suppressed) = suppressed else {
            return;
        };
        let told = SlowTold::of(entry, (suppressed > 0).then_some(suppressed));
        if let Ok(mut line) = serde_json::to_vec(&told) {
            line.push(b'\n');
            // What the queue has no room for is counted there.
            let _ = outlet.write(&line);
        }
    }

    /// Says it in the normal log too, now and then.
    fn say(&self, entry: &SlowRequest, elapsed: Duration) {
        let mut summary = lock(&self.summary);
        if summary.said.is_some_and(|said| said.elapsed() < SUMMARY) {
            summary.unsaid += 1;
            return;
        }
        summary.said = Some(Instant::now());
        let others = std::mem::take(&mut summary.unsaid);
        drop(summary);
        tracing::warn!(
            request = entry.request.id,
            route = entry.request.route,
            operation = entry.operation,
            ms = elapsed.as_micros() as f64 / 1e3,
            threshold_ms = entry.threshold.as_micros() as f64 / 1e3,
            others,
            "slow request; /debug/slow tells where its time went"
        );
    }
}

impl Pace {
    /// How many were held back before this one, if it may pass.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        let second = Duration::from_secs(1);
        while (self.passed.front()).is_some_and(|first| now.duration_since(*first) >= second) {
            self.passed.pop_front();
        }
        if self.passed.len() >= LINES {
            self.suppressed += 1;
            return None;
        }
        self.passed.push_back(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_pass_in_any_second_and_the_rest_is_counted() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        // Nine at the end of one second and many in the next.
        for ms in 900..909 {
            assert_eq!(pace.pass(at(ms)), Some(0));
        }
        assert_eq!(pace.pass(at(1_000)), Some(0));
        for ms in 1_001..1_101 {
            assert_eq!(pace.pass(at(ms)), None);
        }
        assert_eq!(pace.pass(at(1_900)), Some(100));
        assert_eq!(pace.pass(at(1_900)), None);
        assert_eq!(pace.pass(at(1_905)), Some(1));
    }
}
