//! What the debug pages answer, as far as the command line reads it.
//!
//! These pages belong to the server and no contract: every field may be missing, and what
//! is not known here is passed over, so that neither side need wait for the other. Times
//! are in microseconds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Answers `GET /debug/timings`, and is what a dump holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// When it was made, RFC 3339 in UTC.
    pub generated_at: String,
    /// Seconds since the server started.
    pub uptime_s: f64,
    /// What was asked for: `start`, `reset`, `mark:NAME`, `10s`.
    pub window: String,
    /// Seconds that the window covers.
    pub window_s: f64,
    /// Whether anything is recorded (`--timing`).
    pub timing: bool,
    /// Instrumented functions, always since the start.
    pub spans: Vec<SpanTimes>,
    /// All else.
    pub phases: PhaseTimes,
    /// What became of the traces, of a server that exports them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Traces>,
    /// Which server, on which machine; only in dumps.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub about: Map<String, Value>,
}

impl Timings {
    /// Whether nothing is recorded, and so nothing can be told.
    pub fn is_blind(&self) -> bool {
        let phases = &self.phases;
        !self.timing && phases.routes.is_empty() && phases.operations.is_empty()
    }
}

/// Requests that were to be exported as traces, since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traces {
    /// The collector.
    pub url: String,
    /// Taken by it.
    pub exported: u64,
    /// Not even tried, because the queue was full.
    pub dropped: u64,
    /// Refused, or not taken in time.
    pub failed: u64,
    /// It did not take the last export.
    pub failing: bool,
    /// For how long it has been asked to take the next one.
    pub sending_for_us: Option<f64>,
    /// How long ago a request was last dropped or given up.
    pub lost_ago_us: Option<f64>,
}

/// The figures of one histogram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub total: f64,
    /// Their mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// 90 of 100 are at most this.
    pub p90: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// 999 of 1,000 are at most this.
    #[serde(rename = "p99.9")]
    pub p999: f64,
    /// The largest.
    pub max: f64,
    /// Upper edge and count of each bucket that holds something, ascending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<(f64, u64)>>,
}

/// An instrumented function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpanTimes {
    /// Its name.
    pub span: String,
    /// From the span's creation to its end.
    #[serde(flatten)]
    pub wall: Times,
}

/// What the recorder knows of a window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseTimes {
    /// Requests by method and path.
    pub routes: Vec<RouteTimes>,
    /// The writer's operations.
    pub operations: Vec<OperationTimes>,
    /// SQL statements.
    pub statements: Vec<StatementTimes>,
    /// What runs in the background.
    pub tasks: Vec<TaskTimes>,
    /// Commands per batch: numbers, not times.
    pub batch_size: Times,
    /// Who holds the writer now.
    pub writer: Writer,
}

/// The requests of one route.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteTimes {
    /// Method and path.
    pub route: String,
    /// Since the start: answered with a status from 500 on.
    pub failed: u64,
    /// Until the head of the answer was there.
    pub wall: Times,
    /// In which a thread worked on it.
    pub busy: Times,
    /// In which it waited for a read connection.
    pub read_wait: Times,
}

/// One of the writer's operations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperationTimes {
    /// Its name.
    pub operation: String,
    /// How many.
    pub count: u64,
    /// Since the start: not committed.
    pub failed: u64,
    /// From submitting to the reply.
    pub whole: Times,
    /// Until the writer took it up.
    pub queue_wait: Times,
    /// BEGIN of its batch.
    pub begin_latency: Times,
    /// Its share of that.
    pub begin_cost: Times,
    /// The others of its batch were carried out.
    pub batch_wait: Times,
    /// Its own work.
    pub execute: Times,
    /// COMMIT of its batch.
    pub commit_latency: Times,
    /// Its share of that.
    pub commit_cost: Times,
    /// What the parts leave of the whole, in total.
    pub unaccounted_us: f64,
}

