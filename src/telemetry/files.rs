//! The rolling log file, with a cap on what all log files take together.
//!
//! tracing-appender opens the files and names them by time. It knows no sizes, and it
//! would delete what it did not write; so [`RollingFile`] decides when a new file
//! begins, and [`log_dir`](super::log_dir) what has to go.
//!
//! The live file is `torc-server.<date>.log`, and `torc-server.log` is a link to it
//! (with `--log-rotation never` it is that file). A file moved away early is called
//! `torc-server.<date>.<n>.log`.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tracing_appender::rolling::{RollingFileAppender, Rotation};

use super::log_dir::{self, CURRENT, Limits, PREFIX, SUFFIX};
use super::outlet::{Outlet, OutletGuard, count_lines};
use crate::clock;
use crate::config::telemetry::{LogFile, LogRotation};

/// One file may take this part of the cap, so that old lines remain when it is full.
const FILES_PER_CAP: u64 = 8;

/// The smallest cap that is honoured: below it a file would be a handful of lines.
pub const SMALLEST_CAP: u64 = 64 * 1024;

/// Bytes gathered before they are written; less where a file may not be that long.
const BUFFER: u64 = 32 * 1024;

/// Opens the log file in its directory, which is made if missing.
///
/// # Errors
///
/// If the directory cannot be made or the file not opened.
pub fn open(config: &LogFile) -> io::Result<(Outlet, OutletGuard)> {
    fs::create_dir_all(&config.dir)?;
    let config = LogFile {
        // The link to the live file holds this path, so it must not be relative.
        dir: fs::canonicalize(&config.dir)?,
        ..config.clone()
    };
    let lost = Arc::new(AtomicU64::new(0));
    let file = RollingFile::open(config, Arc::clone(&lost))?;
    let buffer = file.longest.min(BUFFER) as usize;
    // Lines arrive one by one; the thread flushes when it has caught up.
    let buffered = BufWriter::with_capacity(buffer, file);
    Ok(Outlet::file(buffered, lost))
}

/// A file that rolls by time and by size, and keeps its directory within the limits.
struct RollingFile {
    config: LogFile,
    limits: Limits,
    longest: u64,
    open: Open,
    lost: Arc<AtomicU64>,
}

/// The file that is written to.
struct Open {
    appender: RollingFileAppender,
    path: PathBuf,
    /// The day or hour it is for.
    period: String,
    bytes: u64,
}

impl RollingFile {
    fn open(config: LogFile, lost: Arc<AtomicU64>) -> io::Result<Self> {
        let cap = config.max_total_size.max(SMALLEST_CAP);
        let cap = cap - log_dir::share_of_slow(cap);
        let longest = cap / FILES_PER_CAP;
        let limits = Limits {
            files: config.max_files,
            // Room for a whole live file.
            bytes_of_others: cap - longest,
        };
        Ok(Self {
            open: start(&config, limits)?,
            config,
            limits,
            longest,
            lost,
        })
    }

    /// Sees to it that there is a file to write `more` bytes to. One that cannot be
    /// changed for another goes on; only one that is gone is an error.
    fn make_ready(&mut self, more: u64) -> io::Result<()> {
        if !self.open.path.exists() {
            // Removed, perhaps with its directory: lines written to it would be gone.
            self.open = start(&self.config, self.limits)?;
        } else if self.open.period != period(self.config.rotation) {
            self.prune();
            if let Ok(open) = start(&self.config, self.limits) {
                self.open = open;
            }
        } else if self.open.bytes > 0 && self.open.bytes + more > self.longest {
            let _ = self.roll_by_size();
        }
        Ok(())
    }

    /// Moves the live file aside and starts a new one under its name.
    fn roll_by_size(&mut self) -> io::Result<()> {
        let aside = log_dir::aside(&self.open.path);
        self.prune();
        fs::rename(&self.open.path, &aside)?;
        match start(&self.config, self.limits) {
            Ok(open) => self.open = open,
            // The open file goes on, so it gets its name back.
            Err(_) => fs::rename(&aside, &self.open.path)?,
        }
        Ok(())
    }

    /// Makes room before a new file is opened, in case the disk is full.
    fn prune(&self) {
        log_dir::prune(&self.config.dir, &self.open.path, self.limits);
    }
}

impl Write for RollingFile {
    /// Writes whole lines; never fails, because a disk that is full must not wedge the
    /// thread: what does not fit is counted, and writing goes on when there is room.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let more = lines.len() as u64;
        let written = self
            .make_ready(more)
            .and_then(|()| self.open.appender.write_all(lines));
        match written {
            Ok(()) => self.open.bytes += more,
            // Not counted as bytes: on a full disk files would roll, and push out old ones.
            Err(_) => count_lines(lines, &self.lost),
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.appender.flush()
    }
}

/// Opens the file for now, and then deletes what is too old beside it.
fn start(config: &LogFile, limits: Limits) -> io::Result<Open> {
    let linked = config.rotation != LogRotation::Never;
    let current = config.dir.join(CURRENT);
    let period = period(config.rotation);
    let mut path = match config.rotation {
        LogRotation::Never => current.clone(),
        _ => config.dir.join(format!("{PREFIX}.{period}.{SUFFIX}")),
    };
    log_dir::make_way(&config.dir, linked)?;
    let mut builder = RollingFileAppender::builder()
        .filename_prefix(PREFIX)
        .filename_suffix(SUFFIX)
        .rotation(match config.rotation {
            LogRotation::Hourly => Rotation::HOURLY,
            LogRotation::Daily => Rotation::DAILY,
            LogRotation::Never => Rotation::NEVER,
        });
    if linked {
        builder = builder.latest_symlink(CURRENT);
    }
    let appender = builder.build(&config.dir).map_err(io::Error::other)?;
    // The appender reads the clock by itself: around midnight its file may be the next.
    if linked && let Ok(target) = fs::read_link(&current) {
        path = target;
    }
    log_dir::prune(&config.dir, &path, limits);
    let bytes = fs::metadata(&path).map_or(0, |file| file.len());
    Ok(Open {
        appender,
        path,
        period,
        bytes,
    })
}

/// What the names of files of this moment hold; empty where time does not matter.
fn period(rotation: LogRotation) -> String {
    match rotation {
        LogRotation::Hourly => clock::now().format("%Y-%m-%d-%H").to_string(),
        LogRotation::Daily => clock::now().format("%Y-%m-%d").to_string(),
        LogRotation::Never => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yesterday's file is finished and stays, also while the new one cannot be made.
    #[test]
    fn a_new_day_begins_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = LogFile {
            dir: dir.path().to_owned(),
            json: false,
            rotation: LogRotation::Daily,
            max_files: Some(2),
            max_total_size: 1 << 20,
        };
        let lost = Arc::new(AtomicU64::new(0));
        let mut file = RollingFile::open(config, Arc::clone(&lost)).unwrap();
        file.write_all(b"yesterday\n").unwrap();
        let yesterday = dir.path().join("torc-server.2020-01-01.log");
        let today = std::mem::replace(&mut file.open.path, yesterday.clone());
        fs::rename(&today, &yesterday).unwrap();
        file.open.period = "2020-01-01".to_owned();

        let link = dir.path().join(CURRENT);
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        file.write_all(b"late\n").unwrap();
        fs::remove_dir(&link).unwrap();
        file.write_all(b"today\n").unwrap();
        assert_eq!(fs::read_to_string(&yesterday).unwrap(), "yesterday\nlate\n");
        assert_eq!(fs::read_to_string(&today).unwrap(), "today\n");
        assert_eq!(fs::read_link(&link).unwrap(), today);
        assert_eq!(lost.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}
