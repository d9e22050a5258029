//! Looks at the worker threads ten times a second and says who keeps one of them.
//!
//! A worker thread that is inside one poll does nothing else: all tasks in its queue wait,
//! and what waits for the network may wait too. So a poll of a second is an error in our
//! code, and the log names it while it goes on, once, and once more when it has ended; so
//! does whoever listens ([`on_stall`]). The watchdog is a thread of its own, since the
//! runtime may have none left.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::runtime::RuntimeMetrics;

use super::polls::{self, Now, Slot};
use super::samples;
use crate::clock;
use crate::clock::Tick;
use crate::telemetry::task::alive::{self, Label};

/// Time between two looks.
pub const TICK: Duration = Duration::from_millis(100);
/// Stalls that are kept after they ended, the newest.
pub const KEPT: usize = 20;

static STALLS: Mutex<Stalls> = Mutex::new(Stalls {
    threshold: None,
    count: 0,
    standstills: 0,
    now: Vec::new(),
    past: VecDeque::new(),
});

static LISTENER: OnceLock<fn(&Seen<'_>)> = OnceLock::new();

/// What the watchdog tells as it sees it.
pub enum Seen<'s> {
    /// A stall that goes on.
    Begun(&'s Stall),
    /// A stall that is over.
    Ended(&'s Stall),
    /// The whole process stood still, for so long since then.
    Standstill(Tick, Duration),
}

/// A poll that kept its worker thread too long.
#[derive(Clone)]
pub struct Stall {
    /// The task's number.
    pub task: u64,
    /// How the task is called; nothing if it was not known.
    pub label: Option<Label>,
    /// The request that was answered in it, and its route.
    pub request: Option<(u64, &'static str)>,
    /// The thread.
    pub thread: ThreadId,
    /// When the poll began.
    pub since: Tick,
    /// When it was noticed, milliseconds since the epoch.
    pub noticed_ms: i64,
    /// How long it took in all; none while it goes on.
    pub took: Option<Duration>,
}

impl Stall {
    fn is(&self, thread: ThreadId, now: &Now) -> bool {
        self.thread == thread && self.task == now.task && self.since == now.since
    }

    /// The task and what it did.
    pub fn who(&self) -> String {
        let task = match &self.label {
            Some(label) => format!("{label} (task {})", self.task),
            None => format!("task {}", self.task),
        };
        match self.request {
            Some((id, route)) => format!("{task}, answering request {id}, {route}"),
            None => task,
        }
    }

    /// The same as the subject of a sentence.
    fn subject(&self) -> String {
        let comma = if self.request.is_some() { "," } else { "" };
        format!("{}{comma}", self.who())
    }
}

/// What the watchdog has seen.
#[derive(Clone)]
pub struct Stalls {
    /// From which time on a poll is a stall; none while nobody watches.
    pub threshold: Option<Duration>,
    /// Stalls since the start.
    pub count: u64,
    /// How often the whole process stood still for as long, the watchdog included.
    pub standstills: u64,
    /// Those that go on.
    pub now: Vec<Stall>,
    /// The newest that ended, the oldest first.
    pub past: VecDeque<Stall>,
}

impl Stalls {
    /// Notes what ended and what is new, and answers the two.
    fn look(&mut self, threads: &[(ThreadId, Now)], threshold: Duration) -> (Vec<Stall>, usize) {
        let goes_on = |stall: &Stall| threads.iter().any(|(thread, now)| stall.is(*thread, now));
        let (now, mut ended): (Vec<_>, Vec<_>) = self.now.drain(..).partition(goes_on);
        self.now = now;
        for stall in &mut ended {
            // It ended some time since the last look; what was measured is better.
            let measured = polls::took(stall.task, stall.since);
            stall.took = Some(measured.unwrap_or_else(|| stall.since.elapsed()));
            self.past.push_back(stall.clone());
        }
        while self.past.len() > KEPT {
            self.past.pop_front();
        }
        let before = self.now.len();
        for (thread, now) in threads {
            let known = self.now.iter().any(|stall| stall.is(*thread, now));
            if known || now.since.elapsed() < threshold {
                continue;
            }
            self.count += 1;
            self.now.push(Stall {
                task: now.task,
                label: alive::label(now.task),
                request: None,
                thread: *thread,
                since: now.since,
                noticed_ms: clock::now_ms(),
                took: None,
            });
        }
        (ended, self.now.len() - before)
    }
}

/// Watches from now on, for as long as the process lives; says so of polls that take
/// longer than `threshold`.
///
/// # Errors
///
/// When the operating system has no thread to give.
pub fn watch(metrics: RuntimeMetrics, threshold: Duration) -> std::io::Result<()> {
    lock().threshold = Some(threshold);
    thread::Builder::new()
        .name("torc-watchdog".to_owned())
        .spawn(move || {
            let mut looked = Tick::now();
            let mut sampled = None;
            loop {
                thread::sleep(TICK);
                let gap = looked.elapsed();
                looked = Tick::now();
                if gap >= threshold {
                    // Stopped by a signal, or no CPU for anyone: nobody's poll is to
                    // blame. What still goes on at the next look is.
                    lock().standstills += 1;
                    tell(&Seen::Standstill(looked.before(gap), gap));
                    let for_s = gap.as_secs_f64();
                    tracing::warn!("the whole process stood still for {for_s:.1} s");
                } else {
                    look(threshold);
                }
                if sampled.is_none_or(|at: Tick| at.elapsed() >= samples::INTERVAL) {
                    samples::take(&metrics);
                    sampled = Some(looked);
                }
            }
        })
        .map(drop)
}

fn look(threshold: Duration) {
    let threads = polls::threads();
    let inside: Vec<_> = threads
        .iter()
        .filter_map(|slot| Some((slot.thread, slot.now()?)))
        .collect();
    let (ended, begun) = {
        let mut stalls = lock();
        let (ended, new) = stalls.look(&inside, threshold);
        let first = stalls.now.len() - new;
        for stall in &mut stalls.now[first..] {
            stall.request = request_of(&threads, stall);
        }
        (ended, stalls.now[first..].to_vec())
    };
    for stall in ended {
        tell(&Seen::Ended(&stall));
        let (who, took) = (stall.subject(), stall.took.unwrap_or_default());
        tracing::warn!(
            "a worker thread is free again: {who} kept it for {:.2} s",
            took.as_secs_f64()
        );
    }
    for stall in begun {
        tell(&Seen::Begun(&stall));
        let (who, so_far) = (stall.subject(), stall.since.elapsed());
        tracing::warn!(
            "a worker thread is stuck: {who} has kept it for {:.2} s without a pause",
            so_far.as_secs_f64()
        );
    }
}

fn request_of(threads: &[std::sync::Arc<Slot>], stall: &Stall) -> Option<(u64, &'static str)> {
    let slot = threads.iter().find(|slot| slot.thread == stall.thread)?;
    slot.request(&Now {
        task: stall.task,
        since: stall.since,
    })
}

/// Has what the watchdog sees told to `listener`, on its thread; once for the process.
pub fn on_stall(listener: fn(&Seen<'_>)) {
    // Set twice only by servers that share a process, with the same function.
    let _ = LISTENER.set(listener);
}

fn tell(seen: &Seen<'_>) {
    if let Some(listener) = LISTENER.get() {
        listener(seen);
    }
}

/// What was seen until now.
pub fn stalls() -> Stalls {
    lock().clone()
}

fn lock() -> MutexGuard<'static, Stalls> {
    STALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Stalls {
        Stalls {
            threshold: None,
            count: 0,
            standstills: 0,
            now: Vec::new(),
            past: VecDeque::new(),
        }
    }

    /// Each is counted once, however often one looks, and remembered when it is over.
    #[test]
    fn a_stall_is_told_once_and_ends_once() {
        let threshold = Duration::from_millis(1);
        let here = thread::current().id();
        let mut stalls = nothing();
        for task in 1..=KEPT as u64 + 3 {
            let now = Now {
                task,
                since: Tick::now(),
            };
            let (_, new) = stalls.look(&[(here, now)], Duration::from_secs(3600));
            assert_eq!(new, 0, "too short to be one");
            thread::sleep(threshold);
            for expected in [1, 0, 0] {
                let (ended, new) = stalls.look(&[(here, now)], threshold);
                assert_eq!((ended.len(), new), (0, expected));
            }
            // Another poll of the same task is another one.
            let next = Now {
                task,
                since: Tick::now(),
            };
            let (ended, new) = stalls.look(&[(here, next)], Duration::from_secs(3600));
            assert_eq!((ended.len(), new), (1, 0));
            assert!(ended[0].took.unwrap() >= threshold);
        }
        assert_eq!(stalls.count, KEPT as u64 + 3);
        assert_eq!((stalls.now.len(), stalls.past.len()), (0, KEPT));
        assert_eq!(
            stalls.past.back().map(|stall| stall.task),
            Some(stalls.count)
        );
    }
}
