//! The writer's board: who holds the writer now, who waits for it in which order, and how
//! its log stands. What is on it is true at the moment; times over time are the recorder's.

mod disk;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

use serde::Serialize;

use super::request;
use crate::clock::Tick;
pub use disk::{
    CheckpointReport, LockWaitReport, OtherProcess, checkpoint, lock_wait, lock_wait_ended, log,
    readers, stuck_for,
};
use disk::{lock, micros};

/// Waiters that a report lists; the rest it counts.
const LISTED: usize = 100;

static TICKETS: AtomicU64 = AtomicU64::new(1);
static DEPTH: AtomicUsize = AtomicUsize::new(0);
static WAITING: LazyLock<Mutex<VecDeque<Waiter>>> = LazyLock::new(Mutex::default);
static HOLDER: Mutex<Option<Holder>> = Mutex::new(None);

struct Waiter {
    ticket: u64,
    operation: &'static str,
    request: Option<u64>,
    since: Tick,
}

struct Holder {
    batch: u64,
    since: Tick,
    operations: Vec<(&'static str, u64)>,
    now: Option<(&'static str, Option<u64>, Tick)>,
    committing: Option<Tick>,
}

/// A place in the writer's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// Puts a command at the end of the queue.
pub fn enter(operation: &'static str) -> Ticket {
    let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
    DEPTH.fetch_add(1, Ordering::Relaxed);
    lock(&WAITING).push_back(Waiter {
        ticket,
        operation,
        request: request::current(),
        since: Tick::now(),
    });
    Ticket(ticket)
}

/// Takes commands out of the queue: they are carried out, or were refused.
pub fn leave(tickets: impl IntoIterator<Item = Ticket>) {
    let mut waiting = lock(&WAITING);
    for ticket in tickets {
        // Mostly the first; of two that came at one time, the second may be taken first.
        if let Some(at) = waiting.iter().position(|one| one.ticket == ticket.0) {
            waiting.remove(at);
            DEPTH.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Commands that wait.
pub fn depth() -> usize {
    DEPTH.load(Ordering::Relaxed)
}

/// A batch holds the writer from now on.
pub fn hold(batch: u64, operations: &[&'static str]) {
    *lock(&HOLDER) = Some(Holder {
        batch,
        since: Tick::now(),
        operations: grouped(operations),
        now: None,
        committing: None,
    });
}

/// The batch that holds the writer carries out this command now.
pub fn carry_out(operation: &'static str, request: Option<u64>) {
    if let Some(holder) = &mut *lock(&HOLDER) {
        holder.now = Some((operation, request, Tick::now()));
    }
}

/// The batch that holds the writer commits now.
pub fn committing() {
    if let Some(holder) = &mut *lock(&HOLDER) {
        holder.now = None;
        holder.committing = Some(Tick::now());
    }
}

/// Nobody holds the writer.
pub fn release() {
    *lock(&HOLDER) = None;
}

/// A batch in words: `2 start_job, 1 complete_job`.
pub fn composition(operations: &[&'static str]) -> String {
    let parts: Vec<String> = grouped(operations)
        .into_iter()
        .map(|(operation, count)| format!("{count} {operation}"))
        .collect();
    parts.join(", ")
}

/// The writer at the time of a report. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct WriterReport {
    /// The batch that holds the writer, by operation; empty when it is idle.
    pub holder: Vec<HolderReport>,
    /// The number of that batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// Since when, in microseconds; 0 when it is idle.
    pub held_for_us: f64,
    /// What it does now: the operation that is carried out, `begin` or `commit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing: Option<Doing>,
    /// How many commands wait.
    pub queued: usize,
    /// How long the first of them has waited.
    pub longest_wait_us: f64,
    /// Who waits, the first one first; at most 100.
    pub waiters: Vec<WaiterReport>,
    /// Pages in the write-ahead log.
    pub log_pages: u64,
    /// Bytes of its file.
    pub log_bytes: u64,
    /// The last time that it was moved into the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<CheckpointReport>,
    /// The last time that it had to wait for a lock of another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_wait: Option<LockWaitReport>,
}

/// A part of the batch that holds the writer.
#[derive(Debug, Clone, Serialize)]
pub struct HolderReport {
    /// The operation's name.
    pub operation: String,
    /// How many of it are in the batch.
    pub count: u64,
}

/// What the writer does now.
#[derive(Debug, Clone, Serialize)]
pub struct Doing {
    /// The operation, `begin` or `commit`.
    pub operation: String,
    /// The request that it is done for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Since when.
    pub for_us: f64,
}

/// A command that waits for the writer.
#[derive(Debug, Clone, Serialize)]
pub struct WaiterReport {
    /// Its operation.
    pub operation: String,
    /// The request that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Since when.
    pub waited_us: f64,
}

/// What stands on the board.
pub fn report() -> WriterReport {
    let (waiters, longest_wait_us) = {
        let waiting = lock(&WAITING);
        let waiters: Vec<WaiterReport> = waiting
            .iter()
            .take(LISTED)
            .map(|waiter| WaiterReport {
                operation: waiter.operation.to_owned(),
                request: waiter.request,
                waited_us: micros(waiter.since.elapsed()),
            })
            .collect();
        let longest = waiting.iter().map(|waiter| waiter.since).min();
        (
            waiters,
            longest.map_or(0.0, |since| micros(since.elapsed())),
        )
    };
    let (log_pages, log_bytes) = disk::log_size();
    let holder = lock(&HOLDER);
    let holder = holder.as_ref();
    let doing = holder.map(|held| {
        let begin = ("begin", None, held.since);
        let commit = held.committing.map(|since| ("commit", None, since));
        let (operation, request, since) = commit.or(held.now).unwrap_or(begin);
        Doing {
            operation: operation.to_owned(),
            request,
            for_us: micros(since.elapsed()),
        }
    });
    WriterReport {
        held_for_us: holder.map_or(0.0, |held| micros(held.since.elapsed())),
        batch: holder.map(|held| held.batch),
        holder: holder
            .iter()
            .flat_map(|held| &held.operations)
            .map(|&(operation, count)| HolderReport {
                operation: operation.to_owned(),
                count,
            })
            .collect(),
        doing,
        queued: depth(),
        longest_wait_us,
        waiters,
        log_pages,
        log_bytes,
        last_checkpoint: disk::checkpoint_report(),
        lock_wait: disk::lock_report(),
    }
}

/// Counts equal names. A batch has few distinct ones, so a scan beats a map.
fn grouped(operations: &[&'static str]) -> Vec<(&'static str, u64)> {
    let mut groups: Vec<(&'static str, u64)> = Vec::new();
    for &operation in operations {
        match groups.iter_mut().find(|(name, _)| *name == operation) {
            Some((_, count)) => *count += 1,
            None => groups.push((operation, 1)),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_names_the_holder_and_who_waits() {
        let first = enter("start_job");
        let second = enter("complete_job");
        hold(7, &["create_jobs", "complete_job", "complete_job"]);
        assert_eq!(report().doing.unwrap().operation, "begin");
        carry_out("create_jobs", Some(12));
        let writer = report();
        assert_eq!((writer.queued, writer.batch), (2, Some(7)));
        assert_eq!(writer.waiters[0].operation, "start_job");
        assert!(writer.longest_wait_us >= writer.waiters[1].waited_us);
        let doing = writer.doing.unwrap();
        assert_eq!(
            (&*doing.operation, doing.request),
            ("create_jobs", Some(12))
        );
        let holder: Vec<_> = writer
            .holder
            .iter()
            .map(|h| (&*h.operation, h.count))
            .collect();
        assert_eq!(holder, [("create_jobs", 1), ("complete_job", 2)]);
        committing();
        assert_eq!(report().doing.unwrap().operation, "commit");
        leave([second, first]);
        leave([first]);
        release();
        let writer = report();
        assert!(writer.holder.is_empty() && writer.waiters.is_empty());
        assert_eq!(writer.queued, 0);
    }
}