/// One SQL statement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatementTimes {
    /// Its stable id.
    pub statement: String,
    /// Since the start: rows that it read or changed.
    pub rows: u64,
    /// Its share of the time of all statements, from 0 to 1.
    pub share: f64,
    /// How long it took.
    pub elapsed: Times,
    /// Rows that its calls went through without an index, of the calls that did.
    pub scanned: Times,
}

/// Something in the background.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskTimes {
    /// What it is.
    pub task: String,
    /// How long it took.
    pub elapsed: Times,
}

/// The writer's board.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Writer {
    /// The batch that holds the writer, by operation; empty when it is idle.
    pub holder: Vec<Holder>,
    /// Since when.
    pub held_for_us: f64,
    /// What it does now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing: Option<Doing>,
    /// How many commands wait.
    pub queued: u64,
    /// How long the first of them has waited.
    pub longest_wait_us: f64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// The last time that it was moved into the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<Checkpoint>,
    /// The last wait for a lock of another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_wait: Option<LockWait>,
}

/// A part of the batch that holds the writer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// The operation.
    pub operation: String,
    /// How many of it.
    pub count: u64,
}

/// What the writer does now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Doing {
    /// The operation, or `commit`.
    pub operation: String,
    /// The request that it is done for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Since when.
    pub for_us: f64,
}

/// One move of the write-ahead log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherProcess {
    /// Its process id.
    pub pid: u32,
    /// Its program.
    pub program: String,
}

/// Answers `GET /debug/timings/marks`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// The marks, by name.
    pub marks: Vec<Mark>,
}

/// A time to count from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// When it was set, milliseconds since the epoch.
    pub set_ms: i64,
}

/// Answers `GET /debug/exemplars`: requests that stand for a bucket of the histogram.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exemplars {
    /// One for each bucket that has one.
    pub exemplars: Vec<Exemplar>,
}

/// A request that stands for a bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exemplar {
    /// Where the bucket begins.
    pub lower_us: f64,
    /// Where it ends; the last one does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper_us: Option<f64>,
    /// The request.
    pub request: Request,
}

/// Answers `GET /debug/requests`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Those that ended lately.
    pub requests: Vec<Request>,
}

/// A request that was answered, and where its time went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Its number, counted from the start of the server.
    pub id: u64,
    /// Method and path with placeholders.
    pub route: String,
    /// The path as it was asked for.
    pub path: String,
    /// Of the answer.
    pub status: u16,
    /// When it came, RFC 3339.
    pub time: String,
    /// Until the head of the answer was there.
    pub wall_us: f64,
    /// In which a thread worked on it.
    pub busy_us: f64,
    /// In which it waited for a read connection.
    pub read_wait_us: f64,
    /// What the writer did for it.
    pub commands: Vec<Command>,
    /// What it read.
    pub statements: Vec<Statement>,
    /// What else is told.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What the writer did for a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// Its operation.
    pub operation: String,
    /// The batch it was in.
    pub batch: u64,
    /// Commands in that batch.
    pub batch_size: u64,
    /// From the request's beginning to when it was handed to the writer, if that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_us: Option<f64>,
    /// Where its time went.
    #[serde(flatten)]
    pub phases: Phases,
    /// What it did.
    pub statements: Vec<Statement>,
    /// What else is told.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Where the time of one command went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// Until the writer took it up.
    pub queue_wait_us: f64,
    /// BEGIN of its batch.
    pub begin_us: f64,
    /// The others of its batch were carried out.
    pub batch_wait_us: f64,
    /// Its own work.
    pub execute_us: f64,
    /// COMMIT of its batch.
    pub commit_us: f64,
    /// From submitting to the reply.
    pub whole_us: f64,
    /// What the parts leave of the whole.
    pub unaccounted_us: f64,
}

/// What was done of one statement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statement {
    /// Its stable id.
    pub statement: String,
    /// How often it ran.
    pub calls: u64,
    /// Rows that it read or changed.
    pub rows: u64,
    /// All calls together.
    pub elapsed_us: f64,
}
