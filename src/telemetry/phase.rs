//! Where the time of a write goes: histograms without spans, always on.
//!
//! The writer tells, per command, how long it queued and how long it executed, and,
//! per batch, how long BEGIN and COMMIT took. Begin and commit are kept twice: as
//! *latency* each command of a batch counts the whole (that is how long its caller
//! waited), as *cost* the batch's commands share it (that sums to the disk's time).
//! Statements are timed under a stable id, and the board says who holds the writer
//! now.
//!
//! The state is process-global: there is one writer, and call sites stay plain
//! function calls. Each histogram has a lock of its own that is held for one record.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer durations count as this one, so that nothing vanishes.
const LONGEST: Duration = Duration::from_secs(600);

static PHASES: LazyLock<Phases> = LazyLock::new(Phases::default);

#[derive(Default)]
struct Phases {
    operations: Table<Operation>,
    statements: Table<Series>,
    batch_size: Mutex<Series>,
    holder: Mutex<Option<Holder>>,
    queued: AtomicUsize,
}

/// One entry per name; the names are constants of the program, so it stays small.
type Table<T> = RwLock<HashMap<&'static str, Arc<Mutex<T>>>>;

#[derive(Default, Clone)]
struct Operation {
    queue_wait: Series,
    begin_latency: Series,
    begin_cost: Series,
    execute: Series,
    commit_latency: Series,
    commit_cost: Series,
}

struct Holder {
    operations: Vec<(&'static str, u64)>,
    since: Instant,
}

/// A histogram with the exact sum and maximum beside it.
#[derive(Clone)]
struct Series {
    histogram: Histogram<u64>,
    sum: u128,
    max: u64,
}

impl Default for Series {
    fn default() -> Self {
        // Two digits; grows with what it sees, so a fast operation stays at a few KiB.
        let mut histogram = Histogram::new_with_bounds(1, 1 << 16, 2)
            .unwrap_or_else(|error| unreachable!("these bounds are valid: {error}"));
        histogram.auto(true);
        Self {
            histogram,
            sum: 0,
            max: 0,
        }
    }
}

impl Series {
    fn add(&mut self, value: u64, times: u64) {
        // Cannot fail: the histogram grows by itself, and no value is near 2^63.
        let _ = self.histogram.record_n(value, times);
        self.sum += u128::from(value) * u128::from(times);
        self.max = self.max.max(value);
    }

    fn add_duration(&mut self, elapsed: Duration, times: u64) {
        self.add(nanos(elapsed), times);
    }

    /// The figures, each divided by `unit` (1,000 turns nanoseconds into µs).
    fn summary(&self, unit: f64) -> Summary {
        Summary::of(&self.histogram, self.sum as f64, self.max, unit)
    }
}

fn nanos(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.min(LONGEST).as_nanos()).unwrap_or(u64::MAX)
}

/// The usual figures of one histogram, in microseconds unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// How many values were recorded.
    pub count: u64,
    /// Their sum.
    pub total: f64,
    /// Their arithmetic mean.
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
}

impl Summary {
    /// Reads a histogram; `unit` is how many of its units make one of the report's.
    pub fn of(histogram: &Histogram<u64>, sum: f64, max: u64, unit: f64) -> Self {
        let count = histogram.len();
        if count == 0 {
            return Self::default();
        }
        // A bucket's upper edge may lie above what was seen: two digits only.
        let at = |quantile| histogram.value_at_quantile(quantile).min(max) as f64 / unit;
        Self {
            count,
            total: sum / unit,
            mean: sum / count as f64 / unit,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: max as f64 / unit,
        }
    }
}

/// Everything this module knows, as `/debug/timings` and a dump show it.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseReport {
    /// The writer's operations, the one with the largest sum of all phases first.
    pub operations: Vec<OperationReport>,
    /// SQL statements, the one with the largest total first.
    pub statements: Vec<StatementReport>,
    /// Commands per batch (a number, not a time).
    pub batch_size: Summary,
    /// Who holds the writer now.
    pub writer: WriterReport,
}

/// One operation's phases, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct OperationReport {
    /// The command's name, for example `complete_job`.
    pub operation: String,
    /// How many commands.
    pub count: u64,
    /// From submitting to being taken up by the writer.
    pub queue_wait: Summary,
    /// The whole BEGIN of its batch.
    pub begin_latency: Summary,
    /// Its share of BEGIN.
    pub begin_cost: Summary,
    /// Its own work inside the transaction.
    pub execute: Summary,
    /// The whole COMMIT of its batch.
    pub commit_latency: Summary,
    /// Its share of COMMIT.
    pub commit_cost: Summary,
}

