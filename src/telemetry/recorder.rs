//! The recorder: every operation's histograms, without spans, always on.
//!
//! *Routes* are HTTP requests by method and path, *commands* what the writer carries out,
//! *statements* SQL under a stable id, *tasks* what runs in the background. Each has a
//! [`Series`] per [`Part`] of its time. Here they are kept and named; `phase` and `request`
//! record, [`history`] tells what came in the last seconds, minutes, or since a mark.
//!
//! The state is process-global: call sites stay plain function calls. Each operation has a
//! lock of its own that is held for one record.

pub mod history;
pub mod window;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Serialize;

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
    /// Its series. A handful, so a scan beats a map.
    parts: Vec<(Part, Series)>,
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
        let at = self.parts.iter().position(|(each, _)| *each == part);
        let at = at.unwrap_or_else(|| {
            self.parts.push((part, Series::default()));
            self.parts.len() - 1
        });
        &mut self.parts[at].1
    }

    /// The series of a part, if anything was recorded.
    pub fn get(&self, part: Part) -> Option<&Series> {
        self.parts
            .iter()
            .find_map(|(each, series)| (*each == part).then_some(series))
    }

    /// All series.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &Series)> {
        self.parts.iter().map(|(part, series)| (*part, series))
    }
}

/// One entry per name; the names are constants of the program, so it stays small.
type Table = RwLock<HashMap<&'static str, Arc<Mutex<Operation>>>>;

static BOOK: LazyLock<[Table; 4]> = LazyLock::new(Default::default);
static OFF: AtomicBool = AtomicBool::new(false);

/// Operations by where their names lie. A constant may lie in several places; all of them
/// lead to one operation.
type Known = HashMap<(usize, usize), Arc<Mutex<Operation>>, BuildHasherDefault<Address>>;

thread_local! {
    /// What this thread has recorded before: found without a lock, and without reading the
    /// name. Names are constants of the program, so it stays small.
    static KNOWN: RefCell<[Known; 4]> = RefCell::default();
}

/// Hashes addresses, which nobody chooses: one multiplication by the golden ratio will do.
#[derive(Default)]
struct Address(u64);

impl Hasher for Address {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
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
        let one = KNOWN.with_borrow_mut(|known| find_or_make(&mut known[at], &BOOK[at], name));
        record(&mut lock(&one));
    }
}

/// Every kind.
const KINDS: [Kind; 4] = [Kind::Route, Kind::Command, Kind::Statement, Kind::Task];

/// The operations of a kind.
fn known(kind: Kind) -> Vec<(&'static str, Arc<Mutex<Operation>>)> {
    let table = BOOK[kind as usize]
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    table
        .iter()
        .map(|(name, one)| (*name, Arc::clone(one)))
        .collect()
}

/// Visits each operation of a kind. Recording it waits meanwhile, so `see` copies what it
/// needs and works on that later.
pub fn visit(kind: Kind, mut see: impl FnMut(&'static str, &Operation)) {
    for (name, one) in known(kind) {
        see(name, &lock(&one));
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
    let (name, one) = {
        let table = BOOK[kind as usize]
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let (name, one) = table.get_key_value(name)?;
        (*name, Arc::clone(one))
    };
    let parts = lock(&one).parts().map(|(part, _)| part).collect();
    Some((name, parts))
}

/// What one record costs on this machine, in nanoseconds: measured beside the book, at the
/// first call, in less than a hundredth of a second.
pub fn cost_ns() -> f64 {
    static COST: LazyLock<f64> = LazyLock::new(|| {
        const RECORDS: u32 = 500;
        let (mut known, table) = (Known::default(), Table::default());
        // The best of some tries: others may want the processor meanwhile.
        let tries = (0..10).map(|_| {
            let start = Instant::now();
            for n in 0..RECORDS {
                let elapsed = Duration::from_nanos(1_000 + u64::from(n) * 97);
                let one = find_or_make(&mut known, &table, "cost");
                lock(&one).part(Part::Whole).add_duration(elapsed, 1);
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(RECORDS)
        });
        tries.fold(f64::INFINITY, f64::min)
    });
    *COST
}

/// The operation of this name, which this thread mostly knows.
fn find_or_make(known: &mut Known, table: &Table, name: &'static str) -> Arc<Mutex<Operation>> {
    let place = (name.as_ptr() as usize, name.len());
    Arc::clone(known.entry(place).or_insert_with(|| entry(table, name)))
}

fn entry(table: &Table, name: &'static str) -> Arc<Mutex<Operation>> {
    let known = table.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(name) {
        return Arc::clone(found);
    }
    drop(known);
    let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(table.entry(name).or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
