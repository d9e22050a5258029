//! The log directory: which files in it are ours, how the next one is called, and which
//! have to go.
//!
//! Ours are `torc-server.<date>.log` and, moved aside, `torc-server.<date>.<n>.log`; with
//! `--log-rotation never` `torc-server.log` and `torc-server.<n>.log`. Everything else in
//! the directory is somebody else's and is never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How every name begins.
pub const PREFIX: &str = "torc-server";

/// How every name ends.
pub const SUFFIX: &str = "log";

/// The live file, or a link to it.
pub const CURRENT: &str = "torc-server.log";

/// The most bytes of both files of the slow-operation log.
const SLOW: u64 = 32 << 20;

/// How much of the cap of all logs is the slow-operation log's.
pub fn share_of_slow(cap: u64) -> u64 {
    (cap / 8).min(SLOW)
}

/// What may stay beside the live file.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most files, the live one included.
    pub files: Option<usize>,
    /// The most bytes of all other files.
    pub bytes_of_others: u64,
}

/// The name of a log file of ours, taken apart.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    /// `2026-11-24` or `2026-11-24-13`; empty without a date.
    date: String,
    /// Files moved aside have one; the file without is the newest.
    number: Option<u32>,
}

impl Name {
    /// Reads a name; `None` if it is not ours.
    fn parse(name: &str) -> Option<Self> {
        if name == CURRENT {
            return Some(Self {
                date: String::new(),
                number: None,
            });
        }
        let middle = name
            .strip_prefix(PREFIX)?
            .strip_prefix('.')?
            .strip_suffix(SUFFIX)?
            .strip_suffix('.')?;
        let (date, number) = match middle.split_once('.') {
            Some((date, number)) => (date, Some(number)),
            None if is_date(middle) => (middle, None),
            None => ("", Some(middle)),
        };
        if !(date.is_empty() && !middle.contains('.') || is_date(date)) {
            return None;
        }
        let number = match number {
            Some(digits) => Some(parse_number(digits)?),
            None => None,
        };
        Some(Self {
            date: date.to_owned(),
            number,
        })
    }

    /// Sorts by age where the clock of the file system does not: within a date the
    /// numbered ones are older than the one without.
    fn age(&self) -> (&str, u32) {
        (&self.date, self.number.unwrap_or(u32::MAX))
    }
}

fn is_date(text: &str) -> bool {
    const DAY: &str = "0000-00-00";
    const HOUR: &str = "0000-00-00-00";
    let like = |shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(c, s)| match s {
                b'0' => c.is_ascii_digit(),
                other => c == other,
            })
    };
    like(DAY) || like(HOUR)
}

fn parse_number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|c| c.is_ascii_digit()) && !digits.starts_with('0');
    (plain && digits.len() <= 8)
        .then(|| digits.parse().ok())
        .flatten()
}

/// A log file of ours.
struct Ours {
    name: Name,
    path: PathBuf,
    modified: SystemTime,
    size: u64,
}

/// Our log files; links, directories and what cannot be looked at are left out.
fn ours(dir: &Path) -> Vec<Ours> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = Name::parse(entry.file_name().to_str()?)?;
            let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(Ours {
                name,
                path: entry.path(),
                modified: meta.modified().ok()?,
                size: meta.len(),
            })
        })
        .collect()
}

/// Where `file` goes when it makes way: `a.log` becomes `a.<n>.log`, with a number above
/// all that are there, so that numbers grow with time.
pub fn aside(file: &Path) -> PathBuf {
    let date = file
        .file_name()
        .and_then(|name| Name::parse(name.to_str()?))
        .map(|name| name.date)
        .unwrap_or_default();
    let dir = file.parent().unwrap_or(Path::new("."));
    let last = ours(dir)
        .into_iter()
        .filter(|other| other.name.date == date)
        .filter_map(|other| other.name.number)
        .max();
    file.with_extension(format!("{}.{SUFFIX}", last.map_or(1, |n| n + 1)))
}

/// Makes the place of [`CURRENT`] free for what will stand there, a link or a file.
///
/// A file in the place of the link was left by another way of rotating, or by Torc 1.0.0,
/// and moves aside: tracing-appender would delete it. A link in the place of the file
/// goes, for the file behind it is a finished one.
///
/// # Errors
///
/// If it cannot be moved or removed.
pub fn make_way(dir: &Path, for_link: bool) -> io::Result<()> {
    let current = dir.join(CURRENT);
    let Ok(meta) = fs::symlink_metadata(&current) else {
        return Ok(());
    };
    if for_link && meta.is_file() {
        fs::rename(&current, aside(&current))
    } else if !for_link && meta.is_symlink() {
        fs::remove_file(&current)
    } else {
        Ok(())
    }
}

/// Deletes the oldest files of ours until the limits hold, but never `live`. What cannot
/// be deleted is left: the next time tries again.
pub fn prune(dir: &Path, live: &Path, limits: Limits) {
    let mut others = ours(dir);
    others.retain(|file| file.path != live);
    others.sort_by(|a, b| (a.modified, a.name.age()).cmp(&(b.modified, b.name.age())));
    let mut count = others.len();
    let mut bytes: u64 = others.iter().map(|file| file.size).sum();
    let may_stay = limits.files.map_or(usize::MAX, |files| files.max(1) - 1);
    for file in others {
        if count <= may_stay && bytes <= limits.bytes_of_others {
            break;
        }
        if fs::remove_file(&file.path).is_ok() {
            count -= 1;
            bytes -= file.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_ours() {
        for (name, date, number) in [
            ("torc-server.log", "", None),
            ("torc-server.7.log", "", Some(7)),
            ("torc-server.2026-11-24.log", "2026-11-24", None),
            ("torc-server.2026-11-24-13.log", "2026-11-24-13", None),
            ("torc-server.2026-11-24.12.log", "2026-11-24", Some(12)),
        ] {
            let date = date.to_owned();
            assert_eq!(Name::parse(name), Some(Name { date, number }), "{name}");
        }
        for name in [
            "torc-server-notes.log",
            "torc-server.notes.log",
            "torc-server.2026-11-24.notes.log",
            "torc-server.2026-11-24.1.2.log",
            "torc-server.2026-11-2x.log",
            "torc-server.2026-11-24.log.gz",
            "torc-server..log",
            "torc-server.01.log",
            "torc-server.log.1",
            "my-torc-server.log",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }

    #[test]
    fn numbers_only_grow() {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("torc-server.2026-11-24.log");
        assert!(aside(&live).ends_with("torc-server.2026-11-24.1.log"));
        for name in [
            "torc-server.2026-11-24.9.log",
            "torc-server.2026-11-24.11.log",
            "torc-server.2026-11-25.70.log",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert!(aside(&live).ends_with("torc-server.2026-11-24.12.log"));
        let undated = dir.path().join(CURRENT);
        assert!(aside(&undated).ends_with("torc-server.1.log"));
    }
}
