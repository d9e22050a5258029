//! The report of the runtime, as it goes out as JSON.

use std::thread::ThreadId;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::RuntimeMetrics;

use super::polls::{self, SlowPoll};
use super::process::{self, ProcessReport};
use super::samples::{self, Sample};
use super::watchdog::{self, Stall};
use crate::clock;
use crate::clock::Tick;
use crate::telemetry::series::Summary;
use crate::telemetry::task::alive;

/// Windows of the figures over time, by name; the first is the last interval.
pub const WINDOWS: [(&str, Duration); 4] = [
    ("last", samples::INTERVAL),
    ("10s", Duration::from_secs(10)),
    ("1m", Duration::from_secs(60)),
    ("5m", Duration::from_secs(300)),
];

/// What the runtime and the process do.
#[derive(Debug, Serialize)]
pub struct RuntimeReport {
    /// When it was made.
    pub generated_at: String,
    /// What this build cannot see.
    pub lacks: Vec<&'static str>,
    /// Each worker thread.
    pub workers: Vec<WorkerReport>,
    /// Counts of tasks and queues.
    pub tasks: TasksCounted,
    /// How busy everything was, window by window; empty for the first seconds.
    pub lately: Vec<WindowReport>,
    /// How long polls took.
    pub polls: PollsReport,
    /// Polls that kept a worker for very long.
    pub stalls: StallsReport,
    /// What the operating system says.
    pub process: ProcessReport,
}

/// One worker thread. Counters are since the start.
#[derive(Debug, Serialize)]
pub struct WorkerReport {
    /// Its place among the workers.
    pub worker: usize,
    /// What it is inside of now.
    pub polling: Option<Polling>,
    /// Share of the last interval that it spent with tasks, 0 to 1.
    pub busy: Option<f64>,
    /// Seconds that it spent with tasks.
    pub busy_s: f64,
    /// How often it found nothing to do and slept.
    pub parks: u64,
    /// Tasks that it polled.
    pub polls: Option<u64>,
    /// Tasks that it took from other workers.
    pub steals: Option<u64>,
    /// How often its queue was full, and half of it went to the global one.
    pub overflows: Option<u64>,
    /// Tasks in its queue.
    pub local_queue: Option<usize>,
}

/// A poll that goes on.
#[derive(Debug, Serialize)]
pub struct Polling {
    /// The task's number.
    pub task: u64,
    /// How it is called.
    pub name: String,
    /// The request that it answers.
    pub request: Option<u64>,
    /// The route of that request.
    pub route: Option<&'static str>,
    /// For how long, in milliseconds.
    pub for_ms: f64,
}

/// Counts of tasks and queues, now or since the start.
#[derive(Debug, Default, Serialize)]
pub struct TasksCounted {
    /// Tasks that live.
    pub alive: usize,
    /// Tasks that were ever spawned.
    pub spawned: Option<u64>,
    /// Tasks that wait for any worker.
    pub global_queue: usize,
    /// Tasks that were woken from outside of the workers.
    pub remote_schedules: Option<u64>,
    /// How often a task had used up its budget (128 operations in one poll) and was made
    /// to let others run.
    pub budget_forced_yields: Option<u64>,
    /// Threads of the blocking pool.
    pub blocking_threads: Option<usize>,
    /// Those of them that have nothing to do.
    pub blocking_idle: Option<usize>,
    /// Functions that wait for such a thread.
    pub blocking_queue: Option<usize>,
}

/// A window of time.
#[derive(Debug, Serialize)]
pub struct WindowReport {
    /// `last`, `10s`, `1m` or `5m`.
    pub window: &'static str,
    /// How long it really is, in seconds.
    pub span_s: f64,
    /// CPUs that the process used, on average.
    pub cpus: Option<f64>,
    /// Tasks spawned in each second.
    pub spawned_per_s: Option<f64>,
    /// Share of the time that each worker spent with tasks, 0 to 1.
    pub busy: Vec<f64>,
    /// How often each worker slept, in each second.
    pub parks_per_s: Vec<f64>,
    /// Tasks that each worker polled in each second.
    pub polls_per_s: Option<Vec<f64>>,
    /// Tasks that each worker took from others, in each second.
    pub steals_per_s: Option<Vec<f64>>,
}

