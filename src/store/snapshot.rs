//! A consistent copy of the database while the server runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The database refused.
    #[error("cannot copy the database: {0}")]
    Copy(#[from] rusqlite::Error),
    /// The file system refused.
    #[error("cannot put the copy in place: {0}")]
    Place(#[from] std::io::Error),
}

/// Writes a copy of `database` to `target`; older copies move to `target.1` and
/// so on, of which `keep` remain in all. Blocking.
///
/// The copy is written beside its place and renamed into it, so whoever opens
/// `target` finds a whole one.
///
/// # Errors
///
/// What the database or the file system says; older copies are untouched then.
pub fn write(database: &Path, target: &Path, keep: usize) -> Result<(), SnapshotError> {
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let temporary = suffixed(target, ".tmp");
    if temporary.exists() {
        std::fs::remove_file(&temporary)?;
    }
    let conn = Connection::open_with_flags(
        database,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.execute("VACUUM INTO ?1", [temporary.to_string_lossy()])?;
    drop(conn);
    for age in (1..keep).rev() {
        let older = if age == 1 {
            target.to_owned()
        } else {
            suffixed(target, &format!(".{}", age - 1))
        };
        if older.exists() {
            std::fs::rename(&older, suffixed(target, &format!(".{age}")))?;
        }
    }
    std::fs::rename(&temporary, target)?;
    Ok(())
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
