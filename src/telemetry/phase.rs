//! Where the time of a write goes: recorded here, without spans, always on.
//!
//! The writer tells of each command how long it queued, what it waited for in its batch
//! and how long its own work took, and of each batch how long BEGIN and COMMIT were. Those
//! are kept twice: as *latency* each command of a batch counts the whole (that is how long
//! its caller waited), as *cost* the batch's commands share it (that sums to the disk's
//! time). Statements are timed under a stable id, wherever they run, and so are the few
//! functions that run too often for a span each.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::Duration;

use super::recorder::{self, Kind, Operation, Part};
use super::request;
use crate::clock::Tick;

static BATCHES: OnceLock<fn(&BatchTrace)> = OnceLock::new();
static TASKS: OnceLock<fn(&'static str, Duration)> = OnceLock::new();

/// What moves a job, or a set of jobs, to another status.
pub const UPDATE_JOB_STATUS: &str = "update_job_status";

/// Functions that are recorded here. They run several times for each job, inside of a
/// command, and the histogram of a span would cost as much as what they do.
pub const FUNCTIONS: [&str; 1] = [UPDATE_JOB_STATUS];

/// Under which the sizes of batches are kept (numbers, not times).
pub const BATCH_SIZE: &str = "batch_size";

thread_local! {
    /// The statements of the command that this thread carries out.
    static COMMAND: RefCell<Option<Vec<StatementTotal>>> = const { RefCell::new(None) };
    /// The room that the statements of the last command had.
    static ROOM: RefCell<Vec<StatementTotal>> = const { RefCell::new(Vec::new()) };
}

/// Where the time of one command went. The parts are what was measured; what they leave of
/// the whole is shown as unaccounted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// From submitting to being taken up by the writer.
    pub queue_wait: Duration,
    /// BEGIN of its batch.
    pub begin: Duration,
    /// The other commands of its batch were carried out.
    pub batch_wait: Duration,
    /// Its own work inside of the transaction.
    pub execute: Duration,
    /// COMMIT of its batch; zero if there was nothing to commit.
    pub commit: Duration,
    /// From submitting to its reply.
    pub whole: Duration,
}

impl Phases {
    /// What the parts leave of the whole.
    pub fn unaccounted(&self) -> Duration {
        let parts = self.queue_wait + self.begin + self.batch_wait + self.execute + self.commit;
        self.whole.saturating_sub(parts)
    }
}

/// What was done of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementTotal {
    /// The statement.
    pub id: &'static str,
    /// How often it ran.
    pub calls: u32,
    /// Rows that it read or changed.
    pub rows: u64,
    /// How long it took, all calls together.
    pub elapsed: Duration,
}

impl StatementTotal {
    /// Adds a call to a list with one entry per statement.
    pub fn add(list: &mut Vec<Self>, id: &'static str, rows: u64, elapsed: Duration) {
        match list.iter_mut().find(|total| std::ptr::eq(total.id, id)) {
            Some(total) => {
                total.calls = total.calls.saturating_add(1);
                total.rows += rows;
                total.elapsed += elapsed;
            }
            None => list.push(Self {
                id,
                calls: 1,
                rows,
                elapsed,
            }),
        }
    }
}

/// One command, carried out and answered.
#[derive(Debug, Clone)]
pub struct CommandTrace {
    /// Its operation.
    pub name: &'static str,
    /// The batch it was in, counted from the start.
    pub batch: u64,
    /// Commands in that batch.
    pub batch_size: usize,
    /// When it was handed to the writer.
    pub submitted: Tick,
    /// Where its time went.
    pub phases: Phases,
    /// What it did.
    pub statements: Box<[StatementTotal]>,
    /// It was committed: neither refused nor in a batch that failed.
    pub committed: bool,
    /// It was refused, and its batch committed without it.
    pub refused: bool,
}

