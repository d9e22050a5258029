//! Dumps: timestamped files in one directory, of which the newest are kept.
//!
//! All files of one dump have one time in their names. SIGUSR1 writes the report as a table,
//! as JSON and as histograms (`torc-timings-<UTC time>.txt`, `.json`, `.hlog`) and the flight
//! recorder (`torc-flight-<UTC time>.json`); a panic, a slow operation or a stalled worker
//! thread the latter alone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::recorder::history;
use super::recorder::window::{Window, WindowError};
use super::{TelemetryHandle, flight, hlog, trace};
use crate::clock::Tick;

/// How the names of a report begin, and those of a flight recorder. Only such files are
/// ever deleted.
const PREFIXES: [&str; 2] = ["torc-timings-", "torc-flight-"];

/// How they end.
const ENDINGS: [&str; 3] = [".txt", ".json", ".hlog"];

/// How many dumps (all files of one time count as one) are kept.
const KEPT: usize = 20;

/// What a file of a dump holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The flight recorder.
    Flight,
    /// The histograms.
    Histograms,
    /// The report as JSON.
    Report,
    /// The report as a table.
    Table,
}

impl Content {
    fn name(self, time: &str) -> String {
        let [timings, flight] = PREFIXES;
        match self {
            Self::Flight => format!("{flight}{time}.json"),
            Self::Histograms => format!("{timings}{time}.hlog"),
            Self::Report => format!("{timings}{time}.json"),
            Self::Table => format!("{timings}{time}.txt"),
        }
    }
}

/// Where dumps lie, and how much they may take.
#[derive(Debug, Clone)]
pub struct Dumps {
    /// The directory; made if missing.
    pub dir: PathBuf,
    /// Bytes of all dumps together. The newest dump stays, however long it is.
    pub max_total_size: u64,
}

impl Dumps {
    /// Writes one dump; returns the path of its last file. Whoever waits for that finds the
    /// others as well. On a disk that is nearly full the small files may be all there is
    /// room for, so one that cannot be written does not keep the others from it.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made, or a file not written.
    pub fn write(&self, files: &[(Content, Vec<u8>)]) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.dir)?;
        let time = self.free_time();
        // Before writing: the disk may be full of old ones.
        let more: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        self.prune(&time, KEPT - 1, self.max_total_size.saturating_sub(more));
        let mut last = PathBuf::new();
        let mut failure = None;
        for (content, bytes) in files {
            last = self.dir.join(content.name(&time));
            if let Err(error) = put(&last, bytes) {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(last), Err)
    }

    /// A time that no dump has yet. Names sort by time, also within a millisecond.
    fn free_time(&self) -> String {
        let now = crate::clock::now().format("%Y%m%dT%H%M%S%.3fZ").to_string();
        let taken = |time: &str| {
            [Content::Flight, Content::Report]
                .iter()
                .any(|content| self.dir.join(content.name(time)).exists())
        };
        (0..)
            .map(|n| match n {
                0 => now.clone(),
                n => format!("{now}-{n:03}"),
            })
            .find(|time| !taken(time))
            .unwrap_or(now)
    }

    /// Deletes the oldest dumps until so many and so many bytes remain. A file that cannot
    /// be deleted is left: the next dump tries again.
    fn prune(&self, spared: &str, kept: usize, bytes: u64) {
        let mut dumps: BTreeMap<String, Vec<(PathBuf, u64)>> = BTreeMap::new();
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(time) = name.to_str().and_then(time_of) else {
                continue;
            };
            let size = entry.metadata().map_or(0, |meta| meta.len());
            let dump = dumps.entry(time.to_owned()).or_default();
            dump.push((entry.path(), size));
        }
        dumps.remove(spared);
        let mut total: u64 = dumps.values().flatten().map(|(_, size)| size).sum();
        let mut count = dumps.len();
        for files in dumps.values() {
            if count <= kept && total <= bytes {
                break;
            }
            for (path, size) in files {
                if fs::remove_file(path).is_ok() {
                    total -= size;
                }
            }
            count -= 1;
        }
    }
}

impl TelemetryHandle {
    /// The histograms of a window as an HdrHistogram interval log. Blocks like
    /// [`Self::report`].
    ///
    /// # Errors
    ///
    /// No such window.
    pub fn histograms(&self, window: &str) -> Result<io::Result<Vec<u8>>, WindowError> {
        let window: Window = window.parse()?;
        let lately = history::lately(&window, self.0.started)?;
        Ok(hlog::write(&lately))
    }

