//! `torc-slow.jsonl` in the log directory: appended to, moved to `torc-slow.jsonl.1` when it
//! is long enough, so that both together stay within their part of the directory's cap.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::config::telemetry::LogFile;
use crate::telemetry::files::SMALLEST_CAP;
use crate::telemetry::log_dir;
use crate::telemetry::outlet::{Outlet, OutletGuard, count_lines};

/// The live file.
const NAME: &str = "torc-slow.jsonl";

/// Lines that may wait for the disk: more than come in a minute and a half.
const WAITING: usize = 1_000;

/// Opens the way to the file. The file itself is made with the first line.
///
/// # Errors
///
/// If the directory is not there.
pub fn open(logs: &LogFile) -> io::Result<(Outlet, OutletGuard)> {
    let lost = Arc::new(AtomicU64::new(0));
    let file = SlowFile {
        path: fs::canonicalize(&logs.dir)?.join(NAME),
        longest: log_dir::share_of_slow(logs.max_total_size.max(SMALLEST_CAP)) / 2,
        open: None,
        lost: Arc::clone(&lost),
        said: false,
    };
    Ok(Outlet::named("slow-log-writer", WAITING, file, lost))
}

struct SlowFile {
    path: PathBuf,
    longest: u64,
    open: Option<(File, u64)>,
    lost: Arc<AtomicU64>,
    said: bool,
}

impl SlowFile {
    /// Writes whole lines, or nothing of them.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let more = lines.len() as u64;
        if self.open.is_some() && !self.path.exists() {
            // Removed, perhaps with its directory.
            self.open = None;
        }
        if (self.open.as_ref()).is_some_and(|(_, bytes)| *bytes > 0 && bytes + more > self.longest)
        {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            fs::rename(&self.path, aside)?;
            self.open = None;
        }
        let (mut file, bytes) = match self.open.take() {
            Some(open) => open,
            None => {
                if let Some(dir) = self.path.parent() {
                    fs::create_dir_all(dir)?;
                }
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&self.path)?;
                let bytes = file.metadata()?.len();
                (file, bytes)
            }
        };
        if let Err(error) = file.write_all(lines) {
            // Half a line would spoil the next one.
            let _ = file.set_len(bytes);
            self.open = Some((file, bytes));
            return Err(error);
        }
        self.open = Some((file, bytes + more));
        Ok(())
    }
}

impl Write for SlowFile {
    /// Never fails: what cannot be written is counted, and said once.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.append(lines) {
            count_lines(lines, &self.lost);
            if !self.said {
                self.said = true;
                let path = self.path.display();
                tracing::warn!("the slow-operation log cannot be written to {path}: {error}");
            }
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    /// Both files together stay within their part, and the newest line is in the live one.
    #[test]
    fn it_rolls_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs").join(NAME);
        let lost = Arc::new(AtomicU64::new(0));
        let mut file = SlowFile {
            path: path.clone(),
            longest: 1_000,
            open: None,
            lost: Arc::clone(&lost),
            said: false,
        };
        for n in 0..500 {
            file.write_all(format!("{{\"n\":{n}}}\n").as_bytes())
                .unwrap();
        }
        let live = fs::read_to_string(&path).unwrap();
        assert!(live.ends_with("{\"n\":499}\n") && live.len() <= 1_000);
        assert!(fs::metadata(path.with_extension("jsonl.1")).unwrap().len() <= 1_000);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path.parent().unwrap(), "in the way").unwrap();
        file.write_all(b"{}\n{}\n").unwrap();
        fs::remove_file(path.parent().unwrap()).unwrap();
        file.write_all(b"{}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
        assert_eq!(lost.load(Ordering::Relaxed), 2);
    }
}
