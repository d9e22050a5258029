//! Which tasks there are now, and what they are called.
//!
//! The runtime's hooks tell of every task that is spawned and of its end, by number alone.
//! The name is left on the spawning thread for the moment in which the hook runs, so a
//! task is known before its first poll and forgotten after its last. What runs on the
//! blocking pool has no hooks; it is noted by [`super::spawn_blocking`] itself.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::Id;

/// Parts of the table, each behind a lock of its own.
const SHARDS: usize = 16;
/// Tasks that one part knows at most, so about 5 MB in all; later ones stay unknown.
const PER_SHARD: usize = 4096;

type Shard = Mutex<HashMap<u64, Known, BuildHasherDefault<Number>>>;

static TASKS: [Shard; SHARDS] =
    [const { Mutex::new(HashMap::with_hasher(BuildHasherDefault::new())) }; SHARDS];
static UNKNOWN: AtomicU64 = AtomicU64::new(0);
static BLOCKING: Mutex<BTreeMap<u64, Blocking>> = Mutex::new(BTreeMap::new());
static TICKETS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static NAMING: Cell<Option<&'static str>> = const { Cell::new(None) };
    static ENDED: Cell<Option<(u64, Label)>> = const { Cell::new(None) };
}

/// A number without its wrapping; mixed only where a table wants it.
#[derive(Default)]
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        // Numbers in a row differ in their low bits; a table looks at the high ones too.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
    }
}

/// The number of a task, which tokio shows only as text.
pub fn number(id: Id) -> u64 {
    let mut number = Number::default();
    id.hash(&mut number);
    number.0
}

/// How a task is called: by its name, or by the place that spawned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The name, if it was given one.
    pub name: Option<&'static str>,
    /// Where it was spawned.
    pub place: &'static Location<'static>,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "unnamed, spawned at {}", self.place_text()),
        }
    }
}

impl Label {
    /// Where it was spawned, as `src/server.rs:120` or `crate-1.2.3/src/lib.rs:7`.
    pub fn place_text(&self) -> String {
        format!("{}:{}", short_path(self.place.file()), self.place.line())
    }
}

/// A path of the machine that built us as a reader elsewhere knows it: from our `src`, or
/// from the name of the crate on.
pub fn short_path(path: &str) -> &str {
    let Some(src) = path.rfind("/src/") else {
        return path;
    };
    let of_a_crate = path.contains("/registry/") || path.contains("/library/");
    if !of_a_crate {
        return &path[src + 1..];
    }
    let name = path[..src].rfind('/').map_or(0, |slash| slash + 1);
    &path[name..]
}

/// A task that lives.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its number.
    pub number: u64,
    /// How it is called.
    pub label: Label,
    /// When it was spawned.
    pub since: Instant,
}

/// Something on the blocking pool, or on its way there.
#[derive(Debug, Clone, Copy)]
pub struct Blocking {
    /// Its name.
    pub name: &'static str,
    /// When it was asked for.
    pub since: Instant,
    /// When a thread took it up; none while it waits for one.
    pub running: Option<Instant>,
}

/// Gives the tasks that this thread spawns a name, until it is dropped.
#[cfg_attr(
    not(tokio_unstable),
    allow(dead_code, reason = "tasks have no names there")
)]
pub(super) struct Naming(Option<&'static str>);

/// See [`Naming`].
#[cfg_attr(
    not(tokio_unstable),
    allow(dead_code, reason = "tasks have no names there")
)]
pub(super) fn naming(name: &'static str) -> Naming {
    Naming(NAMING.replace(Some(name)))
}

impl Drop for Naming {
    fn drop(&mut self) {
        NAMING.set(self.0);
    }
}

