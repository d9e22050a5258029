//! The flight recorder: what the server did in the last 30 seconds, kept in memory for
//! whoever asks what happened just now.
//!
//! Finished requests with their commands, batches of the writer, runs of background work
//! and what others [`note`] lie in rings, one for a few threads each, so that threads do not
//! wait for each other to record. What is older than [`KEPT`] is shown to nobody and goes, and
//! the oldest before that when all rings together would hold more bytes than they may. Rings
//! consist of pieces, which are filled, and forgotten, as a whole.

mod piece;
mod ring;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::board;
use super::phase::{BatchTrace, CommandTrace, StatementTotal};
use super::request::Finished;
use crate::clock::Tick;
use piece::{At, Piece};
use ring::{EMPTY, Ring};

pub use piece::Head;

/// How long a record is kept.
pub const KEPT: Duration = Duration::from_secs(30);
/// Rings; more than the threads that record in most servers.
const RINGS: usize = 16;
/// Bytes of a full piece; fewer where the limit is low.
const PIECE: usize = 64 << 10;
/// So many pieces fill the limit at least.
const PIECES: usize = 64;
/// What an allocation costs besides its content.
const ALLOCATION: usize = 16;
/// The counters in front of what an `Arc` holds.
const COUNTERS: usize = 2 * size_of::<usize>();
static RING: [Ring; RINGS] = [const { Ring::new() }; RINGS];
static NEXT_RING: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(0);
static EPOCH: LazyLock<Tick> = LazyLock::new(Tick::now);

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
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
    /// What it is: `task` for background work, `stall` for a task that kept a worker
    /// thread, `standstill` for the whole process.
    pub kind: &'static str,
    /// Its name.
    pub name: Box<str>,
    /// When it began.
    pub started: Tick,
    /// How long it took.
    pub elapsed: Duration,
}

/// What the rings held at one time.
#[derive(Default)]
pub struct Flight {
    pieces: Vec<Arc<Piece>>,
    /// When each record ended and where it lies, the oldest first.
    order: Vec<(Tick, u32, At)>,
}

/// One record.
pub enum Record {
    /// A finished request.
    Request(Finished),
    /// A batch of the writer.
    Batch(Batch),
    /// Something else that took time.
    Note(Note),
}

/// A request of a flight: what of it is told at once, and where the rest is.
pub struct Found<'f> {
    /// What is told at once.
    pub head: Head<'f>,
    piece: &'f Piece,
    at: usize,
}

impl Found<'_> {
    /// All of it.
    pub fn whole(&self) -> Finished {
        self.piece.request(self.at)
    }
}

impl Flight {
    /// What `fill` records.
    #[cfg(test)]
    pub(super) fn of(fill: impl FnOnce(&mut Piece)) -> Self {
        let mut piece = Piece::default();
        fill(&mut piece);
        let order = piece.order().iter();
        Self {
            order: order.map(|(ended, at)| (*ended, 0, *at)).collect(),
            pieces: vec![Arc::new(piece)],
        }
    }

    /// Its records, each put together when its turn comes; the newest first.
    pub fn newest(&self) -> impl Iterator<Item = Record> {
        self.order.iter().rev().map(|(_, piece, at)| {
            let piece = &self.pieces[*piece as usize];
            match *at {
                At::Request(at) => Record::Request(piece.request(at)),
                At::Batch(at) => Record::Batch(piece.batch(at)),
                At::Note(at) => Record::Note(piece.note(at)),
            }
        })
    }

    /// Its requests, the newest first.
    pub fn requests(&self) -> impl Iterator<Item = Found<'_>> {
        self.order.iter().rev().filter_map(|(_, piece, at)| {
            let piece = &*self.pieces[*piece as usize];
            match *at {
                At::Request(at) => Some(Found {
                    head: piece.head(at),
                    piece,
                    at,
                }),
                At::Batch(_) | At::Note(_) => None,
            }
        })
    }

    /// What was noted.
    pub fn notes(&self) -> impl Iterator<Item = Note> {
        self.order.iter().filter_map(|(_, piece, at)| match *at {
            At::Note(at) => Some(self.pieces[*piece as usize].note(at)),
            At::Request(_) | At::Batch(_) => None,
        })
    }
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
    RING.iter().map(Ring::bytes).sum()
}

/// Keeps a finished request.
pub fn request(finished: &Finished) {
    add(|piece| piece.add_request(finished));
}

/// Keeps a batch.
pub fn batch(trace: &BatchTrace<'_>) {
    add(|piece| piece.add_batch(trace, board::depth()));
}

