//! The part of the board that is about the files: how the write-ahead log stands, who
//! keeps it from being moved, and whether another process has locked the writer out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::clock::Tick;

static LOG: Mutex<Log> = Mutex::new(Log {
    pages: 0,
    bytes: 0,
    last: None,
    stuck: None,
    readers: Vec::new(),
});
static LOCK: Mutex<Option<LockWait>> = Mutex::new(None);

struct Log {
    pages: u64,
    bytes: u64,
    last: Option<Checkpoint>,
    /// Since when, and how often in a row, readers have kept it where it is.
    stuck: Option<(Tick, u64)>,
    readers: Vec<OtherProcess>,
}

#[derive(Clone, Copy)]
struct Checkpoint {
    ended: Tick,
    took: Duration,
    pages: u64,
    of: u64,
}

struct LockWait {
    since: Tick,
    ended: Option<Tick>,
    holder: Option<OtherProcess>,
}

/// Another process that has the database open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherProcess {
    /// Its process id.
    pub pid: u32,
    /// The name of its program; empty where the system does not tell.
    pub program: String,
}

/// One move of the write-ahead log. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointReport {
    /// How long ago it ended.
    pub ago_us: f64,
    /// How long it took.
    pub took_us: f64,
    /// Pages of the log that were in the database then.
    pub pages: u64,
    /// Pages that stayed in the log because a reader of an old state may need them.
    pub held_back_pages: u64,
    /// How often in a row it came no further.
    pub stuck: u64,
    /// For how long.
    pub stuck_for_us: f64,
    /// Other processes that read the log, once it has been stuck for a second.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub readers: Vec<OtherProcess>,
}

/// A wait for a lock that another process held. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct LockWaitReport {
    /// It goes on.
    pub now: bool,
    /// How long it took, or has taken.
    pub waited_us: f64,
    /// How long ago it ended; 0 while it goes on.
    pub ago_us: f64,
    /// Who held the lock, where the system tells (`/proc/locks`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<OtherProcess>,
}

/// How large the write-ahead log is.
pub fn log(pages: u64, bytes: u64) {
    let mut log = lock(&LOG);
    log.pages = pages;
    log.bytes = bytes;
}

/// Its pages and bytes.
pub(super) fn log_size() -> (u64, u64) {
    let log = lock(&LOG);
    (log.pages, log.bytes)
}

/// The log was moved into the database: so many of its pages, of so many, are in there
/// now. What is left, readers of an old state kept back.
pub fn checkpoint(elapsed: Duration, pages: u64, of: u64) {
    let now = Tick::now();
    let mut log = lock(&LOG);
    let before = log.last.replace(Checkpoint {
        ended: now,
        took: elapsed,
        pages,
        of,
    });
    let no_further = before.is_some_and(|before| before.pages == pages);
    log.stuck = match log.stuck {
        _ if pages >= of => None,
        Some((since, times)) if no_further => Some((since, times + 1)),
        _ => Some((now, 1)),
    };
    if log.stuck.is_none() {
        log.readers.clear();
    }
}

/// How long readers have kept the log where it is.
pub fn stuck_for() -> Option<Duration> {
    lock(&LOG).stuck.map(|(since, _)| since.elapsed())
}

/// Other processes that read the log.
pub fn readers(readers: Vec<OtherProcess>) {
    lock(&LOG).readers = readers;
}

/// The writer waits for a lock that another process holds, since then.
pub fn lock_wait(since: Tick, holder: Option<OtherProcess>) {
    *lock(&LOCK) = Some(LockWait {
        since,
        ended: None,
        holder,
    });
}

/// It has the lock, or gave up.
pub fn lock_wait_ended() {
    if let Some(wait) = &mut *lock(&LOCK) {
        wait.ended.get_or_insert_with(Tick::now);
    }
}

pub(super) fn checkpoint_report() -> Option<CheckpointReport> {
    let log = lock(&LOG);
    let last = log.last?;
    // Until the last look only: the reader may have left since.
    let (stuck_for, stuck) = log.stuck.map_or((Duration::ZERO, 0), |(since, times)| {
        (last.ended - since, times)
    });
    Some(CheckpointReport {
        ago_us: micros(last.ended.elapsed()),
        took_us: micros(last.took),
        pages: last.pages,
        held_back_pages: last.of.saturating_sub(last.pages),
        stuck,
        stuck_for_us: micros(stuck_for),
        readers: log.readers.clone(),
    })
}

pub(super) fn lock_report() -> Option<LockWaitReport> {
    let wait = lock(&LOCK);
    let wait = wait.as_ref()?;
    let ended = wait.ended.unwrap_or_else(Tick::now);
    Some(LockWaitReport {
        now: wait.ended.is_none(),
        waited_us: micros(ended - wait.since),
        ago_us: wait.ended.map_or(0.0, |ended| micros(ended.elapsed())),
        holder: wait.holder.clone(),
    })
}

pub(super) fn micros(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e6
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_comes_no_further_is_stuck() {
        let last = || checkpoint_report().unwrap();
        let took = Duration::from_millis(1);
        checkpoint(took, 10, 10);
        assert_eq!((last().stuck, last().held_back_pages), (0, 0));
        checkpoint(took, 12, 4_000);
        checkpoint(took, 12, 4_100);
        readers(vec![OtherProcess {
            pid: 1,
            program: "init".to_owned(),
        }]);
        assert_eq!((last().stuck, last().held_back_pages), (2, 4_088));
        assert_eq!(last().readers.len(), 1);
        checkpoint(took, 4_100, 4_200);
        assert_eq!(last().stuck, 1, "it came further, so it is another reader");
        checkpoint(took, 4_200, 4_200);
        assert_eq!(last().stuck, 0);
        assert!(last().readers.is_empty() && stuck_for().is_none());
    }
}
