//! What the debug pages answer, as far as `torc doctor` needs it.
//!
//! Not part of Torc's contract. Every field may be absent, so that a newer `torc` reads an
//! older server, and a figure that is not there counts as zero. Times are in microseconds.

use serde::Deserialize;

/// Answers `GET /debug/timings`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// Seconds since the server started.
    pub uptime_s: f64,
    /// Seconds that the window covers.
    pub window_s: f64,
    /// What was measured in it.
    pub phases: Phases,
}

/// What was measured in a window.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// Requests by method and path.
    pub routes: Vec<Route>,
    /// What the writer carried out.
    pub operations: Vec<Operation>,
    /// SQL statements.
    pub statements: Vec<Statement>,
    /// What runs in the background, and what is counted.
    pub tasks: Vec<Task>,
    /// Commands per batch of the writer.
    pub batch_size: Summary,
}

/// The figures of one histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub total: f64,
    /// Their mean.
    pub mean: f64,
    /// Their median.
    pub p50: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// Requests of one method and path.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Route {
    /// Method and path.
    pub route: String,
    /// Until the head of the answer was there.
    pub wall: Summary,
    /// In which a thread worked on them.
    pub busy: Summary,
    /// In which they waited for a read connection.
    pub read_wait: Summary,
}

/// A command of the writer, and where its time goes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// Its name.
    pub operation: String,
    /// How many.
    pub count: u64,
    /// From submitting to the reply.
    pub whole: Summary,
    /// Until the writer took it up.
    pub queue_wait: Summary,
    /// The whole BEGIN of its batch.
    pub begin_latency: Summary,
    /// Its share of that.
    pub begin_cost: Summary,
    /// The others of its batch were carried out.
    pub batch_wait: Summary,
    /// Its own work.
    pub execute: Summary,
    /// The whole COMMIT of its batch.
    pub commit_latency: Summary,
    /// Its share of that.
    pub commit_cost: Summary,
}

/// One SQL statement.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Statement {
    /// Its stable id.
    pub statement: String,
    /// How long it took.
    pub elapsed: Summary,
    /// Rows that its calls went through without an index, of the calls that did.
    pub scanned: Summary,
}

/// Something in the background, or something counted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Task {
    /// What it is.
    pub task: String,
    /// How long it took.
    pub elapsed: Summary,
}

/// Answers `GET /debug/writer`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Writer {
    /// The batch that holds the writer.
    pub holder: Vec<Holder>,
    /// Since when.
    pub held_for_us: f64,
    /// What it does now.
    pub doing: Option<Doing>,
    /// How many commands wait.
    pub queued: u64,
    /// How long the first of them has waited.
    pub longest_wait_us: f64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// The last time that it was moved into the database.
    pub last_checkpoint: Option<Checkpoint>,
    /// The last wait for a lock of another process.
    pub lock_wait: Option<LockWait>,
}

/// A part of the batch that holds the writer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// The operation.
    pub operation: String,
    /// How many of it.
    pub count: u64,
}

/// What the writer does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Doing {
    /// The operation, `begin` or `commit`.
    pub operation: String,
    /// Since when.
    pub for_us: f64,
}

/// One move of the write-ahead log.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Checkpoint {
    /// How long ago it ended.
    pub ago_us: f64,
    /// Pages that readers kept in the log.
    pub held_back_pages: u64,
    /// How often in a row it came no further.
    pub stuck: u64,
    /// For how long.
    pub stuck_for_us: f64,
    /// Other processes that read the log.
    pub readers: Vec<OtherProcess>,
}

/// A wait for a lock that another process held.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LockWait {
    /// It goes on.
    pub now: bool,
    /// How long it took, or has taken.
    pub waited_us: f64,
    /// How long ago it ended.
    pub ago_us: f64,
    /// Who held the lock, where the system tells.
    pub holder: Option<OtherProcess>,
}

/// Another process that has the database open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OtherProcess {
    /// Its process id.
    pub pid: u32,
    /// Its program.
    pub program: String,
}

/// Answers `GET /debug/runtime`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// Worker threads that stood still.
    pub stalls: Stalls,
    /// The worker threads.
    pub workers: Vec<WorkerThread>,
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
    pub recent: Vec<Stall>,
}

/// A task that kept its thread.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Stall {
    /// Its name.
    pub task: Option<String>,
    /// How long.
    pub for_us: f64,
    /// How long ago it ended.
    pub ago_us: f64,
}

/// A worker thread of the runtime.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct WorkerThread {
    /// Part of the last ten seconds in which it worked, from 0 to 1.
    pub busy_ratio_10s: Option<f64>,
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

/// A statement with its plan.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Planned {
    /// Its stable id.
    pub statement: String,
    /// Whether its plan goes through a whole table.
    pub scans: bool,
    /// The steps of its plan.
    pub plan: Vec<String>,
}
