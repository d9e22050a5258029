//! The file of users, as `htpasswd -B` writes it: a name, a colon and a bcrypt hash on
//! each line. Empty lines and lines that begin with `#` mean nothing.

pub mod command;
pub mod edit;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// Bytes of a password that bcrypt looks at.
pub const PASSWORD_BYTES: usize = 72;

/// The users of a file.
pub struct Users {
    hashes: HashMap<Arc<str>, Box<str>>,
    names: Vec<Arc<str>>,
    stand_ins: RandomState,
}

/// What is wrong with a file of users; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read the auth file {file}: {cause}", file = file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A line means nothing.
    #[error("the auth file {file}, line {line}: {mistake}", file = file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        mistake: Mistake,
    },
    /// There are no users.
    #[error(
        "the auth file {file} has no users; `torc-server htpasswd add` makes one",
        file = file.display()
    )]
    Empty {
        /// The file.
        file: PathBuf,
    },
}

/// What is wrong with a line. It never repeats the line, which holds what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// No colon.
    #[error("not of the form USER:HASH")]
    NoColon,
    /// Nothing before the colon.
    #[error("the user's name is missing")]
    NoName,
    /// Something else than bcrypt behind the colon.
    #[error("what follows the user's name is no bcrypt hash ($2a$, $2b$ or $2y$)")]
    NoHash,
    /// The user has another line.
    #[error("the user stands on line {0} already")]
    Twice(usize),
}

/// A line that means something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The user.
    pub name: &'a str,
    /// The hash.
    pub hash: &'a str,
}

impl<'a> Line<'a> {
    /// Takes a line apart; none for a comment or an empty one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(line: &'a str) -> Result<Option<Self>, Mistake> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let (name, hash) = line.split_once(':').ok_or(Mistake::NoColon)?;
        if name.is_empty() {
            return Err(Mistake::NoName);
        }
        let cost = cost(hash).ok_or(Mistake::NoHash)?;
        if (4..=31).contains(&cost) {
            Ok(Some(Self { name, hash }))
        } else {
            Err(Mistake::NoHash)
        }
    }

    /// The logarithm of what a check of the password costs.
    pub fn cost(&self) -> u32 {
        cost(self.hash).unwrap_or_default()
    }
}

fn cost(hash: &str) -> Option<u32> {
    let known = ["$2a$", "$2b$", "$2y$"];
    if !known.iter().any(|prefix| hash.starts_with(prefix)) {
        return None;
    }
    let parts = bcrypt::HashParts::from_str(hash).ok()?;
    Some(parts.get_cost())
}

impl Users {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, has a line that means nothing, or has no users.
    pub fn read(file: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(file).map_err(|cause| FileError::Read {
            file: file.to_owned(),
            cause,
        })?;
        Self::parse(file, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// As [`Users::read`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, FileError> {
        let mut hashes = HashMap::new();
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut lines: Vec<usize> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let wrong = |mistake| FileError::Line {
                file: file.to_owned(),
                line,
                mistake,
            };
            let Some(Line { name, hash }) = Line::read(text).map_err(wrong)? else {
                continue;
            };
            let name: Arc<str> = name.into();
            match hashes.entry(Arc::clone(&name)) {
                Entry::Vacant(place) => place.insert(Box::from(hash)),
                Entry::Occupied(_) => {
                    let first = names.iter().position(|other| *other == name);
                    return Err(wrong(Mistake::Twice(first.map_or(0, |at| lines[at]))));
                }
            };
            names.push(name);
            lines.push(line);
        }
        if names.is_empty() {
            return Err(FileError::Empty {
                file: file.to_owned(),
            });
        }
        Ok(Self {
            hashes,
            names,
            stand_ins: RandomState::new(),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.hashes.contains_key(name)
    }

    /// The user of this name, if the password is right. It takes as long as bcrypt does,
    /// for names that nobody has as well: those are checked against somebody else's hash.
    pub fn check(&self, name: &str, password: &[u8]) -> Option<Arc<str>> {
        let known = self.hashes.get_key_value(name);
        let hash = known.map(|(_, hash)| hash).or_else(|| {
            // A name has the same stand-in each time, as it would have a hash of its own.
            let at = self.stand_ins.hash_one(name) % self.names.len() as u64;
            self.hashes.get(&self.names[at as usize])
        })?;
        let right = verify(password, hash);
        let (name, _) = known?;
        right.then(|| Arc::clone(name))
    }
}

/// A fresh hash of a password; `cost` doubles the work with each step.
///
/// # Errors
///
/// A cost below 4 or above 31, a system without random numbers.
pub fn hash(password: &str, cost: u32) -> Result<String, String> {
    bcrypt::hash(password.as_bytes(), cost).map_err(|error| error.to_string())
}

/// Whether a password is the one of this hash. Like every bcrypt, it does not look past 72
/// bytes.
pub fn verify(password: &[u8], hash: &str) -> bool {
    bcrypt::verify(password, hash).unwrap_or(false)
}

/// Hashes stay out of logs.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuO4JfLqSAJ9jtNGvRSGDsrVu2DE5HqTW";

    fn parse(text: &str) -> Result<Users, String> {
        Users::parse(Path::new("users"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn comments_and_empty_lines_mean_nothing() {
        let users = parse(&format!("# ours\r\n\n  \nann:{HASH}\r\nbob:{HASH}\n")).unwrap();
        assert_eq!(users.count(), 2);
        assert!(users.has("ann") && users.has("bob"));
        assert!(!format!("{users:?}").contains("2b"));
    }

    #[test]
    fn a_mistake_is_named_by_file_and_line() {
        for (text, mistake) in [
            (
                format!("ann:{HASH}\nbob"),
                "line 2: not of the form USER:HASH",
            ),
            (format!(":{HASH}"), "line 1: the user's name is missing"),
            ("\nann:secret".to_owned(), "line 2: what follows"),
            ("ann:".to_owned(), "line 1: what follows"),
            ("ann:$apr1$x$y".to_owned(), "line 1: what follows"),
            (
                format!("ann:{}", HASH.replace("2b", "2x")),
                "line 1: what follows",
            ),
            (
                format!("ann:{}", HASH.replace("$04", "$03")),
                "line 1: what follows",
            ),
            (format!("ann:{HASH}x"), "line 1: what follows"),
            (
                format!("# a\nann:{HASH}\nann:{HASH}"),
                "line 3: the user stands on line 2 already",
            ),
            ("# nobody\n".to_owned(), "has no users"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(mistake), "{text:?}: {error}");
            assert!(error.contains("auth file users"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn passwords_are_checked_for_those_who_are_there() {
        let hash = bcrypt::hash("right", 4).unwrap();
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            let users = parse(&format!("ann:{}", hash.replace("$2b$", prefix))).unwrap();
            assert_eq!(users.check("ann", b"right").as_deref(), Some("ann"));
            assert_eq!(users.check("ann", b"wrong"), None);
            // Ann's hash stands in for Bob's: that her password fits must not let him in.
            assert_eq!(users.check("bob", b"right"), None);
            assert_eq!(users.check("", b"right"), None);
        }
    }
}
