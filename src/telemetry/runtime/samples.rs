//! What the runtime's counters were in the last five minutes, a sample every two seconds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::RuntimeMetrics;

use super::{polls, process};
use crate::clock::Tick;

/// Time between two samples.
pub const INTERVAL: Duration = Duration::from_secs(2);
/// Samples that are kept: five minutes, and the one before. With eight workers 40 KB.
const KEPT: usize = 151;
/// Busy time that the runtime has not added up yet counts from here on: it does so when a
/// worker parks, which one that is stuck does not.
const UNTOLD: Duration = Duration::from_millis(100);

static SAMPLES: Mutex<VecDeque<Sample>> = Mutex::new(VecDeque::new());

/// The counters at one moment.
#[derive(Clone)]
pub struct Sample {
    /// When.
    pub at: Tick,
    /// CPU time of the process.
    pub cpu: Option<Duration>,
    /// Tasks spawned since the start; 0 in a build that does not count them.
    pub spawned: u64,
    /// Of each worker.
    pub workers: Box<[WorkerSample]>,
}

/// The counters of one worker.
#[derive(Clone, Copy, Default)]
pub struct WorkerSample {
    /// Time that it spent with tasks.
    pub busy: Duration,
    /// How often it found nothing to do and slept.
    pub parks: u64,
    /// Tasks that it polled.
    pub polls: u64,
    /// Tasks that it took from other workers.
    pub steals: u64,
}

impl Sample {
    /// The counters now.
    pub fn now(metrics: &RuntimeMetrics) -> Self {
        let threads = polls::threads();
        let workers = (0..metrics.num_workers()).map(|worker| {
            let inside = thread_of(metrics, worker)
                .and_then(|thread| threads.iter().find(|slot| slot.thread == thread))
                .and_then(|slot| slot.now())
                .map_or(Duration::ZERO, |now| now.since.elapsed());
            let untold = if inside >= UNTOLD {
                inside
            } else {
                Duration::ZERO
            };
            let mut sample = WorkerSample {
                busy: metrics.worker_total_busy_duration(worker) + untold,
                parks: metrics.worker_park_count(worker),
                ..WorkerSample::default()
            };
            more(metrics, worker, &mut sample);
            sample
        });
        Self {
            at: Tick::now(),
            cpu: process::cpu_time(),
            spawned: spawned(metrics),
            workers: workers.collect(),
        }
    }
}

#[cfg(tokio_unstable)]
fn more(metrics: &RuntimeMetrics, worker: usize, sample: &mut WorkerSample) {
    sample.polls = metrics.worker_poll_count(worker);
    sample.steals = metrics.worker_steal_count(worker);
}

#[cfg(not(tokio_unstable))]
fn more(_metrics: &RuntimeMetrics, _worker: usize, _sample: &mut WorkerSample) {}

#[cfg(tokio_unstable)]
fn spawned(metrics: &RuntimeMetrics) -> u64 {
    metrics.spawned_tasks_count()
}

#[cfg(not(tokio_unstable))]
fn spawned(_metrics: &RuntimeMetrics) -> u64 {
    0
}

/// The thread of a worker; unknown before its first task, or in a build without
/// `tokio_unstable`.
pub fn thread_of(metrics: &RuntimeMetrics, worker: usize) -> Option<std::thread::ThreadId> {
    #[cfg(tokio_unstable)]
    {
        metrics.worker_thread_id(worker)
    }
    #[cfg(not(tokio_unstable))]
    {
        let _ = (metrics, worker);
        None
    }
}

/// Takes a sample and forgets the oldest.
pub fn take(metrics: &RuntimeMetrics) {
    let sample = Sample::now(metrics);
    let mut samples = lock();
    samples.push_back(sample);
    while samples.len() > KEPT {
        samples.pop_front();
    }
}

/// The newest sample and the one that is about `span` older, or the oldest there is.
/// Nothing before there are two.
pub fn between(span: Duration) -> Option<(Sample, Sample)> {
    let samples = lock();
    let newest = samples.back()?;
    // Half an interval too much or too little.
    let reach = span + INTERVAL / 2;
    let older = samples
        .iter()
        .rev()
        .skip(1)
        .take_while(|sample| newest.at - sample.at <= reach)
        .last()
        // A sample that came late is better than none.
        .or_else(|| samples.iter().rev().nth(1))?;
    Some((older.clone(), newest.clone()))
}

fn lock() -> MutexGuard<'static, VecDeque<Sample>> {
    SAMPLES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever comes, five minutes are kept; a window begins near to where it should.
    #[tokio::test]
    async fn samples_are_bounded_and_found_by_their_age() {
        let metrics = tokio::runtime::Handle::current().metrics();
        for _ in 0..KEPT + 10 {
            take(&metrics);
        }
        assert_eq!(lock().len(), KEPT);
        // All are fresh, so each window is as long as there are samples.
        let (older, newer) = between(Duration::from_secs(10)).unwrap();
        assert_eq!(older.at, lock()[0].at);
        assert!(newer.at > older.at);
        let now = Tick::now();
        for (n, sample) in lock().iter_mut().rev().enumerate() {
            let age = INTERVAL * u32::try_from(n).unwrap();
            sample.at = now.before(age);
        }
        for seconds in [2, 10, 60, 300] {
            let span = Duration::from_secs(seconds);
            let (older, newer) = between(span).unwrap();
            assert_eq!(newer.at - older.at, span);
        }
        assert!(newer.workers.len() == metrics.num_workers());
    }
}
