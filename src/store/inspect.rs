//! A look at a database file before anything is done to it: whoever names the wrong file
//! finds it as it was, byte for byte.

use std::io::Read;
use std::path::{Path, PathBuf};

use migration::MigratorTrait;
use rusqlite::{Connection, OpenFlags};

use super::backend;

/// Why a file is no database for this server; each text completes a line that names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It holds something else.
    #[error("the file is not an SQLite database")]
    NotADatabase,
    /// Its pages do not fit together.
    #[error("the file is damaged ({0}); restore it from a copy, it was left as it is")]
    Damaged(String),
    /// A later version of this server wrote it.
    #[error(
        "a newer torc-server wrote it (its change {0} is not known here); use that version, the \
         file was left as it is"
    )]
    Newer(String),
    /// Another program wrote it.
    #[error("it is another program's database (there is no table {0}); it was left as it is")]
    Foreign(&'static str),
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Tables without which a database with tables is none of ours or Torc's.
const OURS: [&str; 3] = ["workflow", "job", "resource_requirements"];

/// Looks at the file, if there is one.
///
/// # Errors
///
/// Why it cannot be used.
pub fn check(path: &Path) -> Result<(), Unfit> {
    match backend::looks_like_database(path) {
        Ok(true) => {}
        Ok(false) => return Err(Unfit::NotADatabase),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Unfit::Unreadable(error.to_string())),
    }
    whole(path)?;
    let looked = tables(path);
    looked.map_err(|error| match error {
        Look::Unfit(unfit) => unfit,
        Look::Sqlite(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Unfit::NotADatabase,
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Unfit::Damaged(error.to_string()),
            _ => Unfit::Unreadable(error.to_string()),
        },
    })
}

enum Look {
    Unfit(Unfit),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Look {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A file that SQLite keeps beside a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether all pages that the head counts are there (SQLite's file format, 1.3.1 and 1.3.7:
/// the page size at 16, the count at 28, which holds if the counters at 24 and 92 agree).
fn whole(path: &Path) -> Result<(), Unfit> {
    let unreadable = |error: std::io::Error| Unfit::Unreadable(error.to_string());
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut head = [0; 100];
    if length == 0 {
        return Ok(());
    }
    if file.read_exact(&mut head).is_err() {
        return Err(Unfit::Damaged("it ends within its head".to_owned()));
    }
    let number = |at: usize| {
        u64::from(u32::from_be_bytes([
            head[at],
            head[at + 1],
            head[at + 2],
            head[at + 3],
        ]))
    };
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        size => size,
    };
    let pages = number(28);
    if number(24) == number(92) && pages * page > length && !beside(path, "-wal").exists() {
        return Err(Unfit::Damaged(format!(
            "it has {length} bytes of {}",
            pages * page
        )));
    }
    Ok(())
}

/// Reads what tables there are and which of our changes were made. Where there is no log
/// beside the file, as from one that nobody writes: so SQLite makes no files beside it.
fn tables(path: &Path) -> Result<(), Look> {
    let log = beside(path, "-wal").exists();
    tables_of(path, if log { "mode=ro" } else { "immutable=1" })
}

fn tables_of(path: &Path, how: &str) -> Result<(), Look> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push('?');
    uri.push_str(how);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(uri, flags)?;
    let names: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?
        .query_map((), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let has = |table: &str| names.iter().any(|name| name == table);
    if let Some(missing) = OURS.into_iter().find(|table| !has(table)) {
        // A new file, or one in which our first change was never finished.
        if names
            .iter()
            .all(|name| name.starts_with("sqlite_") || name == "seaql_migrations")
        {
            return Ok(());
        }
        return Err(Look::Unfit(Unfit::Foreign(missing)));
    }
    for table in OURS {
        // The root page of each, to begin with.
        conn.query_row(
            &format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1)"),
            (),
            |_| Ok(()),
        )?;
    }
    if has("seaql_migrations") {
        let known: Vec<String> = migration::Migrator::migrations()
            .iter()
            .map(|change| change.name().to_owned())
            .collect();
        let made: Vec<String> = conn
            .prepare("SELECT version FROM seaql_migrations")?
            .query_map((), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if let Some(unknown) = made.into_iter().find(|change| !known.contains(change)) {
            return Err(Look::Unfit(Unfit::Newer(unknown)));
        }
    }
    Ok(())
}
