//! The write-ahead log, kept from growing for ever.
//!
//! SQLite moves the log into the database by itself, but starts it anew only in a
//! moment when nobody reads. Readers that overlap never leave such a moment, and the
//! log grows by all that is written. Past a limit the writer makes the moment: between
//! two batches, while no new commit comes, readers move on to the last one, and the
//! log is free.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::sql::timed;

/// The log is left alone up to so many bytes.
const LIMIT: u64 = 64 << 20;
/// How long readers of old pages are waited for.
const PATIENCE: Duration = Duration::from_millis(200);
/// Time between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// The log of one database.
pub(super) struct Wal {
    file: PathBuf,
    tried: Option<Instant>,
}

impl Wal {
    /// The log of the database at `path`.
    pub(super) fn of(path: &Path) -> Self {
        let mut file = path.as_os_str().to_owned();
        file.push("-wal");
        Self {
            file: file.into(),
            tried: None,
        }
    }

    /// Empties the log if it has become large.
    pub(super) fn keep_small(&mut self, conn: &Connection) {
        let large = std::fs::metadata(&self.file).is_ok_and(|file| file.len() > LIMIT);
        if !large || self.tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return;
        }
        self.tried = Some(Instant::now());
        let emptied = timed("wal.checkpoint", || -> rusqlite::Result<bool> {
            conn.busy_timeout(PATIENCE)?;
            conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| {
                row.get::<_, i64>(0).map(|busy| busy == 0)
            })
        });
        if let Err(error) = conn.busy_timeout(crate::store::backend::BUSY) {
            tracing::warn!("the writer's patience could not be set back: {error}");
        }
        match emptied {
            Ok(true) => tracing::debug!("emptied the write-ahead log"),
            Ok(false) => tracing::debug!("readers kept the write-ahead log from being emptied"),
            Err(error) => tracing::warn!("cannot empty the write-ahead log: {error}"),
        }
    }
}
