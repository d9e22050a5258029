//! The write-ahead log, moved into the database beside the writer and kept from growing.
//!
//! Left alone, SQLite moves the log within the commit that makes it large: the writer
//! copies some thousand pages and waits for the disk twice, and so does everybody behind
//! it. Here a thread with a connection of its own does that while the writer goes on. What
//! was committed meanwhile is little, and the writer moves it itself between two batches:
//! only a log that has been moved to its end is begun anew.
//!
//! Readers that overlap leave no moment in which it can be. Past a limit the writer makes
//! that moment: while no new commit comes, readers move on to the last one.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, InterruptHandle};

use super::locks;
use crate::clock::Tick;
use crate::telemetry::{board, phase};

/// After so many pages more the log's length is looked at.
const LOOK: i64 = 64;
/// The log is moved whenever so many pages have come: 16 MiB.
const PAGES: i64 = 4_000;
/// So many pages the writer moves itself.
const NEAR: i64 = 1_000;
/// So many it moves rather than let the log outgrow the thread for ever.
const FAR: i64 = 16 * PAGES;
/// A log of so many bytes is cut off, not only begun anew.
const LIMIT: u64 = 64 << 20;
/// How long readers of old pages are waited for.
const PATIENCE: Duration = Duration::from_millis(200);
/// Time between two tries of that.
const PAUSE: Duration = Duration::from_secs(1);
/// Readers that keep the log where it is so long are looked for, and not more often.
const STUCK: Duration = Duration::from_secs(1);
/// The thread is at work.
const AT_WORK: i64 = -1;

thread_local! {
    /// Pages in the log after this thread's last commit.
    static LOGGED: Cell<i64> = const { Cell::new(0) };
    /// When this thread last looked for readers that keep the log where it is.
    static LOOKED: Cell<Option<Tick>> = const { Cell::new(None) };
}

/// Pages in the log after this thread's last commit.
pub(super) fn logged() -> i64 {
    LOGGED.get()
}

/// The log of one database, as the writer looks after it.
pub(super) struct Wal {
    file: PathBuf,
    database: PathBuf,
    mover: Option<Mover>,
    /// The thread was asked, and its answer has not been looked at.
    asked: bool,
    /// Pages at the last look; fewer now mean that the log was begun anew.
    seen: i64,
    /// Bytes of the file when it was last asked.
    bytes: u64,
    /// Pages at which the log is moved next.
    next: i64,
    /// Pages that were in the database before the thread was asked.
    moved: i64,
    tried: Option<Tick>,
}

/// The thread that moves the log.
struct Mover {
    requests: SyncSender<()>,
    /// Pages that were in the database after its last pass, or [`AT_WORK`].
    moved: Arc<AtomicI64>,
    interrupt: InterruptHandle,
    thread: JoinHandle<()>,
}

impl Wal {
    /// The log of the database at `path`; `mover` is a connection for its thread alone.
    ///
    /// # Errors
    ///
    /// When the operating system has no thread to give.
    pub(super) fn of(path: &Path, mover: Connection) -> std::io::Result<Self> {
        let mut file = path.as_os_str().to_owned();
        file.push("-wal");
        Ok(Self {
            mover: Some(Mover::start(mover, path)?),
            file: file.into(),
            database: path.to_owned(),
            asked: false,
            seen: 0,
            bytes: 0,
            next: PAGES,
            moved: 0,
            tried: None,
        })
    }

    /// Begins to count the pages of the log. To be called on the writer's thread; turns
    /// off SQLite's own way of moving them.
    pub(super) fn watch(conn: &Connection) {
        conn.wal_hook(Some(|_, pages| {
            LOGGED.set(i64::from(pages));
            Ok(())
        }));
    }

    /// Looks after the log, between two batches.
    pub(super) fn tend(&mut self, conn: &Connection) {
        let logged = LOGGED.get();
        if logged < self.seen {
            // Begun anew: what the thread has moved was of the log before.
            self.next = PAGES;
            self.asked = false;
        }
        if logged != self.seen {
            // The file is asked for its length now and then, not after each batch.
            if logged / LOOK != self.seen / LOOK || self.bytes == 0 {
                self.bytes = std::fs::metadata(&self.file).map_or(0, |file| file.len());
            }
            board::log(u64::try_from(logged).unwrap_or(0), self.bytes);
        }
        self.seen = logged;
        let Some(mover) = &self.mover else {
            return;
        };
        let moved = mover.moved.load(Ordering::Acquire);
        if logged < self.next || moved == AT_WORK {
            return;
        }
        let near = self.asked && logged - moved <= NEAR;
        if near || logged > FAR {
            self.asked = false;
            self.next = logged + PAGES;
            self.finish(conn);
        } else if self.asked && moved == self.moved {
            // A reader keeps the log where it is: asking after each batch would not help.
            self.asked = false;
            self.next = logged + NEAR;
        } else {
            self.asked = true;
            self.moved = moved;
            mover.ask();
        }
    }