/// Keeps something else that took time, such as a `stall` of a thread.
pub fn note(kind: &'static str, name: &str, started: Tick, elapsed: Duration) {
    add(|piece| piece.add_note(kind, name, started, elapsed));
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

fn add(add: impl FnOnce(&mut Piece)) {
    let limit = LIMIT.load(Ordering::Relaxed);
    if limit == 0 {
        return;
    }
    let most = PIECE.min(limit / PIECES);
    let ring = mine();
    if !ring.add(*EPOCH, most, add) {
        return;
    }
    ring.forget_before(*EPOCH, Tick::now().before(KEPT));
    // Each ring may fill a piece before it looks again.
    let limit = limit - (RINGS * most).min(limit);
    while bytes() > limit {
        // Whosever ring it lies in, the oldest piece goes.
        let oldest = RING.iter().min_by_key(|ring| ring.oldest());
        let Some(ring) = oldest.filter(|ring| ring.oldest() != EMPTY) else {
            break;
        };
        ring.forget_oldest(*EPOCH);
    }
}

/// Lets go what is too old in rings whose threads record nothing more.
pub fn expire() {
    let before = Tick::now().before(KEPT);
    for ring in &RING {
        ring.forget_before(*EPOCH, before);
    }
}

/// What happened lately and ended after `since`, if that is given. Recording goes on
/// meanwhile.
pub fn recent(since: Option<Tick>) -> Flight {
    let from = since.unwrap_or_else(|| Tick::now().before(KEPT));
    let mut flight = Flight::default();
    for piece in RING.iter().flat_map(Ring::pieces) {
        if piece.newest().is_none_or(|newest| newest < from) {
            continue;
        }
        let number = u32::try_from(flight.pieces.len()).unwrap_or(u32::MAX);
        let order = piece.order().iter();
        let recent = order.filter(|(ended, _)| *ended >= from);
        flight
            .order
            .extend(recent.map(|(ended, at)| (*ended, number, *at)));
        flight.pieces.push(piece);
    }
    flight.order.sort_by_key(|(ended, ..)| *ended);
    flight
}

/// The ring of this thread.
fn mine() -> &'static Ring {
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
    use crate::telemetry::phase::Phases;
    use crate::telemetry::request::Parent;

    fn notes(flight: &Flight) -> Vec<Note> {
        flight.notes().collect()
    }

    /// Threads fill it beyond its limit: it holds that much and no more, and the newest stay.
    /// What went in comes out as it was.
    #[test]
    fn it_holds_the_newest_within_its_limit() {
        const LIMIT: u64 = 256 << 10;
        limit(LIMIT);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..4_000 {
                        note("test", "x", Tick::now(), Duration::ZERO);
                        // The rings are added up one after the other, and a thread that is
                        // put aside meanwhile may count what went from one to the next twice.
                        let held = (0..20).map(|_| bytes()).min().unwrap_or(0);
                        assert!(held <= LIMIT as usize, "{held}");
                    }
                });
            }
        });
        let last = Tick::now();
        note("test", "the last", last, Duration::ZERO);
        let kept = notes(&recent(None));
        assert_eq!(&*kept.last().unwrap().name, "the last");
        assert!(kept.len() > 500, "{}", kept.len());
        assert!(kept.is_sorted_by_key(|one| one.started));
        // What ended before is left out, and what is too old is not shown, and goes.
        assert_eq!(recent(Some(last)).notes().count(), 1);
        let request = a_request();
        super::request(&request);
        let flight = recent(Some(last));
        let found = flight.requests().next().unwrap();
        assert_eq!((found.head.id, found.head.path), (7, "/some/path"));
        assert_eq!(format!("{:?}", found.whole()), format!("{request:?}"));
        note("test", "old", last.before(KEPT * 2), Duration::ZERO);
        let kept = notes(&recent(None));
        assert!(kept.iter().all(|one| &*one.name != "old"));
        assert!(kept.iter().any(|one| &*one.name == "the last"));
        let held = bytes();
        for ring in &RING {
            ring.forget_before(*EPOCH, Tick::now() + KEPT);
        }
        assert!(bytes() < held / 10, "{}", bytes());
        assert_eq!(recent(None).notes().count(), 0);
        limit(0);
        note("test", "off", Tick::now(), Duration::ZERO);
        assert_eq!(recent(None).notes().count(), 0);
    }

    /// A request with everything that one can have.
    fn a_request() -> Finished {
        let statement = |id, calls| StatementTotal {
            id,
            calls,
            rows: 3,
            elapsed: Duration::from_micros(5),
        };
        let command = |name, statements: &[StatementTotal]| CommandTrace {
            name,
            batch: 12,
            batch_size: 4,
            submitted: Tick::now(),
            phases: Phases {
                execute: Duration::from_micros(9),
                ..Phases::default()
            },
            statements: statements.into(),
            committed: name == "first",
            refused: name != "first",
        };
        Finished {
            id: 7,
            parent: Some(Parent {
                trace_id: 1 << 100,
                span_id: 9,
                sampled: true,
            }),
            route: "GET /some",
            path: "/some/path".into(),
            status: 409,
            began: Tick::now(),
            wall: Duration::from_millis(3),
            busy: Duration::from_millis(1),
            polls: 4,
            read_wait: Duration::from_micros(1),
            commands: vec![
                command("first", &[statement("a", 1), statement("b", 2)]),
                command("second", &[statement("c", 3)]),
            ],
            statements: vec![statement("read", 1)],
        }
    }
}
