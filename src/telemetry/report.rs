//! The report: what was recorded in a window, as JSON (by serde). `report_text` prints it.

use std::collections::HashMap;

use serde::Serialize;

use super::about::About;
use super::board::WriterReport;
use super::otlp::OtlpReport;
use super::phase;
use super::recorder::history::Lately;
use super::recorder::{Counts, Key, Kind, Part, visit};
use super::series::{Series, Summary};

/// What telemetry measured in a window. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// When it was made, RFC 3339 in UTC.
    pub generated_at: String,
    /// Seconds since telemetry started.
    pub uptime_s: f64,
    /// What was asked for: `start`, `reset`, `mark:NAME`, `10s`.
    pub window: String,
    /// Seconds that the window covers; the spans are always since the start.
    pub window_s: f64,
    /// Whether the histograms of spans are on (`--timing`).
    pub timing: bool,
    /// Instrumented functions, the one with the largest total first.
    pub spans: Vec<SpanReport>,
    /// Requests, the writer's operations, the SQL statements, what runs in the background.
    pub phases: PhaseReport,
    /// Log lines that did not reach the log file.
    pub dropped_log_lines: u64,
    /// Bytes that the recorder holds.
    pub recorder_bytes: usize,
    /// What became of the traces, where they are exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<OtlpReport>,
    /// Bytes that the flight recorder holds.
    pub flight_bytes: usize,
    /// The program, its configuration and the machine.
    pub about: About,
}

/// The wall time of one instrumented function, from its span's creation to its close.
#[derive(Debug, Clone, Serialize)]
pub struct SpanReport {
    /// The function's name.
    pub span: String,
    /// Its times, in microseconds.
    #[serde(flatten)]
    pub wall: Summary,
}

/// What the recorder knows of a window.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseReport {
    /// Requests by method and path, the largest total first.
    pub routes: Vec<RouteReport>,
    /// The writer's operations, the one that used most of the writer first.
    pub operations: Vec<OperationReport>,
    /// SQL statements, the one with the largest total first.
    pub statements: Vec<StatementReport>,
    /// What runs in the background, the largest total first.
    pub tasks: Vec<TaskReport>,
    /// Commands per batch (a number, not a time).
    pub batch_size: Summary,
    /// Who holds the writer now.
    pub writer: WriterReport,
}

/// The requests of one route, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct RouteReport {
    /// Method and path with placeholders.
    pub route: String,
    /// How many requests.
    pub count: u64,
    /// Of all since the start: answered with a status from 500 on.
    pub failed: u64,
    /// Until the head of the answer was there.
    pub wall: Summary,
    /// In which a thread worked on it.
    pub busy: Summary,
    /// In which it waited for a read connection, of those that needed one.
    pub read_wait: Summary,
}

/// One operation's phases, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct OperationReport {
    /// The command's name, for example `complete_job`.
    pub operation: String,
    /// How many commands.
    pub count: u64,
    /// Of all since the start: their batch was not committed.
    pub failed: u64,
    /// From submitting to the reply.
    pub whole: Summary,
    /// From submitting to being taken up by the writer.
    pub queue_wait: Summary,
    /// The whole BEGIN of its batch.
    pub begin_latency: Summary,
    /// Its share of BEGIN.
    pub begin_cost: Summary,
    /// The others of its batch were carried out.
    pub batch_wait: Summary,
    /// Its own work inside the transaction.
    pub execute: Summary,
    /// The whole COMMIT of its batch.
    pub commit_latency: Summary,
    /// Its share of COMMIT.
    pub commit_cost: Summary,
    /// What the parts leave of the whole, in total.
    pub unaccounted_us: f64,
}

/// One statement's times, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct StatementReport {
    /// The statement's stable id.
    pub statement: String,
    /// Rows that it read or changed, since the start.
    pub rows: u64,
    /// Rows per call, since the start.
    pub rows_per_call: f64,
    /// Its share of the time of all statements in the window, from 0 to 1.
    pub share: f64,
    /// How long it took.
    pub elapsed: Summary,
    /// Rows that its calls went through in a table without an index (a number, not a
    /// time), of the calls that did. Only the writer's statements are watched.
    #[serde(skip_serializing_if = "Summary::is_empty")]
    pub scanned: Summary,
}

/// Something in the background, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct TaskReport {
    /// What it is.
    pub task: String,
    /// How long it took.
    pub elapsed: Summary,
}

/// Nanoseconds to a microsecond, the unit of every report.
const MICROS: f64 = 1e3;

/// Reads a window's series by operation and part.
struct Found<'w> {
    series: &'w HashMap<Key, Series>,
    kind: Kind,
    name: &'static str,
    /// Its calls since the start.
    calls: u64,
    /// Whether the summaries have their buckets.
    buckets: bool,
}

