//! Locks of other processes on the database: how long the writer waits for one, and whose
//! they are.
//!
//! SQLite tells only that it is busy. Who holds what stands in `/proc/locks`, by the bytes
//! of the shared-memory file that SQLite locks. That file must not be opened to ask: closing
//! it would drop the locks that this process itself has on it.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::clock::Tick;
use crate::store::backend;
use crate::telemetry::board::{self, OtherProcess};

/// The byte of the shared-memory file that stands for the right to write.
const WRITE: RangeInclusive<u64> = 120..=120;
/// Those of readers. The one at 123 reads the database alone and holds no page back.
const READ: RangeInclusive<u64> = 124..=127;
/// The holder of a lock is looked for after so long a wait.
const LONG: Duration = Duration::from_millis(50);
/// Processes that are named at most.
const NAMED: usize = 8;

thread_local! {
    static DATABASE: RefCell<PathBuf> = const { RefCell::new(PathBuf::new()) };
    /// Since when this thread waits for a lock, and whether it has looked for the holder.
    static WAITING: Cell<Option<(Tick, bool)>> = const { Cell::new(None) };
}

/// Counts how long `conn` waits for others. To be called on the writer's thread.
pub(super) fn watch(conn: &Connection, database: PathBuf) {
    DATABASE.set(database);
    if let Err(error) = wait_patiently(conn) {
        tracing::warn!("waits for locks of other processes are not told: {error}");
    }
}

/// Has `conn` wait for a lock as long as any other connection.
pub(super) fn wait_patiently(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_handler(Some(wait))
}

/// How long this thread waited for a lock since it was asked last, if it had to.
pub(super) fn waited() -> Option<Duration> {
    let (since, told) = WAITING.take()?;
    if told {
        board::lock_wait_ended();
    }
    Some(since.elapsed())
}

/// Waits a little, unless it has been long enough; SQLite's own handler does the same.
fn wait(times: i32) -> bool {
    const PAUSES: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];
    let (since, told) = match WAITING.get() {
        Some(waiting) if times > 0 => waiting,
        _ => (Tick::now(), false),
    };
    let so_far = since.elapsed();
    let tell = !told && so_far >= LONG;
    if tell {
        let holder = DATABASE.with_borrow(|database| holders(database, &WRITE));
        board::lock_wait(since, holder.into_iter().next());
    }
    WAITING.set(Some((since, told || tell)));
    if so_far >= backend::BUSY {
        return false;
    }
    let at = usize::try_from(times).unwrap_or(0).min(PAUSES.len() - 1);
    std::thread::sleep(Duration::from_millis(PAUSES[at]));
    true
}

/// Other processes that read from the log of the database at `path`.
pub(super) fn readers(path: &Path) -> Vec<OtherProcess> {
    holders(path, &READ)
}

/// Other processes that have locked one of these bytes; none where the system does not
/// tell.
fn holders(path: &Path, bytes: &RangeInclusive<u64>) -> Vec<OtherProcess> {
    let mut shared = path.as_os_str().to_owned();
    shared.push("-shm");
    let Ok(file) = std::fs::metadata(&shared) else {
        return Vec::new();
    };
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut pids = pids_of(&locks, &key(file.dev(), file.ino()), bytes);
    pids.retain(|pid| *pid != std::process::id());
    pids.truncate(NAMED);
    pids.into_iter()
        .map(|pid| OtherProcess {
            pid,
            program: std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .map_or_else(|_| String::new(), |name| name.trim().to_owned()),
        })
        .collect()
}

/// A file as `/proc/locks` names it.
fn key(device: u64, inode: u64) -> String {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    format!("{major:02x}:{minor:02x}:{inode}")
}

/// Processes in `locks` that hold a byte of a file; those that wait for one do not count.
fn pids_of(locks: &str, file: &str, bytes: &RangeInclusive<u64>) -> Vec<u32> {
    let mut pids: Vec<u32> = locks
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, "POSIX", _, _, pid, of, first, last] = fields[..] else {
                return None;
            };
            let first: u64 = first.parse().ok()?;
            let last: u64 = last.parse().unwrap_or(u64::MAX);
            let held = of == file && first <= *bytes.end() && last >= *bytes.start();
            held.then(|| pid.parse().ok()).flatten()
        })
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_read_from_the_list_of_locks() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 41 fd:00:77 120 120
1: -> POSIX  ADVISORY  WRITE 42 fd:00:77 120 120
2: POSIX  ADVISORY  READ  43 fd:00:77 123 123
3: POSIX  ADVISORY  READ  44 fd:00:77 124 125
4: POSIX  ADVISORY  READ  44 fd:00:77 128 128
5: POSIX  ADVISORY  WRITE 45 fd:00:78 120 120
6: FLOCK  ADVISORY  WRITE 46 fd:00:77 0 EOF
7: POSIX  ADVISORY  WRITE 47 fd:00:77 0 EOF
nonsense
";
        assert_eq!(pids_of(locks, "fd:00:77", &WRITE), [41, 47]);
        assert_eq!(pids_of(locks, "fd:00:77", &READ), [44, 47]);
        assert_eq!(key(rustix::fs::makedev(8, 1), 9), "08:01:9");
    }
}
