//! Exemplars: for each route and each command, by powers of two of its time, the newest
//! request that took so long. Any bucket of a histogram leads to a request that is in it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::flight::bytes_of;
use super::recorder::Kind;
use super::request::Finished;

/// Steps of a ladder: the last one begins at half an hour and has no end.
const STEPS: usize = 32;
/// Bytes that all exemplars together may hold; the oldest go first.
const BYTES: usize = 16 << 20;

/// A ladder for each route and each command.
type Book = RwLock<HashMap<(Kind, &'static str), Arc<Ladder>>>;

static BOOK: LazyLock<Book> = LazyLock::new(Book::default);
static HELD: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Ladder {
    steps: [Mutex<Option<Arc<Finished>>>; STEPS],
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

/// Keeps a request as the newest of its kind, for its route and for each of its commands.
pub fn keep(finished: &Arc<Finished>) {
    let bytes = bytes_of(finished);
    put(Kind::Route, finished.route, finished.wall, finished, bytes);
    for command in &finished.commands {
        let whole = command.phases.whole;
        put(Kind::Command, command.name, whole, finished, bytes);
    }
    if HELD.load(Ordering::Relaxed) > BYTES {
        make_room();
    }
}

/// The exemplars of a route or a command, the fastest first; none of an unknown one.
pub fn of(kind: Kind, name: &str) -> Vec<Exemplar> {
    let ladder = {
        let book = BOOK.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = book.iter();
        found
            .find(|((each, known), _)| *each == kind && *known == name)
            .map(|(_, ladder)| Arc::clone(ladder))
    };
    let Some(ladder) = ladder else {
        return Vec::new();
    };
    let steps = ladder.steps.iter().enumerate();
    steps
        .filter_map(|(step, slot)| {
            let request = lock(slot).clone()?;
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
    let book = BOOK.read().unwrap_or_else(PoisonError::into_inner);
    let mut names: Vec<_> = book
        .keys()
        .filter_map(|(each, name)| (*each == kind).then_some(*name))
        .collect();
    names.sort_unstable();
    names
}

/// The exemplar with this number, if it is one.
pub fn find(id: u64) -> Option<Arc<Finished>> {
    let book = BOOK.read().unwrap_or_else(PoisonError::into_inner);
    let mut slots = book.values().flat_map(|ladder| &ladder.steps);
    slots.find_map(|slot| lock(slot).clone().filter(|one| one.id == id))
}

/// Bytes that the exemplars hold. One that stands at several places counts at each.
pub fn bytes() -> usize {
    HELD.load(Ordering::Relaxed)
}

fn put(kind: Kind, name: &'static str, elapsed: Duration, finished: &Arc<Finished>, bytes: usize) {
    let ladder = ladder(kind, name);
    let mut slot = lock(&ladder.steps[step(elapsed)]);
    let before = slot.replace(Arc::clone(finished));
    HELD.fetch_add(bytes, Ordering::Relaxed);
    if let Some(before) = &before {
        HELD.fetch_sub(bytes_of(before), Ordering::Relaxed);
    }
    drop(slot);
}

/// Lets the oldest exemplars go. Rare: it takes hundreds of routes, or very large requests.
fn make_room() {
    let book = BOOK.read().unwrap_or_else(PoisonError::into_inner);
    let mut all: Vec<_> = book
        .values()
        .flat_map(|ladder| &ladder.steps)
        .filter_map(|slot| Some((lock(slot).as_ref()?.id, slot)))
        .collect();
    all.sort_unstable_by_key(|(id, _)| *id);
    for (id, slot) in all {
        if HELD.load(Ordering::Relaxed) <= BYTES {
            break;
        }
        let mut slot = lock(slot);
        if let Some(old) = slot.take_if(|one| one.id == id) {
            HELD.fetch_sub(bytes_of(&old), Ordering::Relaxed);
        }
    }
}

fn ladder(kind: Kind, name: &'static str) -> Arc<Ladder> {
    let book = BOOK.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = book.get(&(kind, name)) {
        return Arc::clone(found);
    }
    drop(book);
    let mut book = BOOK.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(book.entry((kind, name)).or_default())
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
    use std::time::Instant;

    use super::*;

    fn finished(id: u64, wall: Duration, path: &str) -> Arc<Finished> {
        Arc::new(Finished {
            id,
            parent: None,
            route: "exemplars_test",
            path: path.into(),
            status: 200,
            began: Instant::now(),
            wall,
            busy: wall,
            polls: 1,
            read_wait: Duration::ZERO,
            commands: Box::default(),
            statements: Box::default(),
        })
    }

    /// The newest of each power of two stays; all together stay within their bytes.
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
        let long = "x".repeat(1 << 20);
        for step in 0..STEPS as u64 {
            keep(&finished(
                100 + step,
                Duration::from_micros(1 << step),
                &long,
            ));
        }
        assert!(bytes() <= BYTES, "{}", bytes());
        assert!(find(100 + STEPS as u64 - 1).is_some() && find(100).is_none());
    }
}
