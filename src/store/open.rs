//! Opening a database: the lock beside the file, the migrations, the connections.

use std::fs::{File, OpenOptions as FileOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use migration::MigratorTrait;
use sea_orm::{ConnectOptions, Database};

use super::Reads;
use super::backend::{self, Synchronous};
use super::inspect;
use super::writer::{Perform, Writer};

/// How long queued commands may take when the store closes.
const FINISH: Duration = Duration::from_secs(2);

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: every commit waits for the disk.
    #[default]
    Power,
    /// The end of the process; the last moments may go with the power.
    Process,
}

/// What to open, and how.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The file; `None` for a private database that ends with the process.
    pub path: Option<PathBuf>,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Commands that may wait for the writer.
    pub queue_capacity: usize,
    /// Read connections.
    pub readers: usize,
}

/// Why a database cannot be opened; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its directory cannot be used.
    #[error("cannot open the database {path}: {cause}")]
    Unusable {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// Another server has it.
    #[error(
        "the database {path} is in use by another torc-server{holder}; \
         stop that one, or choose another file with --database"
    )]
    InUse {
        /// The file.
        path: String,
        /// ` (process 1234)`, where it is known.
        holder: String,
    },
}

/// An open database: the writer, the readers, and what holds them together.
pub struct Store {
    /// Accepts commands.
    pub writer: Writer,
    /// Lends read connections.
    pub reads: Reads,
    path: PathBuf,
    in_memory: bool,
    thread: Option<JoinHandle<()>>,
    // Kept for their ends: the lock is released, the private directory removed.
    _lock: File,
    _private: Option<tempfile::TempDir>,
}

impl Store {
    /// Opens, migrates and locks the database; `perform` hears of every commit.
    ///
    /// # Errors
    ///
    /// [`OpenError`], whose text is for the user.
    pub async fn open(options: &OpenOptions, perform: Perform) -> Result<Self, OpenError> {
        let private = match options.path {
            Some(_) => None,
            None => Some(private_directory()?),
        };
        let path = match (&options.path, &private) {
            (Some(path), _) => path.clone(),
            (None, Some(directory)) => directory.path().join(PRIVATE_FILE),
            (None, None) => PathBuf::from(PRIVATE_FILE),
        };
        // Before the lock, so that none is left beside a file that is none of ours.
        check_file(&path)?;
        let path = resolved(&path)?;
        let lock = lock(&path)?;
        check_file(&path)?;
        migrate(&path).await?;
        let synchronous = match (&private, options.durability) {
            (Some(_), _) => Synchronous::Off,
            (None, Durability::Power) => Synchronous::Full,
            (None, Durability::Process) => Synchronous::Normal,
        };
        let open = || backend::open_writer(&path, synchronous).map_err(|e| unusable(&path, &e));
        let (conn, mover) = (open()?, open()?);
        let mut readers = Vec::new();
        for _ in 0..options.readers.max(1) {
            readers.push(
                backend::open_reader(&path)
                    .await
                    .map_err(|e| unusable(&path, &e))?,
            );
        }
        let (writer, thread) = Writer::start(conn, mover, &path, options.queue_capacity, perform)
            .map_err(|error| unusable(&path, &error))?;
        Ok(Self {
            writer,
            reads: Reads::new(path.clone(), readers),
            path,
            in_memory: private.is_some(),
            thread: Some(thread),
            _lock: lock,
            _private: private,
        })
    }

    /// Where the database lies; for `:memory:`, where its private file does.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the database goes with the process.
    pub fn in_memory(&self) -> bool {
        self.in_memory
    }

    /// Lets the writer finish what is queued, then closes every connection. What takes
    /// longer than [`FINISH`] is undone, and refused to those who wait for it.
    pub async fn close(mut self) {
        // Readers first: a checkpoint cannot truncate the log under them.
        self.reads.close().await;
        let Some(thread) = self.thread.take() else {
            return;
        };
        let writer = self.writer.clone();
        let ended = async move {
            writer.stop().await;
            crate::telemetry::task::spawn_blocking("store-close", move || thread.join()).await
        };
        let mut ended = std::pin::pin!(ended);
        let joined = match tokio::time::timeout(FINISH, &mut ended).await {
            Ok(joined) => joined,
            Err(_elapsed) => {
                tracing::warn!("writes that were not finished in time are undone");
                self.writer.hurry();
                ended.await
            }
        };
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the writer thread ended with a panic");
        }
    }
}

/// The beginning of the names of directories with a private database.
const PRIVATE: &str = "torc-server-";
/// The file in it.
const PRIVATE_FILE: &str = "memory.db";

/// A directory for a database that goes with the process. Those of processes that were
/// killed are removed on the way: nobody holds their locks.
fn private_directory() -> Result<tempfile::TempDir, OpenError> {
    let fail = |error| unusable(Path::new(":memory:"), &error);
    let entries = std::fs::read_dir(std::env::temp_dir());
    for entry in entries.into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let ours = name.to_str().is_some_and(|name| name.starts_with(PRIVATE));
        let beside = path.join(PRIVATE_FILE).with_extension("db.lock");
        let left = ours && File::open(beside).is_ok_and(|lock| lock.try_lock().is_ok());
        if left && let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::debug!("cannot remove {}: {error}", path.display());
        }
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(PRIVATE).tempdir().map_err(fail)
}

fn unusable(path: &Path, cause: &dyn std::fmt::Display) -> OpenError {
    OpenError::Unusable {
        path: path.display().to_string(),
        cause: cause.to_string(),
    }
}

/// Takes the advisory lock beside the file. The lock, not the file's existence,
/// says that somebody is there, so one that a crash left behind is no obstacle.
fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        PathBuf::from(name)
    };
    let mut file = FileOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&beside)
        .map_err(|error| unusable(path, &error))?;
    if let Err(refused) = file.try_lock() {
        let std::fs::TryLockError::WouldBlock = refused else {
            return Err(unusable(path, &refused));
        };
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        let holder = match holder.trim() {
            "" => String::new(),
            pid => format!(" (process {pid})"),
        };
        return Err(OpenError::InUse {
            path: path.display().to_string(),
            holder,
        });
    }
    // Only for the message above; the lock holds without it.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}

/// The file itself, whatever links and relative paths lead to it: the lock lies beside
/// it, and two names for one database must find the same lock.
fn resolved(path: &Path) -> Result<PathBuf, OpenError> {
    match path.canonicalize() {
        Ok(path) => Ok(path),
        // It will be made; its directory is there, or nothing can be.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let directory = directory.canonicalize().map_err(|e| unusable(path, &e))?;
            let name = path.file_name().ok_or_else(|| unusable(path, &error))?;
            Ok(directory.join(name))
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

fn check_file(path: &Path) -> Result<(), OpenError> {
    inspect::check(path).map_err(|unfit| unusable(path, &unfit))
}

async fn migrate(path: &Path) -> Result<(), OpenError> {
    // The path goes in as a path: a URL would give `?` and `%` in it a meaning.
    let file = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |_| backend::migration_options(&file));
    let db = Database::connect(options)
        .await
        .map_err(|e| unusable(path, &e))?;
    let migrated = migration::Migrator::up(&db, None).await;
    let closed = db.close().await;
    migrated.and(closed).map_err(|e| unusable(path, &e))
}
