//! What every poll of a task costs its thread: how long each took, which ones were slow,
//! and which one a thread is inside of now.
//!
//! The hooks run twice for each poll, so they do little: the clock, and a few stores to
//! memory of the thread's own. Only a poll of more than 100 µs takes a lock, and only a
//! slow one asks for the task's name.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::clock;
use crate::clock::Tick;
use crate::telemetry::request::Answering;
use crate::telemetry::series::Series;
use crate::telemetry::task::alive::{self, Label};

/// From here on a poll is slow: its thread could have answered some requests meanwhile.
pub const SLOW: Duration = Duration::from_millis(10);
/// From here on a poll's time is kept to the percent.
pub const LONG: Duration = Duration::from_micros(100);
/// Slow polls that are kept, the newest.
pub const KEPT: usize = 100;
/// Buckets of times: below 1 µs, 2 µs, 4 µs and so on; the last has no end.
const BUCKETS: usize = 28;

static BASE: LazyLock<Tick> = LazyLock::new(Tick::now);
static THREADS: Mutex<Vec<Arc<Slot>>> = Mutex::new(Vec::new());
static GONE: LazyLock<Mutex<Polls>> = LazyLock::new(Mutex::default);
static RECENT: Mutex<Recent> = Mutex::new(Recent {
    count: 0,
    newest: VecDeque::new(),
});

thread_local! {
    static SLOT: Registered = Registered::new();
}

/// What one thread does; written by it, read by anyone.
pub struct Slot {
    /// The thread.
    pub thread: ThreadId,
    base: Tick,
    /// Number of the task that it polls; 0 between two polls.
    task: AtomicU64,
    /// When the poll began, in nanoseconds since `base`.
    since: AtomicU64,
    answering: Arc<Answering>,
    total_ns: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
    long: Mutex<Series>,
}

/// A poll that goes on.
#[derive(Clone, Copy)]
pub struct Now {
    /// The task's number.
    pub task: u64,
    /// When it began.
    pub since: Tick,
}

/// A poll that took long.
#[derive(Clone)]
pub struct SlowPoll {
    /// The task's number.
    pub task: u64,
    /// How the task is called; nothing if it was not known.
    pub label: Option<Label>,
    /// The request that was answered in it, and its route.
    pub request: Option<(u64, &'static str)>,
    /// The thread.
    pub thread: ThreadId,
    /// When it began.
    pub since: Tick,
    /// How long it took.
    pub elapsed: Duration,
    /// When it ended, milliseconds since the epoch.
    pub ended_ms: i64,
}

struct Recent {
    count: u64,
    newest: VecDeque<SlowPoll>,
}

/// How long polls took, of all threads together.
#[derive(Clone, Default)]
pub struct Polls {
    /// The time of all together, in nanoseconds.
    pub total_ns: u64,
    /// Counts: below 1 µs, below 2 µs, below 4 µs …
    pub buckets: [u64; BUCKETS],
    /// Those above [`LONG`], exactly.
    pub long: Series,
}

impl Polls {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn add(&mut self, slot: &Slot) {
        self.total_ns += slot.total_ns.load(Ordering::Relaxed);
        for (sum, bucket) in self.buckets.iter_mut().zip(&slot.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        let long = lock(&slot.long).state();
        self.long.add_delta(&long);
    }
}

impl Slot {
    fn new() -> Self {
        Self {
            thread: thread::current().id(),
            base: *BASE,
            task: AtomicU64::new(0),
            since: AtomicU64::new(0),
            answering: Answering::here(),
            total_ns: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            long: Mutex::default(),
        }
    }

    fn begin(&self, task: u64) {
        self.since
            .store(nanos(self.base.elapsed()), Ordering::Relaxed);
        // Whoever sees the task sees its time as well, or a later one's.
        self.task.store(task, Ordering::Release);
    }

