//! Where lines leave the process: a queue and a thread behind it, so that nobody who
//! logs waits for a terminal, a pipe or a disk.
//!
//! tracing-appender's `NonBlocking` is the queue and the thread. What is added: lines on
//! their way are counted, so that the end can wait until they are written, and no longer
//! than [`PATIENCE`] when nobody takes them. The crate's own guard prints to standard
//! output when the queue is full at the end, where programs read what is printed.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// How long the last lines may take at the end.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Lines that may wait for standard error; some MB when nobody reads the pipe.
const STDERR_LINES: usize = 32 * 1024;

/// Lines that may wait for the log file.
const FILE_LINES: usize = 128_000;

/// Takes lines; cheap to clone.
#[derive(Clone)]
pub struct Outlet {
    queue: NonBlocking,
    tally: Arc<Tally>,
    /// Lines that come after the end are written at once, if there is a way.
    late: Option<fn(&[u8])>,
}

/// The lines of one outlet, counted.
#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    /// Taken from the queue and handed on, well or not.
    done: AtomicU64,
    /// Handed on, and refused there.
    refused: Arc<AtomicU64>,
    ended: AtomicBool,
}

/// Ends the outlet's thread when dropped, after the last line.
#[must_use = "dropping it ends the outlet"]
pub struct OutletGuard {
    outlet: Outlet,
    worker: Option<WorkerGuard>,
}

impl Outlet {
    /// Standard error. A line that it refuses, because its reader is gone, is counted.
    pub fn stderr() -> (Self, OutletGuard) {
        let refused = Arc::new(AtomicU64::new(0));
        let sink = Counting {
            inner: io::stderr(),
            refused: Arc::clone(&refused),
        };
        let late: fn(&[u8]) = |line| {
            let _ = io::stderr().write_all(line);
        };
        let sink = BufWriter::with_capacity(8 * 1024, sink);
        Self::open("log-stderr-writer", STDERR_LINES, sink, refused, Some(late))
    }

    /// A file. `file` never fails: it adds the lines it cannot write to `refused`.
    pub fn file(file: impl Write + Send + 'static, refused: Arc<AtomicU64>) -> (Self, OutletGuard) {
        Self::open("log-file-writer", FILE_LINES, file, refused, None)
    }

    /// The same for another file, with a thread and a length of the queue of its own.
    pub fn named(
        thread: &str,
        lines: usize,
        file: impl Write + Send + 'static,
        refused: Arc<AtomicU64>,
    ) -> (Self, OutletGuard) {
        Self::open(thread, lines, file, refused, None)
    }

    fn open(
        thread: &str,
        lines: usize,
        sink: impl Write + Send + 'static,
        refused: Arc<AtomicU64>,
        late: Option<fn(&[u8])>,
    ) -> (Self, OutletGuard) {
        let tally = Arc::new(Tally {
            refused,
            ..Tally::default()
        });
        let (queue, worker) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(lines)
            .thread_name(thread)
            .finish(Tallied {
                inner: sink,
                taken: 0,
                tally: Arc::clone(&tally),
            });
        let outlet = Self { queue, tally, late };
        let guard = OutletGuard {
            outlet: outlet.clone(),
            worker: Some(worker),
        };
        (outlet, guard)
    }

    /// Lines that reached nobody: they found the queue full, or were refused.
    pub fn lost(&self) -> u64 {
        self.overflowed() + self.tally.refused.load(Ordering::Relaxed)
    }

    fn overflowed(&self) -> u64 {
        self.queue.error_counter().dropped_lines() as u64
    }

    /// Lines that are still on their way.
    fn pending(&self) -> u64 {
        // What is done first: it never counts more than was sent by then.
        let done = self.tally.done.load(Ordering::Acquire) + self.overflowed();
        let sent = self.tally.sent.load(Ordering::Acquire);
        sent.saturating_sub(done)
    }

    /// Waits until every line so far is written; says whether that happened by `end`.
    pub fn drained(&self, end: Instant) -> bool {
        while self.pending() > 0 {
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Write for Outlet {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.tally.ended.load(Ordering::Acquire) {
            match self.late {
                Some(write) => write(line),
                None => {
                    self.tally.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
            return Ok(line.len());
        }
        self.tally.sent.fetch_add(1, Ordering::AcqRel);
        self.queue.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for OutletGuard {
    fn drop(&mut self) {
        let written = self.outlet.drained(Instant::now() + PATIENCE);
        let worker = self.worker.take();
        if written {
            self.outlet.tally.ended.store(true, Ordering::Release);
            drop(worker);
        } else {
            // Nobody takes the lines. The thread ends with the process.
            std::mem::forget(worker);
        }
    }
}

/// Stands between the queue's thread and the sink, and counts what has gone through.
struct Tallied<W> {
    inner: W,
    taken: u64,
    tally: Arc<Tally>,
}

impl<W: Write> Write for Tallied<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.inner.write(line)
    }

    /// The thread calls this once for each line.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        self.taken += 1;
        self.inner.write_all(line)
    }

    /// The thread calls this when it has caught up.
    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.tally.done.fetch_add(self.taken, Ordering::AcqRel);
        self.taken = 0;
        flushed
    }
}

/// Never fails, so that a buffer in front of it does not hold on to what cannot be
/// written: the lines are counted instead.
struct Counting<W> {
    inner: W,
    refused: Arc<AtomicU64>,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.inner.write_all(lines).is_err() {
            count_lines(lines, &self.refused);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Adds the number of `lines` to a counter.
pub fn count_lines(lines: &[u8], counter: &AtomicU64) {
    let count = lines.iter().filter(|&&byte| byte == b'\n').count();
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
