//! The rolling log file, with a cap on what all log files take together.
//!
//! tracing-appender rolls by time and writes on a thread of its own, so that a slow
//! disk never holds up a request. It knows no sizes: [`Capped`] counts the bytes, moves
//! a file that got too long out of the way, and deletes the oldest ones.
//!
//! The live file is `torc-server.<date>.log`, and `torc-server.log` is a link to it
//! (with `--log-rotation never` it is that file). A file moved away early is called
//! `torc-server.<date>.<n>.log`.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use crate::config::telemetry::{LogFile, LogRotation};

const PREFIX: &str = "torc-server";
const SUFFIX: &str = "log";

/// The live file, or a link to it.
const CURRENT: &str = "torc-server.log";

/// One file may take this part of the cap, so that old lines remain when it is full.
const FILES_PER_CAP: u64 = 8;

/// The smallest cap that is honoured: below it a file would be a handful of lines.
const SMALLEST_CAP: u64 = 64 * 1024;

/// An opened log file: the writer to clone, and what must be kept.
pub struct Opened {
    /// Hands lines to the thread that writes.
    pub writer: NonBlocking,
    /// Ends that thread when dropped, after the last line.
    pub guard: WorkerGuard,
    /// Counts what got lost.
    pub losses: Losses,
}

/// The lines that never reached the file.
pub struct Losses {
    queue: ErrorCounter,
    disk: Arc<AtomicU64>,
}

impl Losses {
    /// All of them: those that found the queue full, and those that the disk refused.
    pub fn total(&self) -> u64 {
        self.queue.dropped_lines() as u64 + self.disk.load(Ordering::Relaxed)
    }
}

/// Opens the log file in its directory, which is made if missing.
///
/// # Errors
///
/// If the directory cannot be made or the file not opened.
pub fn open(config: &LogFile) -> io::Result<Opened> {
    fs::create_dir_all(&config.dir)?;
    let config = LogFile {
        // The link to the live file holds this path, so it must not be relative.
        dir: fs::canonicalize(&config.dir)?,
        ..config.clone()
    };
    let disk = Arc::new(AtomicU64::new(0));
    let capped = Capped::open(&config, Arc::clone(&disk))?;
    // Lines arrive one by one; the thread flushes when it has caught up.
    let buffered = BufWriter::with_capacity(32 * 1024, capped);
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .thread_name("log-file-writer")
        .finish(buffered);
    let losses = Losses {
        queue: writer.error_counter(),
        disk,
    };
    Ok(Opened {
        writer,
        guard,
        losses,
    })
}

/// A rolling file that also rolls by size, and keeps the directory below the cap.
struct Capped {
    config: LogFile,
    appender: RollingFileAppender,
    /// Bytes written since the last roll by size. A roll by time goes unnoticed, which
    /// only makes the next file shorter.
    written: u64,
    longest: u64,
    lost: Arc<AtomicU64>,
}

impl Capped {
    fn open(config: &LogFile, lost: Arc<AtomicU64>) -> io::Result<Self> {
        let cap = config.max_total_size.max(SMALLEST_CAP);
        let mut capped = Self {
            appender: appender(config)?,
            config: config.clone(),
            written: 0,
            longest: cap / FILES_PER_CAP,
            lost,
        };
        let current = fs::metadata(capped.config.dir.join(CURRENT));
        capped.written = current.map_or(0, |current| current.len());
        capped.prune();
        Ok(capped)
    }

    /// Moves the live file away, starts a new one, makes room for it.
    fn roll(&mut self) -> io::Result<()> {
        let link = self.config.dir.join(CURRENT);
        let live = match fs::read_link(&link) {
            Ok(target) => self.config.dir.join(target),
            Err(_) => link,
        };
        fs::rename(&live, numbered(&live))?;
        self.appender = appender(&self.config)?;
        self.written = 0;
        self.prune();
        Ok(())
    }

    /// Deletes the oldest files until a whole new one fits below the cap.
    fn prune(&self) {
        let cap = self.config.max_total_size.max(SMALLEST_CAP);
        let allowed = cap - self.longest;
        let live = fs::canonicalize(self.config.dir.join(CURRENT)).ok();
        let mut files = log_files(&self.config.dir);
        files.sort_unstable();
        let mut total: u64 = files.iter().map(|(_, _, size)| size).sum();
        for (_, path, size) in files {
            if total <= allowed {
                break;
            }
            if fs::canonicalize(&path).ok() != live && fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
    }
}

impl Write for Capped {
    /// Writes whole lines; never fails, because a disk that is full must not wedge the
    /// thread: what does not fit is counted, and writing goes on when there is room.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let len = lines.len() as u64;
        if self.written > 0 && self.written + len > self.longest {
            // If it cannot roll, the old file goes on.
            let _ = self.roll();
        }
        if self.appender.write_all(lines).is_err() {
            let count = lines.iter().filter(|&&byte| byte == b'\n').count();
            self.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
        self.written += len;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.appender.flush()
    }
}

fn appender(config: &LogFile) -> io::Result<RollingFileAppender> {
    let mut builder = RollingFileAppender::builder()
        .filename_prefix(PREFIX)
        .filename_suffix(SUFFIX)
        .rotation(match config.rotation {
            LogRotation::Hourly => Rotation::HOURLY,
            LogRotation::Daily => Rotation::DAILY,
            LogRotation::Never => Rotation::NEVER,
        });
    if config.rotation != LogRotation::Never {
        builder = builder.latest_symlink(CURRENT);
    }
    if let Some(max) = config.max_files {
        builder = builder.max_log_files(max);
    }
    builder.build(&config.dir).map_err(io::Error::other)
}

/// `a.log` becomes `a.1.log`, or the first number that is free.
fn numbered(live: &Path) -> PathBuf {
    (1..u32::MAX)
        .map(|n| live.with_extension(format!("{n}.{SUFFIX}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| live.with_extension(format!("0.{SUFFIX}")))
}

/// Our log files, links left out: when each was last written, its path, its length.
fn log_files(dir: &Path) -> Vec<(SystemTime, PathBuf, u64)> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            if !name.starts_with(PREFIX) || !name.ends_with(&format!(".{SUFFIX}")) {
                return None;
            }
            let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((meta.modified().ok()?, entry.path(), meta.len()))
        })
        .collect()
}
