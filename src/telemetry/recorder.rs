//! The recorder: every operation's histograms, without spans, always on.
//!
//! *Routes* are HTTP requests by method and path, *commands* what the writer carries out,
//! *statements* SQL under a stable id, *functions* those of ours that run too often for a
//! span, *tasks* what runs in the background. Each has a [`Series`] per [`Part`] of its
//! time. Here they are kept and named; `phase` and `request`
//! record, [`history`] tells what came in the last seconds, minutes, or since a mark.
//!
//! The state is process-global: call sites stay plain function calls. Each operation has a
//! lock of its own that is held for one record.

pub mod history;
pub mod window;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::named::{Known, Named};
use super::series::Series;

/// What an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// HTTP requests of one method and path.
    Route,
    /// What the writer carries out.
    Command,
    /// One SQL statement.
    Statement,
    /// A function that is recorded without a span.
    Function,
    /// What runs in the background.
    Task,
}

/// Which part of an operation's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it: for a route until the head of the answer, for a command until its reply.
    Whole,
    /// Of a route: its thread worked on it.
    Busy,
    /// Of a route: it waited for a read connection.
    ReadWait,
    /// Of a command: until the writer took it up.
    QueueWait,
    /// Of a command: the whole BEGIN of its batch.
    BeginLatency,
    /// Of a command: its share of BEGIN.
    BeginCost,
    /// Of a command: the others of its batch were carried out.
    BatchWait,
    /// Of a command: its own work inside of the transaction.
    Execute,
    /// Of a command: the whole COMMIT of its batch.
    CommitLatency,
    /// Of a command: its share of COMMIT.
    CommitCost,
    /// Of a statement: rows that a call went through in a table without an index (numbers,
    /// not times; calls that did not are not counted).
    Scanned,
}

/// Every part, in the order of its number.
const PARTS: [Part; 11] = [
    Part::Whole,
    Part::Busy,
    Part::ReadWait,
    Part::QueueWait,
    Part::BeginLatency,
    Part::BeginCost,
    Part::BatchWait,
    Part::Execute,
    Part::CommitLatency,
    Part::CommitCost,
    Part::Scanned,
];

/// Names one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What the operation is.
    pub kind: Kind,
    /// How it is called.
    pub name: &'static str,
    /// Which part of its time.
    pub part: Part,
}

/// What is kept of one operation.
#[derive(Clone, Default)]
pub struct Operation {
    /// Its series, each in the place of its part; side by side, since a record mostly adds to
    /// several.
    parts: [Option<Series>; PARTS.len()],
    /// What is only counted.
    pub counts: Counts,
}

/// What is counted of an operation, since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Rows that a statement read or changed.
    pub rows: u64,
    /// Commands that were not committed.
    pub failed: u64,
    /// Requests by the first digit of their status, 1 to 5.
    pub statuses: [u64; 5],
}

impl Operation {
    /// The series of a part, made if need be.
    pub fn part(&mut self, part: Part) -> &mut Series {
        self.parts[part as usize].get_or_insert_default()
    }

    /// The series of a part, if anything was recorded.
    pub fn get(&self, part: Part) -> Option<&Series> {
        self.parts[part as usize].as_ref()
    }

    /// All series.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &Series)> {
        let all = PARTS.into_iter().zip(&self.parts);
        all.filter_map(|(part, series)| Some((part, series.as_ref()?)))
    }
}

static BOOK: LazyLock<[Named<Mutex<Operation>>; KINDS.len()]> = LazyLock::new(Default::default);
static OFF: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What this thread has recorded before.
    static KNOWN: RefCell<[Known<Mutex<Operation>>; KINDS.len()]> = RefCell::default();
}

/// Records nothing from now on (`--timing off`): what that costs can be measured.
pub fn turn_off() {
    OFF.store(true, Ordering::Relaxed);
}

/// Whether anything is recorded.
pub fn is_on() -> bool {
    !OFF.load(Ordering::Relaxed)
}

/// The operation of this name, locked for one record by `record`.
pub fn record(kind: Kind, name: &'static str, record: impl FnOnce(&mut Operation)) {
    if is_on() {
        let at = kind as usize;
        let one = KNOWN.with_borrow_mut(|known| BOOK[at].get(&mut known[at], name));
        record(&mut lock(one));
    }
}

/// Every kind.
const KINDS: [Kind; 5] = [
    Kind::Route,
    Kind::Command,
    Kind::Statement,
    Kind::Function,
    Kind::Task,
];

/// Visits each operation of a kind. Recording it waits meanwhile, so `see` copies what it
/// needs and works on that later.
pub fn visit(kind: Kind, mut see: impl FnMut(&'static str, &Operation)) {
    for (name, one) in BOOK[kind as usize].all() {
        see(name, &lock(one));
    }
}

/// Each series of which `changed` says so, with its key; as they are now.
fn series(changed: impl Fn(&Key, &Series) -> bool) -> Vec<(Key, Series)> {
    let mut found = Vec::new();
    for kind in KINDS {
        visit(kind, |name, operation| {
            for (part, series) in operation.parts() {
                let key = Key { kind, name, part };
                if changed(&key, series) {
                    found.push((key, series.clone()));
                }
            }
        });
    }
    found
}

/// The parts that were recorded of an operation, with its name as it is kept; none if
/// nothing was recorded under that name.
pub fn find(kind: Kind, name: &str) -> Option<(&'static str, Vec<Part>)> {
    let (name, one) = BOOK[kind as usize].find(name)?;
    let parts = lock(one).parts().map(|(part, _)| part).collect();
    Some((name, parts))
}

/// What one record costs on this machine, in nanoseconds: measured beside the book, at the
/// first call, in less than a hundredth of a second.
pub fn cost_ns() -> f64 {
    static COST: LazyLock<f64> = LazyLock::new(|| {
        const RECORDS: u32 = 500;
        let (mut known, book) = (Known::default(), Named::<Mutex<Operation>>::default());
        // The best of some tries: others may want the processor meanwhile.
        let tries = (0..10).map(|_| {
            let start = Instant::now();
            for n in 0..RECORDS {
                let elapsed = Duration::from_nanos(1_000 + u64::from(n) * 97);
                let one = book.get(&mut known, "cost");
                lock(one).part(Part::Whole).add_duration(elapsed, 1);
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(RECORDS)
        });
        tries.fold(f64::INFINITY, f64::min)
    });
    *COST
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
