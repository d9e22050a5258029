//! Exemplars: for each route and each command, by powers of two of its time, a request of the
//! last that took so long. Any bucket of a histogram leads to a request that is in it.
//!
//! Under load thousands come in a second to the same place, and one of them is as good as
//! another: for a tenth of a second the first stays, so threads seldom meet there.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::flight::bytes_of;
use super::named::{Known, Named};
use super::recorder::Kind;
use super::request::Finished;
use crate::clock::Tick;

/// Steps of a ladder: the last one begins at half an hour and has no end.
const STEPS: usize = 32;
/// Bytes that all exemplars together may hold; the oldest go first.
const BYTES: usize = 16 << 20;
/// For so long a newer request does not take the place of one.
const STAYS_MS: u64 = 100;
/// The places of the ladders of routes and of commands.
const ROUTES: usize = 0;
const COMMANDS: usize = 1;

/// A ladder for each route, and one for each command.
static BOOK: LazyLock<[Named<Ladder>; 2]> = LazyLock::new(Default::default);
static EPOCH: LazyLock<Tick> = LazyLock::new(Tick::now);
/// Bytes that all of them hold. One that stands at several places counts at each.
static HELD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The ladders that this thread has put requests on before.
    static KNOWN: RefCell<[Known<Ladder>; 2]> = RefCell::default();
}

/// The newest requests of an operation, each in the place of its time.
#[derive(Default)]
struct Ladder {
    steps: [Step; STEPS],
}

/// A place for a request.
#[derive(Default)]
struct Step {
    /// Until when nobody takes the place, in milliseconds since [`EPOCH`].
    taken_until: AtomicU64,
    held: Mutex<Option<Held>>,
}

/// A request with the bytes that it stands for.
#[derive(Clone)]
struct Held {
    request: Arc<Finished>,
    bytes: usize,
}

/// A request that took between `lower_us` and `upper_us` microseconds.
#[derive(Clone)]
pub struct Exemplar {
    /// The bucket's lower bound in microseconds, which is in it.
    pub lower_us: u64,
    /// The bucket's upper bound in microseconds, which is not in it; the last has none.
    pub upper_us: Option<u64>,
    /// The request.
    pub request: Arc<Finished>,
}

/// Keeps a request for its route and for each of its commands, unless there is one that came
/// just before and took about as long.
pub fn keep(finished: &Finished) {
    let mut copy = None;
    let wall = finished.wall;
    put(ROUTES, finished.route, wall, finished, &mut copy);
    for command in &finished.commands {
        let whole = command.phases.whole;
        put(COMMANDS, command.name, whole, finished, &mut copy);
    }
    if copy.is_some() && HELD.load(Ordering::Relaxed) > BYTES {
        make_room();
    }
}

/// The exemplars of a route or a command, the fastest first; none of an unknown one.
pub fn of(kind: Kind, name: &str) -> Vec<Exemplar> {
    let Some((_, ladder)) = place(kind).and_then(|at| BOOK[at].find(name)) else {
        return Vec::new();
    };
    let steps = ladder.steps.iter().enumerate();
    steps
        .filter_map(|(step, slot)| {
            let request = Arc::clone(&lock(&slot.held).as_ref()?.request);
            Some(Exemplar {
                lower_us: if step == 0 { 0 } else { 1 << step },
                upper_us: (step + 1 < STEPS).then(|| 1 << (step + 1)),
                request,
            })
        })
        .collect()
}

/// The names that have exemplars.
pub fn names(kind: Kind) -> Vec<&'static str> {
    let all = place(kind).map_or_else(Vec::new, |at| BOOK[at].all());
    let mut names: Vec<_> = all.into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}

/// The exemplar with this number, if it is one.
pub fn find(id: u64) -> Option<Arc<Finished>> {
    slots().into_iter().find_map(|slot| {
        let held = lock(slot);
        let request = &held.as_ref()?.request;
        (request.id == id).then(|| Arc::clone(request))
    })
}

/// Every place for a request.
fn slots() -> Vec<&'static Mutex<Option<Held>>> {
    let ladders = BOOK.iter().flat_map(Named::all);
    let steps = ladders.flat_map(|(_, ladder)| &ladder.steps);
    steps.map(|step| &step.held).collect()
}

