//! The flight recorder: what the server did in the last 30 seconds, kept in memory for
//! whoever asks what happened just now.
//!
//! Finished requests with their commands, batches of the writer, runs of background work
//! and what others [`note`] lie in rings, one for a few threads each, so that threads do not
//! wait for each other to record. What is older than [`KEPT`] goes, and the oldest before
//! that when all rings together hold more bytes than they may.

mod ring;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::board;
use super::phase::{BatchTrace, CommandTrace, StatementTotal};
use super::request::Finished;
use crate::clock::Tick;
use ring::{EMPTY, PIECE, Record, Records, Ring};

/// How long a record is kept.
pub const KEPT: Duration = Duration::from_secs(30);
/// Rings; more than the threads that record in most servers.
const RINGS: usize = 16;
/// Old records that go with one new one: after a pause there may be thousands, and no
/// request should wait until all are gone.
const EXPIRED_AT_ONCE: usize = 8;
/// What an allocation costs besides its content.
const ALLOCATION: usize = 16;
/// The counters in front of what an `Arc` holds.
const COUNTERS: usize = 2 * size_of::<usize>();
static RING: [Ring<What>; RINGS] = [const { Ring::new() }; RINGS];
static NEXT_RING: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static EPOCH: LazyLock<Tick> = LazyLock::new(Tick::now);

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[derive(Clone)]
enum What {
    Request(Arc<Finished>),
    Batch(Arc<Batch>),
    Note(Arc<Note>),
}

/// One batch of the writer.
#[derive(Debug)]
pub struct Batch {
    /// Its number, counted from the start.
    pub number: u64,
    /// When the writer took it up.
    pub taken: Tick,
    /// Its commands in the order of their execution.
    pub commands: Box<[BatchCommand]>,
    /// Its BEGIN.
    pub begin: Duration,
    /// All of its commands together.
    pub execute: Duration,
    /// Its COMMIT.
    pub commit: Duration,
    /// Commands that waited when it was done.
    pub queued: usize,
}

/// One command of a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchCommand {
    /// Its operation.
    pub name: &'static str,
    /// The request that it was done for.
    pub request: Option<u64>,
    /// Its own work.
    pub execute: Duration,
}

/// Something else that took time.
#[derive(Debug)]
pub struct Note {
    /// What it is: `task` for background work, `stall` for a thread that stood still.
    pub kind: &'static str,
    /// Its name.
    pub name: Box<str>,
    /// When it began.
    pub started: Tick,
    /// How long it took.
    pub elapsed: Duration,
}

/// What the rings held at one time, each list in the order of its ends.
#[derive(Default)]
pub struct Flight {
    /// Finished requests.
    pub requests: Vec<Arc<Finished>>,
    /// Committed batches.
    pub batches: Vec<Arc<Batch>>,
    /// What was noted.
    pub notes: Vec<Arc<Note>>,
}

/// Sets how many bytes all rings together may hold; 0 switches the recorder off.
pub fn limit(bytes: u64) {
    LazyLock::force(&EPOCH);
    LIMIT.store(
        usize::try_from(bytes).unwrap_or(usize::MAX),
        Ordering::Relaxed,
    );
}

/// Whether it records.
pub fn is_on() -> bool {
    LIMIT.load(Ordering::Relaxed) > 0
}

/// Bytes that it holds.
pub fn bytes() -> usize {
    BYTES.load(Ordering::Relaxed)
}

/// Keeps a finished request.
pub fn request(finished: &Arc<Finished>) {
    if is_on() {
        let bytes = bytes_of(finished);
        let ended = finished.began + finished.wall;
        push(ended, What::Request(Arc::clone(finished)), bytes);
    }
}

/// Keeps a batch.
pub fn batch(trace: &BatchTrace<'_>) {
    if !is_on() {
        return;
    }
    let mut done = trace.done.iter();
    let commands: Box<[BatchCommand]> = trace
        .operations
        .iter()
        .map(|name| {
            let (request, execute) = done.next().copied().unwrap_or_default();
            BatchCommand {
                name,
                request,
                execute,
            }
        })
        .collect();
    let bytes = COUNTERS + size_of::<Batch>() + 2 * ALLOCATION + size_of_val(&*commands);
    let ended = trace.taken + trace.begin + trace.execute + trace.commit;
    let batch = Batch {
        number: trace.number,
        taken: trace.taken,
        commands,
        begin: trace.begin,
        execute: trace.execute,
        commit: trace.commit,
        queued: board::depth(),
    };
    push(ended, What::Batch(Arc::new(batch)), bytes);
}

/// Keeps something else that took time, such as a `stall` of a thread.
pub fn note(kind: &'static str, name: &str, started: Tick, elapsed: Duration) {
    if is_on() {
        let bytes = COUNTERS + size_of::<Note>() + 2 * ALLOCATION + name.len();
        let note = Note {
            kind,
            name: name.into(),
            started,
            elapsed,
        };
        push(started + elapsed, What::Note(Arc::new(note)), bytes);
    }
}