/// How long polls took, of all threads together, since the start.
#[derive(Debug, Serialize)]
pub struct PollsReport {
    /// How many.
    pub count: u64,
    /// Their time together, in seconds.
    pub total_s: f64,
    /// Counts by time.
    pub buckets: Vec<BucketReport>,
    /// Those of 100 µs and more, in microseconds, to the percent.
    pub over_100us: Summary,
    /// From here on a poll is slow, in milliseconds.
    pub slow_from_ms: f64,
    /// How many were.
    pub slow: u64,
    /// The newest of those, the latest first, at most 100.
    pub newest_slow: Vec<SlowReport>,
}

/// A bucket that is not empty.
#[derive(Debug, Serialize)]
pub struct BucketReport {
    /// Shorter than this, and not below the bucket before; none if that is not bounded.
    pub below_us: Option<u64>,
    /// How many polls.
    pub count: u64,
}

/// A poll that took long.
#[derive(Debug, Serialize)]
pub struct SlowReport {
    /// How the task is called.
    pub name: String,
    /// Its number.
    pub task: u64,
    /// The request that was answered in it; none if the poll answered none.
    pub request: Option<u64>,
    /// The route of that request.
    pub route: Option<&'static str>,
    /// The worker; none if its thread is gone.
    pub worker: Option<usize>,
    /// How long it took, or has taken, in milliseconds.
    pub ms: f64,
    /// When it ended, or for a stall when it was noticed: milliseconds since the epoch.
    pub at_ms: i64,
    /// How long ago it ended, in milliseconds.
    pub ago_ms: f64,
}

/// Polls that kept a worker for longer than the threshold.
#[derive(Debug, Serialize)]
pub struct StallsReport {
    /// From here on a poll is one, in milliseconds; none while nobody watches.
    pub threshold_ms: Option<f64>,
    /// How many since the start.
    pub count: u64,
    /// How often the process as a whole did not run for as long.
    pub standstills: u64,
    /// Those that go on.
    pub now: Vec<SlowReport>,
    /// The newest that are over, the latest first, at most 20.
    pub past: Vec<SlowReport>,
}

/// Which worker has which thread.
struct Workers(Vec<Option<ThreadId>>);

impl Workers {
    fn of(&self, thread: ThreadId) -> Option<usize> {
        self.0.iter().position(|known| *known == Some(thread))
    }

    fn slow(&self, poll: SlowPoll) -> SlowReport {
        SlowReport {
            name: name(poll.label, poll.task),
            task: poll.task,
            request: poll.request.map(|(id, _)| id),
            route: poll.request.map(|(_, route)| route),
            worker: self.of(poll.thread),
            ms: millis(poll.elapsed),
            at_ms: poll.ended_ms,
            ago_ms: clock::now_ms().saturating_sub(poll.ended_ms).max(0) as f64,
        }
    }

    fn stall(&self, stall: Stall) -> SlowReport {
        let took = stall.took.unwrap_or_else(|| stall.since.elapsed());
        SlowReport {
            name: name(stall.label, stall.task),
            task: stall.task,
            request: stall.request.map(|(id, _)| id),
            route: stall.request.map(|(_, route)| route),
            worker: self.of(stall.thread),
            ms: millis(took),
            at_ms: stall.noticed_ms,
            ago_ms: millis(stall.since.elapsed().saturating_sub(took)),
        }
    }
}

/// What the runtime of these metrics does, and the process with it. Reads `/proc`, so call
/// it on the blocking pool.
pub fn report(metrics: &RuntimeMetrics) -> RuntimeReport {
    let threads = (0..metrics.num_workers())
        .map(|worker| samples::thread_of(metrics, worker))
        .collect();
    let workers = Workers(threads);
    let watched = watchdog::stalls();
    let stalls = StallsReport {
        threshold_ms: watched.threshold.map(millis),
        count: watched.count,
        standstills: watched.standstills,
        now: watched.now.into_iter().map(|s| workers.stall(s)).collect(),
        past: watched
            .past
            .into_iter()
            .rev()
            .map(|stall| workers.stall(stall))
            .collect(),
    };
    RuntimeReport {
        generated_at: clock::now_millis_text(),
        lacks: super::lacks().to_vec(),
        workers: each_worker(metrics, &workers),
        tasks: tasks(metrics),
        lately: WINDOWS
            .iter()
            .filter_map(|&(name, span)| {
                let (older, newer) = samples::between(span)?;
                Some(window(name, &older, &newer))
            })
            .collect(),
        polls: polls_report(&workers),
        stalls,
        process: process::report(),
    }
}