impl Found<'_> {
    fn series(&self, part: Part) -> Option<&Series> {
        let (kind, name) = (self.kind, self.name);
        self.series.get(&Key { kind, name, part })
    }

    fn summary(&self, part: Part) -> Summary {
        let Some(series) = self.series(part) else {
            return Summary::default();
        };
        let summary = series.summary(MICROS);
        if self.buckets {
            summary.with_buckets(&series.histogram(), MICROS)
        } else {
            summary
        }
    }

    fn total_us(&self, part: Part) -> f64 {
        self.series(part)
            .map_or(0.0, |series| series.sum() as f64 / MICROS)
    }
}

impl PhaseReport {
    /// What came in a window, with the buckets of every series if they are wanted, and the
    /// writer as it is now.
    pub fn of(lately: &Lately, writer: WriterReport, buckets: bool) -> Self {
        let series = &lately.series;
        let each_of = |kind| Every {
            series,
            kind,
            buckets,
        };
        let mut routes = each(each_of(Kind::Route), route);
        routes.sort_by(|a, b| b.wall.total.total_cmp(&a.wall.total));
        let mut operations = each(each_of(Kind::Command), operation);
        operations.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        let mut statements = each(each_of(Kind::Statement), statement);
        statements.sort_by(|a, b| b.elapsed.total.total_cmp(&a.elapsed.total));
        let all: f64 = statements.iter().map(|one| one.elapsed.total).sum();
        for one in &mut statements {
            one.share = if all > 0.0 {
                one.elapsed.total / all
            } else {
                0.0
            };
        }
        let mut tasks = each(each_of(Kind::Task), |found, _| TaskReport {
            task: found.name.to_owned(),
            elapsed: found.summary(Part::Whole),
        });
        tasks.retain(|one| one.task != phase::BATCH_SIZE);
        tasks.sort_by(|a, b| b.elapsed.total.total_cmp(&a.elapsed.total));
        let sizes = Key {
            kind: Kind::Task,
            name: phase::BATCH_SIZE,
            part: Part::Whole,
        };
        Self {
            routes,
            operations,
            statements,
            tasks,
            batch_size: series
                .get(&sizes)
                .map_or_else(Summary::default, |sizes| sizes.summary(1.0)),
            writer,
        }
    }
}

/// The operations of a kind in a window.
struct Every<'w> {
    series: &'w HashMap<Key, Series>,
    kind: Kind,
    buckets: bool,
}

/// What `make` says of each operation of a kind that has something in the window.
fn each<T>(every: Every<'_>, make: impl Fn(&Found<'_>, Counts) -> T) -> Vec<T> {
    let Every {
        series,
        kind,
        buckets,
    } = every;
    let mut counts = Vec::new();
    visit(kind, |name, operation| {
        let calls = operation.get(Part::Whole).map_or(0, Series::count);
        counts.push((name, operation.counts, calls));
    });
    counts
        .into_iter()
        .filter_map(|(name, counts, calls)| {
            let found = Found {
                series,
                kind,
                name,
                calls,
                buckets,
            };
            found.series(Part::Whole)?;
            Some(make(&found, counts))
        })
        .collect()
}

fn route(found: &Found<'_>, counts: Counts) -> RouteReport {
    let wall = found.summary(Part::Whole);
    RouteReport {
        route: found.name.to_owned(),
        count: wall.count,
        failed: counts.statuses[4],
        wall,
        busy: found.summary(Part::Busy),
        read_wait: found.summary(Part::ReadWait),
    }
}

fn operation(found: &Found<'_>, counts: Counts) -> OperationReport {
    let whole = found.summary(Part::Whole);
    let parts = [
        Part::QueueWait,
        Part::BeginLatency,
        Part::BatchWait,
        Part::Execute,
        Part::CommitLatency,
    ];
    let accounted: f64 = parts.into_iter().map(|part| found.total_us(part)).sum();
    OperationReport {
        operation: found.name.to_owned(),
        count: whole.count,
        failed: counts.failed,
        unaccounted_us: (whole.total - accounted).max(0.0),
        whole,
        queue_wait: found.summary(Part::QueueWait),
        begin_latency: found.summary(Part::BeginLatency),
        begin_cost: found.summary(Part::BeginCost),
        batch_wait: found.summary(Part::BatchWait),
        execute: found.summary(Part::Execute),
        commit_latency: found.summary(Part::CommitLatency),
        commit_cost: found.summary(Part::CommitCost),
    }
}

fn statement(found: &Found<'_>, counts: Counts) -> StatementReport {
    StatementReport {
        statement: found.name.to_owned(),
        rows: counts.rows,
        rows_per_call: counts.rows as f64 / found.calls.max(1) as f64,
        share: 0.0,
        elapsed: found.summary(Part::Whole),
        scanned: found
            .series(Part::Scanned)
            .map_or_else(Summary::default, |rows| rows.summary(1.0)),
    }
}

/// The writer's time that an operation used: what sorting is about.
fn weight(operation: &OperationReport) -> f64 {
    operation.execute.total + operation.begin_cost.total + operation.commit_cost.total
}
