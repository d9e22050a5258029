//! The one wrapper around statements: each has a stable id under which it is timed.

use std::time::Instant;

use crate::telemetry::phase;

/// A constant statement of the writer.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// Under which its time is recorded, such as `job.start`.
    pub id: &'static str,
    /// The text, with numbered or anonymous parameters.
    pub text: &'static str,
}

impl Sql {
    /// A statement with its id.
    pub const fn new(id: &'static str, text: &'static str) -> Self {
        Self { id, text }
    }
}

/// Runs `work` and records its time under the statement's id.
pub fn timed<T>(id: &'static str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    phase::statement(id, start.elapsed());
    value
}