    /// What the flight recorder holds of the time after `since`, as trace events that
    /// Perfetto and Chrome read. Takes some milliseconds per megabyte: call it on the
    /// blocking pool.
    pub fn trace(&self, since: Option<Tick>) -> Vec<u8> {
        self.trace_about(since, &json!(self.about()))
    }

    fn trace_about(&self, since: Option<Tick>, about: &Value) -> Vec<u8> {
        trace::write(&flight::recent(since), self.0.started, about)
    }

    /// Writes the report, as a table, as JSON and as histograms, and the flight recorder to
    /// new files in the dump directory and returns the table's path. Blocks. The 20 newest
    /// dumps are kept.
    ///
    /// # Errors
    ///
    /// If the directory cannot be written.
    pub fn dump(&self) -> io::Result<PathBuf> {
        let lately = history::since_start(self.0.started);
        let report = self.report_of("start", &lately, true);
        let mut files = Vec::with_capacity(4);
        if flight::is_on() {
            files.push((Content::Flight, self.trace(None)));
        }
        files.push((Content::Histograms, hlog::write(&lately)?));
        // On one line: with its buckets each on four lines it would be ten times as large.
        let json = serde_json::to_vec(&report).map_err(io::Error::other)?;
        files.push((Content::Report, json));
        files.push((Content::Table, report.to_string().into_bytes()));
        self.0.dumps.write(&files)
    }

    /// Writes the flight recorder alone. Blocks.
    ///
    /// # Errors
    ///
    /// If the directory cannot be written.
    pub(super) fn dump_flight(&self, because: &str) -> io::Result<PathBuf> {
        let mut about = json!(self.about());
        about["dumped_after"] = json!(because);
        let trace = self.trace_about(None, &about);
        self.0.dumps.write(&[(Content::Flight, trace)])
    }
}

/// The time in a name of ours, also of a file that was not finished.
fn time_of(name: &str) -> Option<&str> {
    let rest = PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    let rest = rest.strip_suffix(".tmp").unwrap_or(rest);
    ENDINGS.iter().find_map(|ending| rest.strip_suffix(ending))
}

/// Under the final name a file is always whole; what could not be finished is removed.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".tmp");
    let put = fs::write(&partial, content).and_then(|()| fs::rename(&partial, path));
    if put.is_err() {
        let _ = fs::remove_file(&partial);
    }
    put
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory in the way of the final name lets the write succeed and the rest fail.
    #[test]
    fn what_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken.json");
        fs::create_dir(&taken).unwrap();
        assert!(put(&taken, b"{}").is_err());
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The cap holds for all files of all dumps, the oldest go first, others' files stay.
    #[test]
    fn dumps_stay_within_their_bytes_and_their_number() {
        let dir = tempfile::tempdir().unwrap();
        let put =
            |name: &str, size: usize| fs::write(dir.path().join(name), vec![0; size]).unwrap();
        for name in [
            "torc-timings-20200101T000000.000Z.txt",
            "torc-flight-20200101T000000.000Z.json",
            "torc-flight-20200102T000000.000Z.json.tmp",
            "torc-flight-20200103T000000.000Z.json",
        ] {
            put(name, 400);
        }
        for name in ["torc-flight-notes.md", "torc-server.log"] {
            put(name, 5_000);
        }
        let dumps = Dumps {
            dir: dir.path().to_owned(),
            max_total_size: 1_000,
        };
        let written = dumps.write(&[(Content::Flight, vec![0; 500])]).unwrap();
        let written = written.file_name().unwrap().to_str().unwrap().to_owned();
        let mut expected = vec![
            "torc-flight-20200103T000000.000Z.json".to_owned(),
            written,
            "torc-flight-notes.md".to_owned(),
            "torc-server.log".to_owned(),
        ];
        expected.sort();
        assert_eq!(names(dir.path()), expected);
        // A single one that is too long is written all the same.
        dumps.write(&[(Content::Table, vec![0; 5_000])]).unwrap();
        assert_eq!(names(dir.path()).len(), 3);
        for _ in 0..30 {
            dumps
                .write(&[(Content::Flight, Vec::new()), (Content::Table, Vec::new())])
                .unwrap();
        }
        assert_eq!(names(dir.path()).len(), 2 + 2 * KEPT);
    }
}