fn each_worker(metrics: &RuntimeMetrics, workers: &Workers) -> Vec<WorkerReport> {
    let last = samples::between(samples::INTERVAL);
    let last = last.map(|(older, newer)| window("last", &older, &newer).busy);
    let slots = polls::threads();
    (0..metrics.num_workers())
        .map(|worker| {
            let slot = slots
                .iter()
                .find(|slot| workers.of(slot.thread) == Some(worker));
            let polling = slot.and_then(|slot| {
                let now = slot.now()?;
                let request = slot.request(&now);
                Some(Polling {
                    task: now.task,
                    name: name(alive::label(now.task), now.task),
                    request: request.map(|(id, _)| id),
                    route: request.map(|(_, route)| route),
                    for_ms: since_ms(now.since),
                })
            });
            let mut report = WorkerReport {
                worker,
                polling,
                busy: last.as_ref().and_then(|busy| busy.get(worker).copied()),
                busy_s: metrics.worker_total_busy_duration(worker).as_secs_f64(),
                parks: metrics.worker_park_count(worker),
                polls: None,
                steals: None,
                overflows: None,
                local_queue: None,
            };
            more_of_worker(metrics, &mut report);
            report
        })
        .collect()
}

#[cfg(tokio_unstable)]
fn more_of_worker(metrics: &RuntimeMetrics, report: &mut WorkerReport) {
    let worker = report.worker;
    report.polls = Some(metrics.worker_poll_count(worker));
    report.steals = Some(metrics.worker_steal_count(worker));
    report.overflows = Some(metrics.worker_overflow_count(worker));
    report.local_queue = Some(metrics.worker_local_queue_depth(worker));
}

#[cfg(not(tokio_unstable))]
fn more_of_worker(_metrics: &RuntimeMetrics, _report: &mut WorkerReport) {}

fn tasks(metrics: &RuntimeMetrics) -> TasksCounted {
    let counted = TasksCounted {
        alive: metrics.num_alive_tasks(),
        global_queue: metrics.global_queue_depth(),
        ..TasksCounted::default()
    };
    #[cfg(tokio_unstable)]
    let counted = TasksCounted {
        spawned: Some(metrics.spawned_tasks_count()),
        remote_schedules: Some(metrics.remote_schedule_count()),
        budget_forced_yields: Some(metrics.budget_forced_yield_count()),
        blocking_threads: Some(metrics.num_blocking_threads()),
        blocking_idle: Some(metrics.num_idle_blocking_threads()),
        blocking_queue: Some(metrics.blocking_queue_depth()),
        ..counted
    };
    counted
}

/// What came between two samples.
fn window(name: &'static str, older: &Sample, newer: &Sample) -> WindowReport {
    let span = newer.at - older.at;
    let span_s = span.as_secs_f64().max(1e-6);
    let pairs = || older.workers.iter().zip(&newer.workers);
    let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / span_s;
    let counts = cfg!(tokio_unstable);
    let cpus = older.cpu.zip(newer.cpu);
    WindowReport {
        window: name,
        span_s: span.as_secs_f64(),
        cpus: cpus.map(|(before, after)| after.saturating_sub(before).as_secs_f64() / span_s),
        spawned_per_s: counts.then(|| rate(older.spawned, newer.spawned)),
        busy: pairs()
            .map(|(old, new)| {
                let busy = new.busy.saturating_sub(old.busy).as_secs_f64();
                (busy / span_s).min(1.0)
            })
            .collect(),
        parks_per_s: pairs().map(|(o, n)| rate(o.parks, n.parks)).collect(),
        polls_per_s: counts.then(|| pairs().map(|(o, n)| rate(o.polls, n.polls)).collect()),
        steals_per_s: counts.then(|| pairs().map(|(o, n)| rate(o.steals, n.steals)).collect()),
    }
}

fn polls_report(workers: &Workers) -> PollsReport {
    let polls = polls::polls();
    let (slow, newest) = polls::slow();
    PollsReport {
        count: polls.count(),
        total_s: polls.total_ns as f64 / 1e9,
        buckets: polls
            .buckets
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(bucket, &count)| BucketReport {
                below_us: polls::below_us(bucket),
                count,
            })
            .collect(),
        over_100us: polls.long.summary(1e3),
        slow_from_ms: millis(polls::SLOW),
        slow,
        newest_slow: newest.into_iter().map(|poll| workers.slow(poll)).collect(),
    }
}

fn name(label: Option<alive::Label>, task: u64) -> String {
    label.map_or_else(|| format!("task {task}"), |label| label.to_string())
}

fn since_ms(since: Tick) -> f64 {
    millis(since.elapsed())
}

fn millis(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e3
}
