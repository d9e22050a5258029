//! A copy of a database with some of its workflows, in a file of its own. The source may be
//! in use, and may be one that Torc wrote.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params_from_iter};

use super::backend;

/// Which workflows are kept.
#[derive(Debug, Clone)]
pub enum Kept {
    /// All of them.
    All,
    /// Those with these ids, each of which must exist.
    Ids(Vec<i64>),
    /// Those of these users.
    Users(Vec<String>),
    /// Those that one of these groups may use.
    Groups(Vec<i64>),
}

/// What to copy, and where to.
#[derive(Debug, Clone)]
pub struct Export {
    /// The database.
    pub source: PathBuf,
    /// The file to write.
    pub target: PathBuf,
    /// Which workflows.
    pub kept: Kept,
    /// Replace the target.
    pub overwrite: bool,
    /// Groups and members too.
    pub access_groups: bool,
    /// Give the space of what was removed back.
    pub vacuum: bool,
}

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Workflows in the copy.
    pub workflows: i64,
    /// Jobs in the copy.
    pub jobs: i64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why there is no copy; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The source.
    #[error("cannot read the database {path}: {cause}")]
    Source {
        /// Its path.
        path: String,
        /// Why.
        cause: String,
    },
    /// The target is there.
    #[error("{0} exists already; --overwrite replaces it")]
    Exists(String),
    /// What was asked for is not there.
    #[error("{0}; nothing was written")]
    NothingToKeep(String),
    /// The target.
    #[error("cannot write {path}: {cause}")]
    Target {
        /// Its path.
        path: String,
        /// Why.
        cause: String,
    },
}

impl Export {
    fn source_error(&self, cause: &dyn std::fmt::Display) -> ExportError {
        ExportError::Source {
            path: self.source.display().to_string(),
            cause: cause.to_string(),
        }
    }

    fn target_error(&self, cause: &dyn std::fmt::Display) -> ExportError {
        ExportError::Target {
            path: self.target.display().to_string(),
            cause: cause.to_string(),
        }
    }

