//! Writes a report to timestamped files and keeps the newest ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::report::Report;

/// How every dump's name begins; only such files are ever deleted.
const PREFIX: &str = "torc-timings-";

/// How many dumps (table and JSON together count as one) are kept.
const KEPT: usize = 20;

/// Writes `torc-timings-<UTC time>.txt` and `.json` into `dir`; returns the table's path.
///
/// # Errors
///
/// If the directory cannot be made, or a file not written.
pub fn write(dir: &Path, report: &Report) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let name = free_name(dir);
    // On one line: with its buckets each on four lines it would be ten times as large.
    let json = serde_json::to_vec(report).map_err(io::Error::other)?;
    put(&dir.join(format!("{name}.json")), &json)?;
    let table = dir.join(format!("{name}.txt"));
    // The table last: whoever waits for it finds the JSON as well.
    put(&table, report.to_string().as_bytes())?;
    prune(dir);
    Ok(table)
}

/// A name that no file has yet. Names sort by time, also within a millisecond.
fn free_name(dir: &Path) -> String {
    let time = crate::clock::now().format("%Y%m%dT%H%M%S%.3fZ");
    (0..)
        .map(|n| match n {
            0 => format!("{PREFIX}{time}"),
            n => format!("{PREFIX}{time}-{n:03}"),
        })
        .find(|name| !dir.join(format!("{name}.json")).exists())
        .unwrap_or_else(|| format!("{PREFIX}{time}"))
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

/// Deletes all but the newest dumps. A file that cannot be deleted is left: the next
/// dump tries again.
fn prune(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(PREFIX))
        .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort_unstable();
    let surplus = names.len().saturating_sub(KEPT);
    for name in &names[..surplus] {
        for ending in ["json", "txt"] {
            let _ = fs::remove_file(dir.join(format!("{name}.{ending}")));
        }
    }
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
}
