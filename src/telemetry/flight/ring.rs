//! One ring of the flight recorder: full pieces, the oldest first, and the one that is being
//! filled. What leaves it leaves by the piece, and its room is used again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::piece::Piece;
use crate::clock::Tick;

/// No full piece: such a ring is never the one with the oldest.
pub const EMPTY: u64 = u64::MAX;

/// A ring, with a cache line of its own.
#[repr(align(128))]
pub struct Ring {
    /// When the last record of its oldest full piece ended, in nanoseconds since the epoch of
    /// its caller; [`EMPTY`] without one.
    oldest: AtomicU64,
    bytes: AtomicUsize,
    pieces: Mutex<Pieces>,
}

struct Pieces {
    full: VecDeque<Arc<Piece>>,
    /// Bytes of those.
    full_bytes: usize,
    open: Option<Piece>,
    /// The room of a piece that has left.
    spare: Option<Piece>,
}

impl Ring {
    /// An empty ring.
    pub const fn new() -> Self {
        Self {
            oldest: AtomicU64::new(EMPTY),
            bytes: AtomicUsize::new(0),
            pieces: Mutex::new(Pieces {
                full: VecDeque::new(),
                full_bytes: 0,
                open: None,
                spare: None,
            }),
        }
    }

    /// Adds a record to the piece that is being filled. Says whether that is full now, as it
    /// is with `most` bytes.
    pub fn add(&self, epoch: Tick, most: usize, add: impl FnOnce(&mut Piece)) -> bool {
        let mut pieces = self.lock();
        let Pieces {
            full, open, spare, ..
        } = &mut *pieces;
        let piece = open.get_or_insert_with(|| {
            spare.take().unwrap_or_else(|| {
                let last = full.back();
                last.map_or_else(Piece::default, |last| Piece::like(last))
            })
        });
        add(piece);
        let is_full = piece.used() >= most;
        if is_full {
            pieces.close();
        }
        self.changed(&pieces, epoch);
        is_full
    }

    /// Lets the oldest full piece go and keeps its room for the next.
    pub fn forget_oldest(&self, epoch: Tick) {
        let mut pieces = self.lock();
        if let Some(piece) = pieces.pop() {
            pieces.spare = piece;
        }
        self.changed(&pieces, epoch);
    }

    /// Lets all pieces go whose last record ended before `before`.
    pub fn forget_before(&self, epoch: Tick, before: Tick) {
        let is_old = |piece: &Piece| piece.newest().is_none_or(|newest| newest < before);
        let mut pieces = self.lock();
        while pieces.full.front().is_some_and(|piece| is_old(piece)) {
            pieces.pop();
        }
        pieces.open.take_if(|piece| is_old(piece));
        if pieces.open.is_none() {
            pieces.spare = None;
        }
        self.changed(&pieces, epoch);
    }

    /// When its oldest full piece ended, in nanoseconds since the epoch.
    pub fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Relaxed)
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Its pieces as they are now, the oldest first. Recording waits while the one that is
    /// being filled is copied.
    pub fn pieces(&self) -> Vec<Arc<Piece>> {
        let pieces = self.lock();
        let open = pieces.open.as_ref();
        let copied = open.map(|piece| Arc::new(piece.clone()));
        pieces.full.iter().cloned().chain(copied).collect()
    }

    /// Tells the other threads how much it holds, and how old that is.
    fn changed(&self, pieces: &Pieces, epoch: Tick) {
        let oldest = pieces.full.front().and_then(|piece| piece.newest());
        let oldest = oldest.map_or(EMPTY, |newest| {
            u64::try_from((newest - epoch).as_nanos()).unwrap_or(EMPTY - 1)
        });
        self.oldest.store(oldest, Ordering::Relaxed);
        let others = pieces.open.iter().chain(&pieces.spare);
        let bytes = pieces.full_bytes + others.map(Piece::bytes).sum::<usize>();
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pieces {
    /// The open piece is full.
    fn close(&mut self) {
        if let Some(piece) = self.open.take() {
            self.full_bytes += piece.bytes();
            self.full.push_back(Arc::new(piece));
        }
    }

    /// Takes the oldest full piece out, if there is one; emptied, unless somebody reads it.
    fn pop(&mut self) -> Option<Option<Piece>> {
        let piece = self.full.pop_front()?;
        self.full_bytes -= piece.bytes();
        let mut piece = Arc::into_inner(piece);
        piece.iter_mut().for_each(Piece::clear);
        Some(piece)
    }
}