    fn end(&self) {
        let task = self.task.load(Ordering::Relaxed);
        if task == 0 {
            return;
        }
        let since = self.since.load(Ordering::Relaxed);
        let elapsed_ns = nanos(self.base.elapsed()).saturating_sub(since);
        let elapsed = Duration::from_nanos(elapsed_ns);
        // Nobody else writes here, so no addition gets lost.
        let add = |to: &AtomicU64, more: u64| {
            to.store(to.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        };
        add(&self.total_ns, elapsed_ns);
        add(&self.buckets[bucket(elapsed_ns)], 1);
        if elapsed >= LONG {
            lock(&self.long).add_duration(elapsed, 1);
        }
        if elapsed >= SLOW {
            self.note(task, since, elapsed);
        }
        self.task.store(0, Ordering::Release);
    }

    fn note(&self, task: u64, since: u64, elapsed: Duration) {
        let since = self.base + Duration::from_nanos(since);
        let slow = SlowPoll {
            task,
            label: alive::label(task),
            request: self.answering.since(since),
            thread: self.thread,
            since,
            elapsed,
            ended_ms: clock::now_ms(),
        };
        let mut recent = lock(&RECENT);
        recent.count += 1;
        if recent.newest.len() >= KEPT {
            recent.newest.pop_front();
        }
        recent.newest.push_back(slow);
    }

    /// The poll that the thread is inside of.
    pub fn now(&self) -> Option<Now> {
        let task = self.task.load(Ordering::Acquire);
        let since = self.since.load(Ordering::Acquire);
        // The same before and after, or the time may be another poll's.
        let same = task != 0 && self.task.load(Ordering::Acquire) == task;
        same.then(|| Now {
            task,
            since: self.base + Duration::from_nanos(since),
        })
    }

    /// The request that is answered within a poll of this thread, with its route.
    pub fn request(&self, now: &Now) -> Option<(u64, &'static str)> {
        self.answering.since(now.since)
    }
}

/// Keeps a thread's slot on the list for as long as the thread lives.
struct Registered(Arc<Slot>);

impl Registered {
    fn new() -> Self {
        let slot = Arc::new(Slot::new());
        lock(&THREADS).push(Arc::clone(&slot));
        Self(slot)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&THREADS).retain(|slot| !Arc::ptr_eq(slot, &self.0));
        lock(&GONE).add(&self.0);
    }
}

/// A poll of a task begins on this thread.
pub fn begin(task: u64) {
    // A thread that ends has nobody to tell.
    let _ = SLOT.try_with(|slot| slot.0.begin(task));
}

/// It ends.
pub fn end() {
    let _ = SLOT.try_with(|slot| slot.0.end());
}

/// The threads that poll tasks.
pub fn threads() -> Vec<Arc<Slot>> {
    lock(&THREADS).clone()
}

/// Times of all polls since the start.
pub fn polls() -> Polls {
    let threads = threads();
    let mut polls = lock(&GONE).clone();
    for slot in threads {
        polls.add(&slot);
    }
    polls
}

/// How many polls were slow, and the newest of them, the latest first.
pub fn slow() -> (u64, Vec<SlowPoll>) {
    let recent = lock(&RECENT);
    (recent.count, recent.newest.iter().rev().cloned().collect())
}

/// How long a poll took that was slow and has ended lately.
pub fn took(task: u64, since: Tick) -> Option<Duration> {
    let recent = lock(&RECENT);
    let mut newest = recent.newest.iter().rev();
    let same = newest.find(|slow| slow.task == task && slow.since == since);
    same.map(|slow| slow.elapsed)
}

/// The upper end of a bucket in microseconds; none for the last.
pub fn below_us(bucket: usize) -> Option<u64> {
    (bucket + 1 < BUCKETS).then(|| 1 << bucket)
}

fn bucket(elapsed_ns: u64) -> usize {
    let bits = u64::BITS - (elapsed_ns / 1000).leading_zeros();
    usize::try_from(bits).map_or(BUCKETS - 1, |bits| bits.min(BUCKETS - 1))
}

fn nanos(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_double() {
        for (micros, below) in [(0, Some(1)), (1, Some(2)), (2, Some(4)), (3, Some(4))] {
            assert_eq!(below_us(bucket(micros * 1000)), below, "{micros}");
        }
        assert_eq!(below_us(bucket(999)), Some(1));
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(below_us(BUCKETS - 1), None);
    }

    /// A poll is seen from outside while it goes on, and counted once it ended, also when
    /// its thread is gone.
    #[test]
    fn a_poll_is_seen_and_counted() {
        let task = u64::MAX - 7;
        let thread = thread::spawn(move || {
            begin(task);
            thread::sleep(SLOW);
            let (slot, now) = threads()
                .into_iter()
                .find_map(|slot| slot.now().map(|now| (slot, now)))
                .filter(|(_, now)| now.task == task)
                .unwrap();
            assert!(now.since.elapsed() >= SLOW);
            assert_eq!(slot.thread, thread::current().id());
            end();
            assert!(slot.now().is_none());
            // Without a beginning there is no end.
            end();
            now.since
        });
        let since = thread.join().unwrap();
        let took = took(task, since).unwrap();
        assert!(took >= SLOW);
        let (count, newest) = slow();
        assert!(count >= 1 && newest.len() <= KEPT);
        assert_eq!(polls().long.count(), polls().count());
        assert!(!threads().iter().any(|slot| slot.now().is_some()));

        // Only the newest are kept.
        let slot = Slot::new();
        for n in 0..KEPT as u64 + 5 {
            slot.note(n + 1, 0, SLOW);
        }
        assert_eq!(slow().1.len(), KEPT);
    }
}