/// One batch of the writer.
#[derive(Debug)]
pub struct BatchTrace<'b> {
    /// Its number, counted from the start.
    pub number: u64,
    /// When the writer took it up.
    pub taken: Tick,
    /// Its operations.
    pub operations: &'b [&'static str],
    /// For each of them the request that it was for, and its own work.
    pub done: &'b [(Option<u64>, Duration)],
    /// Its BEGIN.
    pub begin: Duration,
    /// All of its commands together.
    pub execute: Duration,
    /// Its COMMIT.
    pub commit: Duration,
}

/// Has every batch shown to `listener`, once for the process.
pub fn on_batch(listener: fn(&BatchTrace<'_>)) {
    // Set twice only by servers that share a process, with the same function.
    let _ = BATCHES.set(listener);
}

/// Has every run of background work told to `listener` when it ends, once for the process.
pub fn on_task(listener: fn(&'static str, Duration)) {
    // Set twice only by servers that share a process, with the same function.
    let _ = TASKS.set(listener);
}

/// Records the commands of a batch, when they are about to be answered.
pub fn commands<'t>(traces: impl Iterator<Item = &'t CommandTrace>) {
    if !recorder::is_on() {
        return;
    }
    let mut traces: Vec<&CommandTrace> = traces.collect();
    traces.sort_unstable_by_key(|trace| trace.name.as_ptr());
    for alike in traces.chunk_by(|one, next| shared(one) == shared(next)) {
        recorder::record(Kind::Command, alike[0].name, |operation| {
            commands_alike(operation, alike);
        });
    }
}

/// What the commands of one operation have in common that were in one batch.
fn shared(trace: &CommandTrace) -> (*const u8, Duration, Duration, usize) {
    let Phases { begin, commit, .. } = trace.phases;
    (trace.name.as_ptr(), begin, commit, trace.batch_size)
}

fn commands_alike(operation: &mut Operation, alike: &[&CommandTrace]) {
    let mut each = |part, of: fn(&Phases) -> Duration| {
        let series = operation.part(part);
        for trace in alike {
            series.add_duration(of(&trace.phases), 1);
        }
    };
    each(Part::Whole, |phases| phases.whole);
    each(Part::QueueWait, |phases| phases.queue_wait);
    each(Part::BatchWait, |phases| phases.batch_wait);
    each(Part::Execute, |phases| phases.execute);
    let Phases { begin, commit, .. } = alike[0].phases;
    let size = u32::try_from(alike[0].batch_size)
        .unwrap_or(u32::MAX)
        .max(1);
    let times = alike.len() as u64;
    let mut add = |part, elapsed| operation.part(part).add_duration(elapsed, times);
    add(Part::BeginLatency, begin);
    add(Part::BeginCost, begin / size);
    // A refusal that nobody shared a batch with has none, and says nothing of the disk.
    if !commit.is_zero() {
        add(Part::CommitLatency, commit);
        add(Part::CommitCost, commit / size);
    }
    let failed = alike.iter().filter(|one| !one.committed && !one.refused);
    operation.counts.failed += failed.count() as u64;
}

/// Records one committed batch.
pub fn batch(trace: &BatchTrace<'_>) {
    let size = trace.operations.len() as u64;
    recorder::record(Kind::Task, BATCH_SIZE, |operation| {
        operation.part(Part::Whole).add(size, 1);
    });
    if let Some(listener) = BATCHES.get() {
        listener(trace);
    }
}

/// Runs a command's work; answers what its statements did beside it.
pub fn in_command<R>(work: impl FnOnce() -> R) -> (R, Box<[StatementTotal]>) {
    if !recorder::is_on() {
        return (work(), Box::default());
    }
    let outer = COMMAND.replace(Some(ROOM.take()));
    let done = work();
    let mut noted = COMMAND.replace(outer).unwrap_or_default();
    let statements = noted.as_slice().into();
    noted.clear();
    ROOM.set(noted);
    (done, statements)
}

/// Records one SQL statement under its stable id: for the command that this thread carries
/// out, else for the request that it works on.
pub fn statement(id: &'static str, rows: u64, elapsed: Duration) {
    if !recorder::is_on() {
        return;
    }
    recorder::record(Kind::Statement, id, |operation| {
        operation.part(Part::Whole).add_duration(elapsed, 1);
        operation.counts.rows += rows;
    });
    let in_command = COMMAND.with_borrow_mut(|command| {
        command
            .as_mut()
            .map(|list| StatementTotal::add(list, id, rows, elapsed))
            .is_some()
    });
    if !in_command {
        request::statement(id, rows, elapsed);
    }
}

/// Records that a call of a statement went through so many rows of a table without an
/// index to tell it which. Nothing is recorded of calls that did not.
pub fn scanned(id: &'static str, rows: u64) {
    if rows > 0 {
        recorder::record(Kind::Statement, id, |operation| {
            operation.part(Part::Scanned).add(rows, 1);
        });
    }
}

/// Records a run of a function that has no histogram by its span, see [`FUNCTIONS`].
pub fn function(name: &'static str, elapsed: Duration) {
    debug_assert!(FUNCTIONS.contains(&name), "{name} is recorded twice");
    recorder::record(Kind::Function, name, |operation| {
        operation.part(Part::Whole).add_duration(elapsed, 1);
    });
}

/// Records a part of what requests do under a name of its own. It is in the histograms
/// alone: a trace shows the requests.
pub fn part(name: &'static str, elapsed: Duration) {
    recorder::record(Kind::Task, name, |operation| {
        operation.part(Part::Whole).add_duration(elapsed, 1);
    });
}

/// Records a run of something that goes on in the background.
pub fn task(name: &'static str, elapsed: Duration) {
    part(name, elapsed);
    if let Some(listener) = TASKS.get() {
        listener(name, elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(name: &'static str, batch_size: usize, phases: Phases) -> CommandTrace {
        CommandTrace {
            name,
            batch: 1,
            batch_size,
            submitted: Tick::now(),
            phases,
            statements: Box::default(),
            committed: true,
            refused: false,
        }
    }

    fn total(name: &'static str, part: Part) -> u128 {
        let mut total = 0;
        recorder::record(Kind::Command, name, |operation| {
            total = operation.part(part).sum();
        });
        total
    }

    /// Latency counts the whole for each command, cost shares it.
    #[test]
    fn a_batch_is_shared_as_cost_and_whole_as_latency() {
        let phases = Phases {
            queue_wait: Duration::from_micros(10),
            begin: Duration::from_micros(8),
            batch_wait: Duration::from_micros(15),
            execute: Duration::from_micros(5),
            commit: Duration::from_millis(4),
            whole: Duration::from_micros(4_050),
        };
        assert_eq!(phases.unaccounted(), Duration::from_micros(12));
        let (a, b) = ("phase_test_a", "phase_test_b");
        let batch = [a, a, b, a].map(|name| trace(name, 4, phases));
        commands(batch.iter());
        assert_eq!(total(a, Part::CommitLatency), 12_000_000);
        assert_eq!(
            total(a, Part::CommitCost) + total(b, Part::CommitCost),
            4_000_000
        );
        assert_eq!(total(b, Part::BeginCost), 2_000);
        assert_eq!(total(a, Part::QueueWait), 30_000);
    }

    /// The statements of a command are its own, and none of the request around it.
    #[test]
    fn statements_are_summed_by_command() {
        let ((), inner) = in_command(|| {
            statement("phase_test.read", 3, Duration::from_micros(2));
            let ((), nested) = in_command(|| {
                statement("phase_test.other", 1, Duration::from_micros(1));
            });
            assert_eq!(nested.len(), 1);
            statement("phase_test.read", 4, Duration::from_micros(5));
        });
        let [read] = &inner[..] else {
            panic!("{inner:?}");
        };
        assert_eq!((read.calls, read.rows), (2, 7));
        assert_eq!(read.elapsed, Duration::from_micros(7));
    }
}
