//! Where the time of a write goes: histograms without spans.
use std::time::Duration;
/// One command.
pub fn command(_op: &'static str, _queue_wait: Duration, _execute: Duration) {}
/// One batch.
pub fn batch(_ops: &[&'static str], _begin: Duration, _commit: Duration) {}
/// One statement.
pub fn statement(_id: &'static str, _elapsed: Duration) {}
/// The writer holds.
pub fn writer_holds(_ops: &[&'static str]) {}
/// The writer is idle.
pub fn writer_idle() {}
/// The queue.
pub fn writer_queue(_len: usize) {}