/// A task is about to be scheduled; for the runtime's hook.
pub fn spawned(number: u64, place: &'static Location<'static>) {
    let name = NAMING.get();
    let mut shard = shard(number);
    if shard.len() >= PER_SHARD {
        UNKNOWN.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let known = Known {
        number,
        label: Label { name, place },
        since: Instant::now(),
    };
    shard.insert(number, known);
}

/// A task has ended; for the runtime's hook.
pub fn ended(number: u64) {
    let known = shard(number).remove(&number);
    if let Some(known) = known {
        // Its last poll is still being measured.
        ENDED.set(Some((number, known.label)));
    }
}

/// How a task is called that lives, or that ended last on this thread.
pub fn label(number: u64) -> Option<Label> {
    let known = shard(number).get(&number).map(|known| known.label);
    known.or_else(|| {
        let (ended, label) = ENDED.get()?;
        (ended == number).then_some(label)
    })
}

/// All tasks that live, the oldest first.
pub fn all() -> Vec<Known> {
    let mut all: Vec<Known> = Vec::new();
    for shard in &TASKS {
        all.extend(lock(shard).values());
    }
    all.sort_unstable_by_key(|known| known.number);
    all
}

/// Tasks that were spawned while the table was full.
pub fn unknown() -> u64 {
    UNKNOWN.load(Ordering::Relaxed)
}

/// What is on the blocking pool or waits for it, the oldest first.
pub fn blocking() -> Vec<Blocking> {
    lock(&BLOCKING).values().copied().collect()
}

/// A place in the list of [`blocking`] functions, for as long as it lives.
pub(super) struct Ticket(u64);

impl Ticket {
    /// Puts a function on the list.
    pub(super) fn draw(name: &'static str) -> Self {
        let number = TICKETS.fetch_add(1, Ordering::Relaxed);
        let waiting = Blocking {
            name,
            since: Instant::now(),
            running: None,
        };
        lock(&BLOCKING).insert(number, waiting);
        Self(number)
    }

    /// Notes that a thread has taken it up.
    pub(super) fn run(&self) {
        if let Some(blocking) = lock(&BLOCKING).get_mut(&self.0) {
            blocking.running = Some(Instant::now());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&BLOCKING).remove(&self.0);
    }
}

fn shard(number: u64) -> MutexGuard<'static, HashMap<u64, Known, BuildHasherDefault<Number>>> {
    let index = usize::try_from(number % SHARDS as u64).unwrap_or(0);
    lock(&TASKS[index])
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table works with numbers, so they must be the ones that tokio prints.
    #[tokio::test]
    async fn a_number_is_what_tokio_prints() {
        let task = super::super::spawn("alive-test", async {});
        assert_eq!(number(task.id()).to_string(), task.id().to_string());
    }

    #[test]
    fn a_task_is_known_until_it_ended_and_by_its_last_thread_a_little_longer() {
        let number = u64::MAX;
        let place = Location::caller();
        {
            let _naming = naming("alive-test-named");
            spawned(number, place);
        }
        assert_eq!(label(number).unwrap().to_string(), "alive-test-named");
        spawned(number - 1, place);
        let unnamed = label(number - 1).unwrap().to_string();
        let expected = "unnamed, spawned at src/telemetry/task/alive.rs:";
        assert!(unnamed.starts_with(expected), "{unnamed}");
        assert_eq!(all().iter().filter(|k| k.label.place == place).count(), 2);
        ended(number - 1);
        ended(number);
        assert!(label(number).is_some());
        assert!(label(number - 1).is_none());
        assert!(!all().iter().any(|known| known.label.place == place));
    }

    /// However many there are, the table has an end, and says how many it does not know.
    #[test]
    fn the_table_is_bounded() {
        let base = 1 << 40;
        let ours = |n: u64| base + n * SHARDS as u64;
        let extra = 10;
        for n in 0..PER_SHARD as u64 + extra {
            spawned(ours(n), Location::caller());
        }
        assert!(unknown() >= extra);
        assert!(shard(base).len() <= PER_SHARD);
        for n in 0..PER_SHARD as u64 + extra {
            ended(ours(n));
        }
        assert!(!all().iter().any(|known| known.number == base));
    }

    #[test]
    fn paths_begin_where_a_reader_knows_them() {
        for (path, short) in [
            ("/home/a/torc/src/server/http.rs", "src/server/http.rs"),
            (
                "/home/somebody/.cargo/registry/src/index-1/tokio-1.54.1/src/time/sleep.rs",
                "tokio-1.54.1/src/time/sleep.rs",
            ),
            (
                "/rustc/0123/library/core/src/future/poll_fn.rs",
                "core/src/future/poll_fn.rs",
            ),
            ("src/server.rs", "src/server.rs"),
        ] {
            assert_eq!(short_path(path), short);
        }
    }
}
