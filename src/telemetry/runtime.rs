//! What the tokio runtime does: how busy its workers are, which polls are slow, which task
//! keeps a worker to itself, and what the process needs.
//!
//! [`instrument`] puts the hooks into the runtime before it is built, [`watch`] starts the
//! thread that looks at it, [`report()`] says what both have seen. The hooks need a build
//! with `--cfg tokio_unstable`; without them the report has less and says what is missing.
//! All of it is bounded: [`polls::KEPT`] slow polls, [`watchdog::KEPT`] stalls, five
//! minutes of samples, and a table of tasks in [`super::task::alive`] that has an end.

pub mod polls;
pub mod process;
pub mod report;
mod report_text;
mod samples;
pub mod watchdog;

use std::time::Duration;

use tokio::runtime::{Builder, Handle};

pub use report::report;

/// Has the runtime that is built tell of every task and every poll.
#[cfg(tokio_unstable)]
pub fn instrument(builder: &mut Builder) -> &mut Builder {
    use crate::telemetry::task::alive;

    builder
        .on_task_spawn(|task| alive::spawned(alive::number(task.id()), task.spawned_at()))
        .on_task_terminate(|task| alive::ended(alive::number(task.id())))
        .on_before_task_poll(|task| polls::begin(alive::number(task.id())))
        .on_after_task_poll(|_| polls::end())
}

/// Does nothing: this build has no such hooks.
#[cfg(not(tokio_unstable))]
pub fn instrument(builder: &mut Builder) -> &mut Builder {
    builder
}

/// Watches a runtime from a thread of its own for as long as the process lives: samples
/// its counters, and logs which task stays inside one poll for longer than
/// `stall_threshold`.
///
/// # Errors
///
/// When the operating system has no thread to give.
pub fn watch(runtime: &Handle, stall_threshold: Duration) -> std::io::Result<()> {
    watchdog::watch(runtime.metrics(), stall_threshold)
}

/// What this build cannot see, in words; empty if it sees everything.
fn lacks() -> &'static [&'static str] {
    if cfg!(tokio_unstable) {
        &[]
    } else {
        &[
            "names of tasks, slow polls and stalls, and polls, steals, local queues, blocking \
             threads, spawned tasks and forced yields: this build lacks \
             RUSTFLAGS=\"--cfg tokio_unstable\"",
        ]
    }
}