fn put(
    at: usize,
    name: &'static str,
    elapsed: Duration,
    finished: &Finished,
    copy: &mut Option<Held>,
) {
    let ladder = KNOWN.with_borrow_mut(|known| BOOK[at].get(&mut known[at], name));
    let step = &ladder.steps[step(elapsed)];
    let ended = (finished.began + finished.wall) - *EPOCH;
    let ended = u64::try_from(ended.as_millis()).unwrap_or(u64::MAX - STAYS_MS);
    if ended < step.taken_until.load(Ordering::Relaxed) {
        return;
    }
    step.taken_until.store(ended + STAYS_MS, Ordering::Relaxed);
    let held = copy.get_or_insert_with(|| Held {
        request: Arc::new(finished.clone()),
        bytes: bytes_of(finished),
    });
    let held = held.clone();
    // Counted before another thread can take it out again, so the sum never falls below 0.
    HELD.fetch_add(held.bytes, Ordering::Relaxed);
    let before = lock(&step.held).replace(held);
    let freed = before.as_ref().map_or(0, |held| held.bytes);
    HELD.fetch_sub(freed, Ordering::Relaxed);
}

/// Lets the oldest exemplars go. Rare: it takes hundreds of routes, or very large requests.
fn make_room() {
    let mut all: Vec<_> = slots()
        .into_iter()
        .filter_map(|slot| Some((lock(slot).as_ref()?.request.id, slot)))
        .collect();
    all.sort_unstable_by_key(|(id, _)| *id);
    for (id, slot) in all {
        if HELD.load(Ordering::Relaxed) <= BYTES {
            break;
        }
        let old = lock(slot).take_if(|held| held.request.id == id);
        if let Some(old) = old {
            HELD.fetch_sub(old.bytes, Ordering::Relaxed);
        }
    }
}

/// The place of a kind in the book; the others have no exemplars.
fn place(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Route => Some(ROUTES),
        Kind::Command => Some(COMMANDS),
        Kind::Statement | Kind::Function | Kind::Task => None,
    }
}

/// From 2 to the power of the step microseconds on; the first begins at nothing.
fn step(elapsed: Duration) -> usize {
    let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    (us.max(1).ilog2() as usize).min(STEPS - 1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Each a second after the one before, the first after the longest of them.
    fn ended(id: u64) -> Tick {
        *EPOCH + Duration::from_secs(300 * 24 * 3600 + id)
    }

    fn finished(id: u64, wall: Duration, path: &str) -> Finished {
        Finished {
            id,
            parent: None,
            route: "exemplars_test",
            path: path.into(),
            status: 200,
            began: ended(id).before(wall),
            wall,
            busy: wall,
            polls: 1,
            read_wait: Duration::ZERO,
            commands: Vec::new(),
            statements: Vec::new(),
        }
    }

    /// The newest of each power of two stays, but for those that came at one time; all
    /// together stay within their bytes.
    #[test]
    fn each_bucket_has_its_newest_request() {
        for (id, us) in [
            (1, 0),
            (2, 1),
            (3, 70),
            (4, 127),
            (5, 128),
            (6, u64::MAX >> 20),
        ] {
            keep(&finished(id, Duration::from_micros(us), "/"));
        }
        let found = of(Kind::Route, "exemplars_test");
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.lower_us, one.upper_us, one.request.id))
            .collect();
        let expected = [
            (0, Some(2), 2),
            (64, Some(128), 4),
            (128, Some(256), 5),
            (1 << 31, None, 6),
        ];
        assert_eq!(told, expected);
        assert!(find(4).is_some() && find(3).is_none());
        let at_once = Finished {
            id: 40,
            began: ended(4).before(Duration::from_micros(110)),
            ..finished(4, Duration::from_micros(110), "/")
        };
        keep(&at_once);
        assert!(find(4).is_some() && find(40).is_none());
        let long = "x".repeat(1 << 20);
        for step in 0..STEPS as u64 {
            keep(&finished(
                100 + step,
                Duration::from_micros(1 << step),
                &long,
            ));
        }
        let held = HELD.load(Ordering::Relaxed);
        assert!(held <= BYTES, "{held}");
        assert!(find(100 + STEPS as u64 - 1).is_some() && find(100).is_none());
    }
}
