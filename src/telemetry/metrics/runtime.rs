//! What tokio counts of itself.

use std::fmt;

use tokio::runtime::{Handle, RuntimeMetrics};

use super::family::Page;

/// Writes it.
pub fn tell(page: &mut Page<'_, '_>, runtime: &Handle) -> fmt::Result {
    let tokio = runtime.metrics();
    page.gauge(
        "torc_tokio_alive_tasks",
        "Tasks that have not ended.",
        tokio.num_alive_tasks(),
    )?;
    page.gauge(
        "torc_tokio_global_queue_depth",
        "Tasks in the queue that all workers share.",
        tokio.global_queue_depth(),
    )?;
    let workers: Vec<(usize, String)> = (0..tokio.num_workers())
        .map(|worker| (worker, worker.to_string()))
        .collect();
    let help = "Time in which a worker thread ran tasks.";
    let mut family = page.counters("torc_tokio_worker_busy_seconds", help)?;
    for (worker, label) in &workers {
        let busy = tokio.worker_total_busy_duration(*worker).as_secs_f64();
        family.counter(&[("worker", label)], busy)?;
    }
    let help = "How often a worker thread had nothing to do and slept.";
    let mut family = page.counters("torc_tokio_worker_parks", help)?;
    for (worker, label) in &workers {
        family.counter(&[("worker", label)], tokio.worker_park_count(*worker))?;
    }
    unstable(page, &tokio, &workers)
}

/// What only a build with `--cfg tokio_unstable` knows.
#[cfg(tokio_unstable)]
fn unstable(
    page: &mut Page<'_, '_>,
    tokio: &RuntimeMetrics,
    workers: &[(usize, String)],
) -> fmt::Result {
    page.counter(
        "torc_tokio_tasks_spawned",
        "Tasks that were begun.",
        tokio.spawned_tasks_count(),
    )?;
    page.counter(
        "torc_tokio_forced_yields",
        "Tasks that were made to let others run.",
        tokio.budget_forced_yield_count(),
    )?;
    page.gauge(
        "torc_tokio_blocking_threads",
        "Threads for blocking work.",
        tokio.num_blocking_threads(),
    )?;
    page.gauge(
        "torc_tokio_idle_blocking_threads",
        "Those of them that have nothing to do.",
        tokio.num_idle_blocking_threads(),
    )?;
    page.gauge(
        "torc_tokio_blocking_queue_depth",
        "Blocking work that waits for a thread.",
        tokio.blocking_queue_depth(),
    )?;
    let help = "How often a worker thread polled a task.";
    let mut family = page.counters("torc_tokio_worker_polls", help)?;
    for (worker, label) in workers {
        family.counter(&[("worker", label)], tokio.worker_poll_count(*worker))?;
    }
    let help = "Tasks that a worker thread took from another one.";
    let mut family = page.counters("torc_tokio_worker_steals", help)?;
    for (worker, label) in workers {
        family.counter(&[("worker", label)], tokio.worker_steal_count(*worker))?;
    }
    Ok(())
}

#[cfg(not(tokio_unstable))]
fn unstable(
    _page: &mut Page<'_, '_>,
    _tokio: &RuntimeMetrics,
    _workers: &[(usize, String)],
) -> fmt::Result {
    Ok(())
}