    /// Writes the copy beside its place and renames it into it, so that whoever opens the
    /// target finds a whole one or none. Blocking.
    ///
    /// # Errors
    ///
    /// What cannot be read, is not there, or cannot be written; the target is as it was.
    pub fn run(&self) -> Result<Exported, ExportError> {
        if self.target.exists() && !self.overwrite {
            return Err(ExportError::Exists(self.target.display().to_string()));
        }
        self.nobody_uses_target()?;
        match backend::looks_like_database(&self.source) {
            Ok(true) => {}
            Ok(false) => return Err(self.source_error(&"it is not an SQLite database")),
            Err(error) => return Err(self.source_error(&error)),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(&self.source, flags)
            .map_err(|error| self.source_error(&error))?;
        source
            .busy_timeout(backend::BUSY)
            .map_err(|error| self.source_error(&error))?;
        self.check(&source)?;
        let beside = match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = tempfile::Builder::new()
            .prefix(".torc-export-")
            .tempdir_in(beside)
            .map_err(|error| self.target_error(&error))?;
        let copy = directory.path().join("export.db");
        source
            .execute("VACUUM INTO ?1", [copy.to_string_lossy()])
            .map_err(|error| self.target_error(&error))?;
        drop(source);
        let (workflows, jobs) = self
            .reduce(&copy)
            .map_err(|error| self.target_error(&error))?;
        let place = || {
            let bytes = std::fs::metadata(&copy)?.len();
            std::fs::File::open(&copy)?.sync_all()?;
            std::fs::rename(&copy, &self.target)?;
            Ok(bytes)
        };
        let bytes = place().map_err(|error: std::io::Error| self.target_error(&error))?;
        Ok(Exported {
            workflows,
            jobs,
            bytes,
        })
    }

    /// Refuses to replace a database that a server has open, or that has a log beside it,
    /// whose pages would be mixed into the copy.
    fn nobody_uses_target(&self) -> Result<(), ExportError> {
        let same = |path: &Path| path.canonicalize().ok();
        if same(&self.target).is_some_and(|target| Some(target) == same(&self.source)) {
            return Err(self.target_error(&"it is the database that is to be copied"));
        }
        let beside = |suffix: &str| {
            let mut name = self.target.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        if std::fs::File::open(beside(".lock")).is_ok_and(|lock| lock.try_lock().is_err()) {
            return Err(self.target_error(&"a server is running on it; stop it first"));
        }
        if beside("-wal").exists() {
            return Err(self.target_error(
                &"part of it is in the log beside it (-wal): start its server once and stop it, \
                  or choose another file",
            ));
        }
        Ok(())
    }

    /// Refuses what would leave nothing, before anything is written.
    fn check(&self, source: &Connection) -> Result<(), ExportError> {
        let exists = |sql: &str, value: &dyn rusqlite::ToSql| {
            source
                .prepare(sql)
                .and_then(|mut statement| statement.exists([value]))
                .map_err(|error| self.source_error(&error))
        };
        // Of every database of ours, and of few others.
        exists(
            "SELECT 1 FROM workflow w JOIN job j ON j.workflow_id = w.id WHERE w.id = ?",
            &0,
        )?;
        let missing = |what: String| Err(ExportError::NothingToKeep(what));
        match &self.kept {
            Kept::All => {}
            Kept::Ids(ids) => {
                for id in ids {
                    if !exists("SELECT 1 FROM workflow WHERE id = ?", id)? {
                        return missing(format!("there is no workflow {id}"));
                    }
                }
            }
            Kept::Users(users) => {
                for user in users {
                    if !exists("SELECT 1 FROM workflow WHERE user = ?", user)? {
                        return missing(format!("user '{user}' has no workflows"));
                    }
                }
            }
            Kept::Groups(groups) => {
                for id in groups {
                    if !exists("SELECT 1 FROM workflow_access_group WHERE group_id = ?", id)? {
                        return missing(format!("access group {id} has no workflows"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes from the copy what is not to be kept; answers its workflows and jobs.
    fn reduce(&self, copy: &Path) -> rusqlite::Result<(i64, i64)> {
        let conn = Connection::open(copy)?;
        // Nobody else has it, and it is thrown away if this fails.
        conn.execute_batch(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON; \
             BEGIN",
        )?;
        let marks = |count: usize| vec!["?"; count].join(", ");
        match &self.kept {
            Kept::All => {}
            Kept::Ids(ids) => {
                let sql = format!(
                    "DELETE FROM workflow WHERE id NOT IN ({})",
                    marks(ids.len())
                );
                conn.execute(&sql, params_from_iter(ids))?;
            }
            Kept::Users(users) => {
                let marks = marks(users.len());
                let sql = format!("DELETE FROM workflow WHERE user NOT IN ({marks})");
                conn.execute(&sql, params_from_iter(users))?;
            }
            Kept::Groups(groups) => {
                let sql = format!(
                    "DELETE FROM workflow WHERE id NOT IN \
                     (SELECT workflow_id FROM workflow_access_group WHERE group_id IN ({}))",
                    marks(groups.len())
                );
                conn.execute(&sql, params_from_iter(groups))?;
            }
        }
        if !matches!(self.kept, Kept::All) {
            // Its statements may be about workflows that are not kept.
            conn.execute("DELETE FROM admin_audit_log", ())?;
        }
        if !self.access_groups {
            conn.execute_batch(
                "DELETE FROM workflow_access_group; DELETE FROM user_group_membership; \
                 DELETE FROM access_group",
            )?;
        }
        conn.execute_batch("COMMIT")?;
        if self.vacuum {
            conn.execute_batch("VACUUM")?;
        }
        let count = |table: &str| {
            conn.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| {
                row.get(0)
            })
        };
        let counts = (count("workflow")?, count("job")?);
        // As servers keep it.
        conn.execute_batch("PRAGMA journal_mode = DELETE")?;
        conn.close().map_err(|(_, error)| error)?;
        Ok(counts)
    }
}
