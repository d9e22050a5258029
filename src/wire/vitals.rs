//! What else `torc doctor` reads of the debug pages: the runtime, and plans of statements.
//!
//! As in [`super::debug`], every field may be absent, and a figure that is not there counts
//! as zero.

use serde::Deserialize;

/// Answers `GET /debug/runtime`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// Worker threads that stood still.
    pub stalls: Stalls,
    /// How the worker threads fared of late.
    pub lately: Vec<Lately>,
    /// The process and its machine.
    pub process: Process,
}

/// Worker threads that stood still.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Stalls {
    /// That do so now.
    pub now: Vec<Stall>,
    /// That did, the newest ones.
    pub past: Vec<Stall>,
}

/// A task that kept its thread.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Stall {
    /// Its name.
    pub name: Option<String>,
    /// The request that it answered.
    pub route: Option<String>,
    /// How long, in milliseconds.
    pub ms: f64,
    /// How long ago it ended, in milliseconds.
    pub ago_ms: f64,
}

/// What the worker threads did in a window.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Lately {
    /// Which: `last`, `10s`, `1m`, `5m`.
    pub window: String,
    /// Part of it in which each worked, from 0 to 1.
    pub busy: Vec<f64>,
}

/// The process and its machine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Process {
    /// CPUs that it may use.
    pub cpus: Option<f64>,
}

/// Answers `GET /debug/statements`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Statements {
    /// The statements.
    pub statements: Vec<Planned>,
}

/// A statement with its plans.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Planned {
    /// Its stable id.
    pub id: String,
    /// Whether a plan of it goes through a whole table.
    pub scans: bool,
    /// What ran under the id.
    pub texts: Vec<PlannedText>,
}

/// One text of a statement.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PlannedText {
    /// The steps of its plan.
    pub plan: Vec<String>,
}
