//! The writer: one operating-system thread that owns the only write connection.
//!
//! It takes what is waiting, opens one transaction, applies the commands one
//! after another, each under a savepoint if there are several, commits once,
//! performs the effects and then replies. While one commit waits for the disk the next batch gathers, so
//! there is no timer and no added latency on an idle server.

mod batch;
mod locks;
mod wal;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use futures_channel::oneshot;
use rusqlite::{Connection, InterruptHandle};
use tokio::sync::mpsc::{self, error::TrySendError};

use self::batch::{Entry, Queued};
use self::wal::Wal;
use super::{Command, Effects, StoreError};
use crate::telemetry::resource::{self, Resource};
use crate::telemetry::{board, request};

/// Commands in one transaction at most.
const BATCH_COMMANDS: usize = 256;
/// Bytes of commands in one transaction, roughly, at most; one command may have more.
const BATCH_BYTES: usize = 4 << 20;

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
    resource: Resource,
    /// What is still queued is refused instead of carried out.
    hurried: AtomicBool,
    interrupt: InterruptHandle,
}

enum Message {
    Command(Box<dyn Queued>),
    Stop,
}

impl Writer {
    /// Starts the thread on `conn`, a connection to `path`, with room for `capacity`
    /// waiting commands; `mover` is another, to move the write-ahead log beside it.
    ///
    /// # Errors
    ///
    /// When the operating system has no thread to give.
    pub(super) fn start(
        conn: Connection,
        mover: Connection,
        path: &Path,
        capacity: usize,
        perform: Perform,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, inbox) = resource::unseen(|| mpsc::channel(capacity.max(1)));
        let shared = Arc::new(Shared {
            capacity: capacity.max(1),
            resource: Resource::new("Writer", "Sync"),
            hurried: AtomicBool::new(false),
            interrupt: conn.get_interrupt_handle(),
        });
        let wal = Wal::of(path, mover)?;
        let database = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("torc-writer".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    locks::watch(&conn, database);
                    run(conn, wal, inbox, &shared, &perform);
                }
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
        let (reply, outcome) = oneshot::channel();
        let entry = Entry::new(command, reply);
        let ticket = entry.ticket();
        if let Err(refused) = self.queue.try_send(Message::Command(Box::new(entry))) {
            board::leave([ticket]);
            return Err(match refused {
                TrySendError::Full(_) => StoreError::Overloaded {
                    what: format!("{} writes", self.shared.capacity),
                },
                TrySendError::Closed(_) => StoreError::Stopping,
            }
            .into());
        }
        match self.shared.resource.wait("Writer::submit", outcome).await {
            Ok((outcome, trace)) => {
                if let Some(trace) = trace {
                    request::command(trace);
                }
                outcome
            }
            Err(_canceled) if self.queue.is_closed() => Err(StoreError::Stopping.into()),
            Err(_canceled) => Err(StoreError::Panicked.into()),
        }
    }

    /// Lets the thread finish what is queued, then ends it. Later commands are refused.
    pub(super) async fn stop(&self) {
        // The queue may be full, so this waits for room; a closed one has stopped already.
        let _ = self.queue.send(Message::Stop).await;
    }

    /// No more patience: the running command is interrupted and undone, what is queued
    /// is refused. Nothing of it was acknowledged.
    pub(super) fn hurry(&self) {
        self.shared.hurried.store(true, Ordering::Relaxed);
        self.shared.interrupt.interrupt();
    }
}

fn run(
    conn: Connection,
    mut wal: Wal,
    mut inbox: mpsc::Receiver<Message>,
    shared: &Shared,
    perform: &Perform,
) {
    Wal::watch(&conn);
    let mut held_back: Option<Box<dyn Queued>> = None;
    let mut number = 0;
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
        board::leave(batch.iter().map(|entry| entry.ticket()));
        if shared.hurried.load(Ordering::Relaxed) {
            batch::refuse(batch, &StoreError::Stopping);
            continue;
        }
        shared
            .resource
            .held(|| batch::composition(&batch), || board::depth() as u64);
        number += 1;
        // A command's own panic is caught closer by. Whatever else happens here, the
        // server must not be left without its only writer: the callers of this batch
        // are told, and the next one begins by undoing what is open.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            batch::run(&conn, number, batch, &shared.hurried, perform);
        }));
        if ran.is_err() {
            board::release();
            tracing::error!("a batch ended in a panic; its commands were refused");
        }
        wal.tend(&conn);
        shared
            .resource
            .held(|| "nobody".to_owned(), || board::depth() as u64);
    }
    drop(wal);
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
