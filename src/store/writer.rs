//! The writer: one operating-system thread that owns the only write connection.
//!
//! It takes what is waiting, opens one transaction, applies the commands one
//! after another, each under a savepoint, commits once, performs the effects and
//! then replies. While one commit waits for the disk the next batch gathers, so
//! there is no timer and no added latency on an idle server.

mod batch;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use futures_channel::oneshot;
use rusqlite::Connection;
use tokio::sync::mpsc::{self, error::TrySendError};

use self::batch::{Entry, Queued};
use super::{Command, Effects, StoreError};
use crate::telemetry::phase;
use crate::telemetry::resource::{self, Resource};

/// Commands in one transaction at most.
const BATCH_COMMANDS: usize = 256;
/// Bytes of commands in one transaction, roughly, at most.
const BATCH_BYTES: usize = 4 << 20;
/// Bytes of queued commands at most; bulk requests are the only large ones.
const QUEUE_BYTES: usize = 1 << 30;

/// Told of the effects of each committed batch.
pub type Perform = Box<dyn Fn(Effects) + Send>;

/// The handle by which commands reach the writer thread. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

struct Shared {
    capacity: usize,
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    resource: Resource,
}

enum Message {
    Command(Box<dyn Queued>),
    Stop,
}

impl Writer {
    /// Starts the thread on `conn`, with room for `capacity` waiting commands.
    ///
    /// # Errors
    ///
    /// When the operating system has no thread to give.
    pub(super) fn start(
        conn: Connection,
        capacity: usize,
        perform: Perform,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, inbox) = resource::unseen(|| mpsc::channel(capacity.max(1)));
        let shared = Arc::new(Shared {
            capacity: capacity.max(1),
            waiting: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            resource: Resource::new("Writer", "Sync"),
        });
        let thread = std::thread::Builder::new()
            .name("torc-writer".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(conn, inbox, &shared, &perform)
            })?;
        Ok((Self { queue, shared }, thread))
    }

    /// Hands a command to the writer and waits until it is committed or refused.
    ///
    /// # Errors
    ///
    /// The command's own refusals; [`StoreError::Overloaded`] when the queue is
    /// full; whatever kept the batch from being committed.
    pub async fn submit<C: Command>(&self, command: C) -> Result<C::Reply, C::Error> {
        let bytes = command.bytes();
        let waiting = self.shared.waiting.load(Ordering::Relaxed);
        if self
            .shared
            .bytes
            .load(Ordering::Relaxed)
            .saturating_add(bytes)
            > QUEUE_BYTES
            && waiting > 0
        {
            return Err(StoreError::Overloaded { waiting }.into());
        }
        let (reply, outcome) = oneshot::channel();
        let entry = Entry::new(command, bytes, reply);
        self.shared.enter(bytes);
        if let Err(refused) = self.queue.try_send(Message::Command(Box::new(entry))) {
            self.shared.leave(bytes);
            return Err(match refused {
                TrySendError::Full(_) => StoreError::Overloaded {
                    waiting: self.shared.capacity,
                },
                TrySendError::Closed(_) => StoreError::Stopping,
            }
            .into());
        }
        self.shared
            .resource
            .wait("Writer::submit", outcome)
            .await
            .unwrap_or_else(|_canceled| Err(StoreError::Stopping.into()))
    }

    /// Lets the thread finish what is queued, then ends it. Later commands are refused.
    pub(super) async fn stop(&self) {
        // The queue may be full, so this waits for room; a closed one has stopped already.
        let _ = self.queue.send(Message::Stop).await;
    }
}

impl Shared {
    fn enter(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        phase::writer_queue(self.waiting.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn leave(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        phase::writer_queue(
            self.waiting
                .fetch_sub(1, Ordering::Relaxed)
                .saturating_sub(1),
        );
    }
}

fn run(
    mut conn: Connection,
    mut inbox: mpsc::Receiver<Message>,
    shared: &Shared,
    perform: &Perform,
) {
    let mut held_back: Option<Box<dyn Queued>> = None;
    loop {
        let first = match held_back.take() {
            Some(entry) => entry,
            None => match inbox.blocking_recv() {
                Some(Message::Command(entry)) => entry,
                Some(Message::Stop) => {
                    // What was queued before the stop is still acknowledged.
                    inbox.close();
                    continue;
                }
                None => break,
            },
        };
        let mut batch = Vec::with_capacity(16);
        held_back = gather(first, &mut batch, &mut inbox);
        for entry in &batch {
            shared.leave(entry.bytes());
        }
        let waiting = || shared.waiting.load(Ordering::Relaxed) as u64;
        shared.resource.held(|| batch::composition(&batch), waiting);
        batch::run(&mut conn, batch, perform);
        shared.resource.held(|| "nobody".to_owned(), waiting);
    }
    // Leaves one file behind instead of three; a failure costs nothing but that.
    let _ = conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// Takes what else is waiting, without waiting for it. A command that wants to
/// be alone ends the batch and is handed back.
fn gather(
    first: Box<dyn Queued>,
    batch: &mut Vec<Box<dyn Queued>>,
    inbox: &mut mpsc::Receiver<Message>,
) -> Option<Box<dyn Queued>> {
    let mut bytes = first.bytes();
    let alone = first.alone();
    batch.push(first);
    if alone {
        return None;
    }
    while batch.len() < BATCH_COMMANDS && bytes < BATCH_BYTES {
        match inbox.try_recv() {
            Ok(Message::Command(entry)) if entry.alone() => return Some(entry),
            Ok(Message::Command(entry)) => {
                bytes += entry.bytes();
                batch.push(entry);
            }
            Ok(Message::Stop) => inbox.close(),
            Err(_) => break,
        }
    }
    None
}
