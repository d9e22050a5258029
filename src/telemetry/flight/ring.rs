//! One ring of the flight recorder: records in the order of their coming, in pieces of
//! [`PIECE`], so that it grows and shrinks without ever moving what it holds.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Tick;

/// Records in a piece, and as many are copied before recording gets its turn again.
pub const PIECE: usize = 256;

/// No record: an empty ring is never the one with the oldest.
pub const EMPTY: u64 = u64::MAX;

/// A ring, with a cache line of its own.
#[repr(align(128))]
pub struct Ring<T> {
    /// When its oldest record ended, in nanoseconds since `epoch`; [`EMPTY`] without one.
    oldest: AtomicU64,
    records: Mutex<Records<T>>,
}

/// What a ring holds.
pub struct Records<T> {
    /// All but the first and the last piece are full.
    pieces: VecDeque<VecDeque<Record<T>>>,
    /// How many have left it: the place of a record since the start is this and its index.
    gone: u64,
    /// How many have come.
    come: u64,
}

/// One record.
#[derive(Clone)]
pub struct Record<T> {
    /// When what it tells of ended.
    pub ended: Tick,
    /// What it tells.
    pub what: T,
    /// Bytes that it stands for.
    pub bytes: usize,
}

impl<T> Ring<T> {
    /// An empty ring.
    pub const fn new() -> Self {
        Self {
            oldest: AtomicU64::new(EMPTY),
            records: Mutex::new(Records {
                pieces: VecDeque::new(),
                gone: 0,
                come: 0,
            }),
        }
    }

    /// Changes the records, and then tells the other threads how old the oldest one is.
    pub fn change<R>(&self, epoch: Tick, change: impl FnOnce(&mut Records<T>) -> R) -> R {
        let mut records = self.lock();
        let changed = change(&mut records);
        let oldest = records.oldest().map_or(EMPTY, |record| {
            let since = record.ended - epoch;
            u64::try_from(since.as_nanos()).unwrap_or(EMPTY - 1)
        });
        self.oldest.store(oldest, Ordering::Relaxed);
        changed
    }

    /// When its oldest record ended, in nanoseconds since the epoch.
    pub fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Records<T>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Ring<T> {
    /// Shows what it holds now to `see`, piece by piece, without holding up those who record
    /// for longer than a piece takes. What goes meanwhile may be left out.
    pub fn read(&self, mut see: impl FnMut(Record<T>)) {
        let (mut at, end) = {
            let records = self.lock();
            (records.gone, records.come)
        };
        while at < end {
            let mut copied = Vec::with_capacity(PIECE);
            {
                let records = self.lock();
                at = at.max(records.gone);
                let wanted = usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE);
                copied.extend(records.from(at).take(wanted.min(PIECE)).cloned());
            }
            if copied.is_empty() {
                break;
            }
            at += copied.len() as u64;
            copied.into_iter().for_each(&mut see);
        }
    }
}

impl<T> Records<T> {
    /// Adds the newest.
    pub fn push(&mut self, record: Record<T>) {
        self.come += 1;
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < PIECE => piece.push_back(record),
            _ => {
                let mut piece = VecDeque::with_capacity(PIECE);
                piece.push_back(record);
                self.pieces.push_back(piece);
            }
        }
    }

    /// The oldest.
    pub fn oldest(&self) -> Option<&Record<T>> {
        self.pieces.front()?.front()
    }

    /// Takes the oldest out.
    pub fn pop(&mut self) -> Option<Record<T>> {
        let piece = self.pieces.front_mut()?;
        let record = piece.pop_front()?;
        if piece.is_empty() && self.pieces.len() > 1 {
            self.pieces.pop_front();
        }
        self.gone += 1;
        Some(record)
    }

    /// The records from a place on.
    fn from(&self, at: u64) -> impl Iterator<Item = &Record<T>> {
        let index = usize::try_from(at.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        let first = self.pieces.front().map_or(0, VecDeque::len);
        let (piece, within) = match index.checked_sub(first) {
            None => (0, index),
            Some(after) => (1 + after / PIECE, after % PIECE),
        };
        let pieces = self.pieces.iter().skip(piece);
        pieces.flatten().skip(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u64) -> Record<u64> {
        Record {
            ended: Tick::now(),
            what: n,
            bytes: 1,
        }
    }

    /// Whatever was pushed and popped before, it reads as a queue does.
    #[test]
    fn it_reads_what_it_holds_in_order() {
        let ring = Ring::new();
        let epoch = Tick::now();
        let mut expected = VecDeque::new();
        let mut next = 0;
        for (pushed, popped) in [
            (10, 3),
            (700, 400),
            (300, 0),
            (0, 500),
            (1_000, 1_107),
            (5, 0),
        ] {
            ring.change(epoch, |records| {
                for _ in 0..pushed {
                    records.push(record(next));
                    expected.push_back(next);
                    next += 1;
                }
                for _ in 0..popped {
                    let popped = records.pop().map(|record| record.what);
                    assert_eq!(popped, expected.pop_front());
                }
            });
            let mut read = Vec::new();
            ring.read(|record| read.push(record.what));
            assert_eq!(read, expected.iter().copied().collect::<Vec<_>>());
            assert_eq!(ring.oldest() == EMPTY, expected.is_empty());
        }
    }
}