/// Bytes that a finished request holds, with all that hangs on it.
pub fn bytes_of(finished: &Finished) -> usize {
    let of_command = |command: &CommandTrace| {
        size_of::<CommandTrace>() + ALLOCATION + size_of_val(&*command.statements)
    };
    let statements = finished.statements.len() * size_of::<StatementTotal>();
    let commands: usize = finished.commands.iter().map(of_command).sum();
    let own = COUNTERS + size_of::<Finished>() + finished.path.len();
    own + statements + commands + 4 * ALLOCATION
}

fn push(ended: Tick, what: What, bytes: usize) {
    let bytes = bytes + size_of::<Record<What>>();
    let limit = LIMIT.load(Ordering::Relaxed);
    BYTES.fetch_add(bytes, Ordering::Relaxed);
    mine().change(*EPOCH, |records| {
        records.push(Record { ended, what, bytes });
        forget_old(records, ended, EXPIRED_AT_ONCE);
    });
    while bytes_held() > limit {
        // Whosever ring it lies in, the oldest record goes.
        let oldest = RING.iter().min_by_key(|ring| ring.oldest());
        let Some(ring) = oldest.filter(|ring| ring.oldest() != EMPTY) else {
            break;
        };
        ring.change(*EPOCH, forget);
    }
}

fn bytes_held() -> usize {
    BYTES.load(Ordering::Relaxed)
}

/// Lets the oldest record go, if there is one.
fn forget(records: &mut Records<What>) {
    if let Some(record) = records.pop() {
        BYTES.fetch_sub(record.bytes, Ordering::Relaxed);
    }
}

/// Lets go what is too old, at most so many; says whether those were all.
fn forget_old(records: &mut Records<What>, now: Tick, most: usize) -> bool {
    let is_old = |record: &Record<What>| now - record.ended > KEPT;
    for _ in 0..most {
        if !records.oldest().is_some_and(is_old) {
            return true;
        }
        forget(records);
    }
    false
}

/// Lets go what is too old in rings whose threads record nothing more.
pub fn expire() {
    let now = Tick::now();
    for ring in &RING {
        while !ring.change(*EPOCH, |records| forget_old(records, now, PIECE)) {}
    }
}

/// What happened lately and ended after `since`, if that is given. Recording goes on
/// meanwhile.
pub fn recent(since: Option<Tick>) -> Flight {
    let mut flight = Flight::default();
    let from = since.unwrap_or_else(|| Tick::now().before(KEPT));
    for ring in &RING {
        ring.read(|record| {
            if record.ended < from {
                return;
            }
            match record.what {
                What::Request(one) => flight.requests.push(one),
                What::Batch(one) => flight.batches.push(one),
                What::Note(one) => flight.notes.push(one),
            }
        });
    }
    flight.requests.sort_by_key(|one| one.began + one.wall);
    flight.batches.sort_by_key(|one| one.taken);
    flight.notes.sort_by_key(|one| one.started + one.elapsed);
    flight
}

/// The ring of this thread.
fn mine() -> &'static Ring<What> {
    let at = MINE.get();
    let at = if at == usize::MAX {
        let at = NEXT_RING.fetch_add(1, Ordering::Relaxed) % RINGS;
        MINE.set(at);
        at
    } else {
        at
    };
    &RING[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads fill it beyond its limit: it holds that much and no more, the newest stay,
    /// and what it says it holds is what lies in it.
    #[test]
    fn it_holds_the_newest_within_its_limit() {
        const LIMIT: u64 = 256 << 10;
        limit(LIMIT);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        note("test", "x", Tick::now(), Duration::ZERO);
                    }
                });
            }
        });
        let last = Tick::now();
        note("test", "the last", last, Duration::ZERO);
        assert!(bytes() <= LIMIT as usize, "{}", bytes());
        let flight = recent(None);
        let newest = flight.notes.last().unwrap();
        assert_eq!(&*newest.name, "the last");
        assert!(flight.notes.len() > 500, "{}", flight.notes.len());
        let mut lie = 0;
        for ring in &RING {
            ring.read(|record| lie += record.bytes);
        }
        assert_eq!(lie, bytes());
        // What ended before is left out, and what is too old goes.
        assert_eq!(recent(Some(last)).notes.len(), 1);
        let old = last.before(KEPT * 2);
        note("test", "old", old, Duration::ZERO);
        assert!(recent(None).notes.iter().all(|one| &*one.name != "old"));
        limit(0);
        note("test", "off", Tick::now(), Duration::ZERO);
        assert!(recent(None).notes.iter().all(|one| &*one.name != "off"));
    }
}
