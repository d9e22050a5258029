//! `torc-server htpasswd`: what it does and says.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde_json::json;
use zeroize::{Zeroize, Zeroizing};

use super::edit::{self, EditError};
use super::{FileError, Line, PASSWORD_BYTES, Users};
use crate::config::htpasswd::{
    AddArgs, HtpasswdCommand, ListArgs, PasswordArgs, UserArgs, VerifyArgs,
};
use crate::prompt;
use crate::say::say;

/// Why nothing was done; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command makes no sense.
    #[error("{0}")]
    Usage(String),
    /// It could not be done, or the answer is no.
    #[error("{0}")]
    Failed(String),
    /// Ctrl-C.
    #[error("cancelled")]
    Cancelled,
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Cancelled => 130,
        }
    }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::Interrupted => Self::Cancelled,
            ErrorKind::NotFound => Self::Usage(format!("{error}; use --password-stdin")),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Does what the command says.
///
/// # Errors
///
/// What is wrong with the command, the file or the password.
pub fn run(command: HtpasswdCommand) -> Result<(), Failure> {
    match command {
        HtpasswdCommand::Add(args) => add(args),
        HtpasswdCommand::Remove(args) => remove(&args),
        HtpasswdCommand::List(args) => list(&args),
        HtpasswdCommand::Verify(args) => verify(args),
    }
}

fn add(args: AddArgs) -> Result<(), Failure> {
    let UserArgs { file, user } = args.user;
    check_name(&user)?;
    let password = password(args.password, &user, true)?;
    check_password(&password)?;
    let hash = super::hash(&password, args.cost)
        .map_err(|error| Failure::Failed(format!("the password was not hashed: {error}")))?;
    let replaced = edit::set(&file.path, &user, &hash)?;
    tell(if replaced {
        format!("{user} was there already and has the new password now")
    } else {
        format!("{user} added")
    });
    Ok(())
}

fn remove(args: &UserArgs) -> Result<(), Failure> {
    let UserArgs { file, user } = args;
    match edit::remove(&file.path, user)? {
        Some(left) => {
            tell(format!("{user} removed"));
            if left == 0 {
                say("nobody is left: a server does not start with this file");
            }
            Ok(())
        }
        None => Err(unknown(user, &file.path)),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let text = read(&args.file.path)?;
    let users = text.lines().filter_map(|line| Line::read(line).ok()?);
    if args.json {
        let items: Vec<_> = users
            .map(|line| json!({"user": line.name, "cost": line.cost()}))
            .collect();
        tell(json!({ "items": items }).to_string());
    } else {
        users.for_each(|line| tell(line.name.to_owned()));
    }
    Ok(())
}

fn verify(args: VerifyArgs) -> Result<(), Failure> {
    let UserArgs { file, user } = args.user;
    let text = read(&file.path)?;
    let mut users = text.lines().filter_map(|line| Line::read(line).ok()?);
    let Some(line) = users.find(|line| line.name == user) else {
        return Err(unknown(&user, &file.path));
    };
    let password = password(args.password, &user, false)?;
    if super::verify(password.as_bytes(), line.hash) {
        tell(format!("the password of {user} is right"));
        Ok(())
    } else {
        Err(Failure::Failed(format!("the password of {user} is wrong")))
    }
}

/// The text of a file in which every line has a meaning.
fn read(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|cause| FileError::Read {
        file: file.to_owned(),
        cause,
    })?;
    match Users::parse(file, &text) {
        Ok(_) | Err(FileError::Empty { .. }) => Ok(text),
        Err(wrong) => Err(wrong.into()),
    }
}

fn unknown(user: &str, file: &Path) -> Failure {
    Failure::Failed(format!("{} has no user {user}", file.display()))
}

/// A name must be read back from the file as it was written, and HTTP Basic ends it at the
/// first colon.
fn check_name(name: &str) -> Result<(), Failure> {
    let mistake = if name.is_empty() {
        "is empty"
    } else if name.contains(':') {
        "may not contain a colon"
    } else if name.chars().any(char::is_control) {
        "may not contain a newline or another control character"
    } else if name.trim() != name {
        "may not begin or end with a blank"
    } else if name.starts_with('#') {
        "may not begin with #, which begins a comment"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(format!("the user's name {mistake}")))
}

fn check_password(password: &str) -> Result<(), Failure> {
    let bytes = password.len();
    Err(Failure::Usage(if bytes == 0 {
        "the password is empty".to_owned()
    } else if bytes > PASSWORD_BYTES {
        format!(
            "the password has {bytes} bytes, and bcrypt does not look past {PASSWORD_BYTES}: \
             choose a shorter one"
        )
    } else if password.contains(['\0', '\n', '\r']) {
        "the password may not contain a newline or a zero byte".to_owned()
    } else {
        return Ok(());
    }))
}

/// The password from where the flags say, else from the terminal.
fn password(args: PasswordArgs, user: &str, twice: bool) -> Result<Zeroizing<String>, Failure> {
    if let Some(password) = args.password {
        return Ok(Zeroizing::new(password));
    }
    if args.password_stdin {
        return Ok(prompt::first_line(io::stdin().lock())?);
    }
    let first = prompt::password(&format!("Password of {user}: "))?;
    if twice {
        let mut second = prompt::password("Once more: ")?;
        let same = *first == *second;
        second.zeroize();
        if !same {
            return Err(Failure::Failed("the two passwords differ".to_owned()));
        }
    }
    Ok(first)
}

/// Prints a line on standard output; that nobody reads it is no failure.
fn tell(line: String) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
