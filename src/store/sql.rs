//! The one wrapper around statements: each has a stable id under which it is timed.

use crate::clock::Tick;
use crate::telemetry::phase;

/// A statement of the writer.
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

    /// A statement made at run time, once for the life of the process: its texts are never
    /// given back.
    pub fn made(id: String, text: String) -> Self {
        Self {
            id: Box::leak(id.into_boxed_str()),
            text: Box::leak(text.into_boxed_str()),
        }
    }
}

/// Runs `work` and records its time under the statement's id, with the rows that it says
/// it read or changed.
pub fn timed<T>(id: &'static str, rows: impl FnOnce(&T) -> u64, work: impl FnOnce() -> T) -> T {
    let start = Tick::now();
    let value = work();
    phase::statement(id, rows(&value), start.elapsed());
    value
}