    /// Moves the last pages, or cuts the log off if it has become large.
    fn finish(&mut self, conn: &Connection) {
        let large = std::fs::metadata(&self.file).is_ok_and(|file| file.len() > LIMIT);
        if !large {
            if let Err(error) = moving("wal.finish", &self.database, || checkpoint(conn, PASSIVE)) {
                tracing::warn!("cannot move the write-ahead log: {error}");
            }
            return;
        }
        if self.tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return;
        }
        self.tried = Some(Tick::now());
        let emptied = moving("wal.truncate", &self.database, || {
            conn.busy_timeout(PATIENCE)?;
            checkpoint(conn, "PRAGMA wal_checkpoint(TRUNCATE)")
        });
        if let Err(error) = locks::wait_patiently(conn) {
            tracing::warn!("the writer's patience could not be set back: {error}");
        }
        match emptied {
            Ok(moved) if moved.whole => tracing::debug!("emptied the write-ahead log"),
            Ok(_) => tracing::debug!("readers kept the write-ahead log from being emptied"),
            Err(error) => tracing::warn!("cannot empty the write-ahead log: {error}"),
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        if let Some(mover) = self.mover.take() {
            mover.stop();
        }
    }
}

impl Mover {
    fn start(conn: Connection, database: &Path) -> std::io::Result<Self> {
        let (requests, inbox) = sync_channel(1);
        let moved = Arc::new(AtomicI64::new(0));
        let interrupt = conn.get_interrupt_handle();
        let thread = std::thread::Builder::new()
            .name("torc-checkpoint".to_owned())
            .spawn({
                let moved = Arc::clone(&moved);
                let database = database.to_owned();
                move || serve(&conn, &database, &inbox, &moved)
            })?;
        Ok(Self {
            requests,
            moved,
            interrupt,
            thread,
        })
    }

    fn ask(&self) {
        self.moved.store(AT_WORK, Ordering::Release);
        if self.requests.try_send(()).is_err() {
            // It has ended, which only a panic does; the writer goes on alone.
            self.moved.store(0, Ordering::Release);
        }
    }

    fn stop(self) {
        drop(self.requests);
        // The last pass need not be whole: the writer closes the log behind it.
        self.interrupt.interrupt();
        if self.thread.join().is_err() {
            tracing::error!("the thread of the write-ahead log ended with a panic");
        }
    }
}

fn serve(conn: &Connection, database: &Path, inbox: &Receiver<()>, moved: &AtomicI64) {
    while inbox.recv().is_ok() {
        match moving("wal.checkpoint", database, || checkpoint(conn, PASSIVE)) {
            Ok(done) => moved.store(done.pages, Ordering::Release),
            Err(error) => {
                if error.sqlite_error_code() != Some(ErrorCode::OperationInterrupted) {
                    tracing::warn!("cannot move the write-ahead log: {error}");
                    std::thread::sleep(PAUSE);
                }
                moved.store(0, Ordering::Release);
            }
        }
    }
}

/// What a checkpoint did.
struct Moved {
    /// Pages of the log that are in the database now.
    pages: i64,
    /// Pages that the log had.
    of: i64,
    /// Nobody kept it from moving all of them.
    whole: bool,
}

/// Moves what no reader needs in the log.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

fn checkpoint(conn: &Connection, pragma: &str) -> rusqlite::Result<Moved> {
    conn.query_row(pragma, (), |row| {
        let busy: i64 = row.get(0)?;
        Ok(Moved {
            // Negative where there is no log, which this database always has.
            pages: row.get::<_, i64>(2)?.max(0),
            of: row.get::<_, i64>(1)?.max(0),
            whole: busy == 0,
        })
    })
}

/// Records how long a checkpoint takes, and what it did.
fn moving(
    name: &'static str,
    database: &Path,
    checkpoint: impl FnOnce() -> rusqlite::Result<Moved>,
) -> rusqlite::Result<Moved> {
    let start = Tick::now();
    let moved = checkpoint();
    let elapsed = start.elapsed();
    phase::task(name, elapsed);
    if let Ok(moved) = &moved {
        let pages = |number| u64::try_from(number).unwrap_or(0);
        board::checkpoint(elapsed, pages(moved.pages), pages(moved.of));
        name_readers(database);
    }
    moved
}

/// Puts on the board who keeps the log where it is, if that lasts.
fn name_readers(database: &Path) {
    let lasts = board::stuck_for().is_some_and(|stuck| stuck >= STUCK);
    let rested = LOOKED.get().is_none_or(|looked| looked.elapsed() >= STUCK);
    if lasts && rested {
        LOOKED.set(Some(Tick::now()));
        board::readers(locks::readers(database));
    }
}
