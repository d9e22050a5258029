//! Changes the file of users: whole, or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::{FileError, Line, Users};

/// Why a file was not changed; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// What is there already means nothing.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be written.
    #[error("cannot write the auth file {file}: {cause}", file = file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// Gives a user this hash. Answers whether there was such a user before. A file that is
/// missing is made.
///
/// # Errors
///
/// A file that holds something else than users, or cannot be written.
pub fn set(file: &Path, user: &str, hash: &str) -> Result<bool, EditError> {
    let line = format!("{user}:{hash}");
    edit(file, true, |text| {
        let (mut lines, at) = find(text, user);
        match at {
            Some(at) => lines[at] = &line,
            None => lines.push(&line),
        }
        Some((join(&lines), at.is_some()))
    })
    .map(|replaced| replaced.unwrap_or_default())
}

/// Removes a user. Answers how many there are then; none if there was no such user.
///
/// # Errors
///
/// As [`set`], and a file that is missing.
pub fn remove(file: &Path, user: &str) -> Result<Option<usize>, EditError> {
    edit(file, false, |text| {
        let (mut lines, at) = find(text, user);
        lines.remove(at?);
        let users = lines.iter().filter(|line| name(line).is_some());
        let left = users.count();
        Some((join(&lines), left))
    })
}

fn name(line: &str) -> Option<&str> {
    Line::read(line).ok().flatten().map(|line| line.name)
}

/// All lines, and which one is the user's.
fn find<'a>(text: &'a str, user: &str) -> (Vec<&'a str>, Option<usize>) {
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| name(line) == Some(user));
    (lines, at)
}

fn join(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// Puts what `change` makes of a file in its place. Nothing is done if that is nothing.
fn edit<T>(
    file: &Path,
    may_be_missing: bool,
    change: impl FnOnce(&str) -> Option<(String, T)>,
) -> Result<Option<T>, EditError> {
    let failed = |cause| EditError::Write {
        file: file.to_owned(),
        cause,
    };
    // What a link points to is replaced, not the link.
    let target = match fs::canonicalize(file) {
        Ok(target) => target,
        Err(_missing) => file.to_owned(),
    };
    let directory = match target.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        _ => PathBuf::from("."),
    };
    let handle = File::open(&directory).map_err(failed)?;
    // Two that change it at one time would lose what one of them did. Where a file system
    // has no locks, so be it.
    let _ = rustix::fs::flock(&handle, FlockOperation::LockExclusive);
    let text = match fs::read_to_string(&target) {
        Ok(text) => text,
        Err(cause) if cause.kind() == ErrorKind::NotFound && may_be_missing => String::new(),
        Err(cause) => {
            let file = file.to_owned();
            return Err(FileError::Read { file, cause }.into());
        }
    };
    match Users::parse(file, &text) {
        Ok(_) | Err(FileError::Empty { .. }) => {}
        Err(wrong) => return Err(wrong.into()),
    }
    let Some((text, outcome)) = change(&text) else {
        return Ok(None);
    };
    replace(&target, &directory, &text).map_err(failed)?;
    handle.sync_all().map_err(failed)?;
    Ok(Some(outcome))
}

/// The new file is whole and on the disk before it takes the place of the old one.
fn replace(target: &Path, directory: &Path, text: &str) -> io::Result<()> {
    let mut new = tempfile::Builder::new()
        .prefix(".htpasswd-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(directory)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(target) {
        // Root may change the file of the user whom the server runs as, who must go on
        // reading it; and so may a group that may read it. Nobody else.
        let kept = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
        let mode = if kept.is_ok() { old.mode() & 0o040 } else { 0 };
        let mode = fs::Permissions::from_mode(0o600 | mode);
        new.as_file().set_permissions(mode)?;
    }
    new.as_file().sync_all()?;
    new.persist(target)?;
    Ok(())
}