/// One statement's times, in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct StatementReport {
    /// The statement's stable id.
    pub statement: String,
    /// How long it took.
    pub elapsed: Summary,
}

/// The state of the writer at the time of the report.
#[derive(Debug, Clone, Serialize)]
pub struct WriterReport {
    /// The batch that holds the writer, by operation; empty when it is idle.
    pub holder: Vec<HolderReport>,
    /// Since when, in microseconds; 0 when it is idle.
    pub held_for_us: f64,
    /// How many commands wait.
    pub queued: usize,
}

/// A part of the batch that holds the writer.
#[derive(Debug, Clone, Serialize)]
pub struct HolderReport {
    /// The operation's name.
    pub operation: String,
    /// How many of it are in the batch.
    pub count: u64,
}

/// Records one command: its time in the queue, and its execution.
pub fn command(op: &'static str, queue_wait: Duration, execute: Duration) {
    let operation = entry(&PHASES.operations, op);
    let mut operation = lock(&operation);
    operation.queue_wait.add_duration(queue_wait, 1);
    operation.execute.add_duration(execute, 1);
}

/// Records one batch: the names of its commands, and how long BEGIN and COMMIT took.
pub fn batch(ops: &[&'static str], begin: Duration, commit: Duration) {
    let Ok(size) = u32::try_from(ops.len()) else {
        return;
    };
    if size == 0 {
        return;
    }
    lock(&PHASES.batch_size).add(u64::from(size), 1);
    for (op, count) in grouped(ops) {
        let operation = entry(&PHASES.operations, op);
        let mut operation = lock(&operation);
        operation.begin_latency.add_duration(begin, count);
        operation.begin_cost.add_duration(begin / size, count);
        operation.commit_latency.add_duration(commit, count);
        operation.commit_cost.add_duration(commit / size, count);
    }
}

/// Records one SQL statement under its stable id.
pub fn statement(id: &'static str, elapsed: Duration) {
    lock(&entry(&PHASES.statements, id)).add_duration(elapsed, 1);
}

/// Puts a batch on the board: these commands hold the writer from now on.
pub fn writer_holds(ops: &[&'static str]) {
    *lock(&PHASES.holder) = Some(Holder {
        operations: grouped(ops),
        since: Instant::now(),
    });
}

/// A batch in words: `2 start_job, 1 complete_job`.
pub fn composition(ops: &[&'static str]) -> String {
    let parts: Vec<String> = grouped(ops)
        .into_iter()
        .map(|(operation, count)| format!("{count} {operation}"))
        .collect();
    parts.join(", ")
}

/// Clears the board: nobody holds the writer.
pub fn writer_idle() {
    *lock(&PHASES.holder) = None;
}

/// Notes how many commands wait for the writer.
pub fn writer_queue(len: usize) {
    PHASES.queued.store(len, Ordering::Relaxed);
}

/// What was recorded since the start. Copies each histogram under its lock and
/// computes outside of it; nothing is reset.
pub fn report() -> PhaseReport {
    let mut operations: Vec<OperationReport> = snapshot(&PHASES.operations)
        .into_iter()
        .map(|(name, operation)| operation_report(name, &operation))
        .collect();
    operations.sort_by(|a, b| weight(b).total_cmp(&weight(a)));

    let mut statements: Vec<StatementReport> = snapshot(&PHASES.statements)
        .into_iter()
        .map(|(id, series)| StatementReport {
            statement: id.to_owned(),
            elapsed: series.summary(1e3),
        })
        .collect();
    statements.sort_by(|a, b| b.elapsed.total.total_cmp(&a.elapsed.total));

    let batch_size = lock(&PHASES.batch_size).clone();
    PhaseReport {
        operations,
        statements,
        batch_size: batch_size.summary(1.0),
        writer: writer_report(),
    }
}

fn operation_report(name: &str, operation: &Operation) -> OperationReport {
    OperationReport {
        operation: name.to_owned(),
        count: operation.execute.histogram.len(),
        queue_wait: operation.queue_wait.summary(1e3),
        begin_latency: operation.begin_latency.summary(1e3),
        begin_cost: operation.begin_cost.summary(1e3),
        execute: operation.execute.summary(1e3),
        commit_latency: operation.commit_latency.summary(1e3),
        commit_cost: operation.commit_cost.summary(1e3),
    }
}

/// The writer's time that an operation used: what sorting is about.
fn weight(operation: &OperationReport) -> f64 {
    operation.execute.total + operation.begin_cost.total + operation.commit_cost.total
}

fn writer_report() -> WriterReport {
    let holder = lock(&PHASES.holder);
    WriterReport {
        held_for_us: holder
            .as_ref()
            .map_or(0.0, |held| held.since.elapsed().as_secs_f64() * 1e6),
        holder: holder
            .iter()
            .flat_map(|held| &held.operations)
            .map(|&(operation, count)| HolderReport {
                operation: operation.to_owned(),
                count,
            })
            .collect(),
        queued: PHASES.queued.load(Ordering::Relaxed),
    }
}

/// Counts equal names. A batch has few distinct ones, so a scan beats a map.
fn grouped(ops: &[&'static str]) -> Vec<(&'static str, u64)> {
    let mut groups: Vec<(&'static str, u64)> = Vec::new();
    for &op in ops {
        match groups.iter_mut().find(|(name, _)| *name == op) {
            Some((_, count)) => *count += 1,
            None => groups.push((op, 1)),
        }
    }
    groups
}

fn entry<T: Default>(table: &Table<T>, name: &'static str) -> Arc<Mutex<T>> {
    let known = table.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(name) {
        return Arc::clone(found);
    }
    drop(known);
    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(table.entry(name).or_default())
}

fn snapshot<T: Clone>(table: &Table<T>) -> Vec<(&'static str, T)> {
    let known: Vec<(&'static str, Arc<Mutex<T>>)> = {
        let table = table.read().unwrap_or_else(PoisonError::into_inner);
        table
            .iter()
            .map(|(name, one)| (*name, Arc::clone(one)))
            .collect()
    };
    known
        .into_iter()
        .map(|(name, one)| (name, lock(&one).clone()))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(name: &str) -> OperationReport {
        let report = report();
        let mut found = report
            .operations
            .into_iter()
            .filter(|o| o.operation == name);
        found.next().unwrap()
    }

    /// Latency counts the whole for each command, cost shares it.
    #[test]
    fn a_batch_is_shared_as_cost_and_whole_as_latency() {
        let ops = [
            "phase_test_a",
            "phase_test_a",
            "phase_test_b",
            "phase_test_a",
        ];
        for op in ops {
            command(op, Duration::from_micros(10), Duration::from_micros(5));
        }
        batch(&ops, Duration::from_micros(8), Duration::from_millis(4));

        let (a, b) = (operation("phase_test_a"), operation("phase_test_b"));
        assert_eq!((a.count, b.count), (3, 1));
        assert_eq!(a.commit_latency.total, 12_000.0);
        assert_eq!(a.commit_cost.total + b.commit_cost.total, 4_000.0);
        assert_eq!(a.begin_latency.max, 8.0);
        assert_eq!(b.begin_cost.mean, 2.0);
        assert_eq!(a.queue_wait.mean, 10.0);
        assert_eq!(a.execute.p999, 5.0);
    }

    #[test]
    fn a_very_long_statement_counts_as_ten_minutes() {
        statement("phase_test.long", Duration::from_secs(1_000_000));
        statement("phase_test.long", Duration::from_nanos(1));
        let report = report();
        let mut statements = report.statements.iter();
        let long = statements
            .find(|one| one.statement == "phase_test.long")
            .unwrap();
        assert_eq!(long.elapsed.count, 2);
        assert_eq!(long.elapsed.max, 600e6);
    }

    #[test]
    fn the_board_names_the_holder() {
        writer_queue(7);
        writer_holds(&["create_jobs", "complete_job", "complete_job"]);
        let writer = report().writer;
        assert_eq!(writer.queued, 7);
        assert!(writer.held_for_us > 0.0);
        let holder: Vec<_> = writer
            .holder
            .iter()
            .map(|h| (&*h.operation, h.count))
            .collect();
        assert_eq!(holder, [("create_jobs", 1), ("complete_job", 2)]);
        writer_idle();
        assert!(report().writer.holder.is_empty());
    }

    /// Keys as the report promises them.
    #[test]
    fn the_summary_spells_its_percentiles() {
        let json = serde_json::to_value(Summary::default()).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        let expected = [
            "count", "max", "mean", "p50", "p90", "p99", "p99.9", "total",
        ];
        assert_eq!(keys, expected);
    }
}
