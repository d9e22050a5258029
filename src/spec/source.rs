//! Where a spec comes from, and in which format it is.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::json::{self, Dialect};
use super::problem::Problems;
use super::tree::{Kind, Spot, Value};
use super::yaml;

/// Where a spec is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file; its extension tells the format.
    Path(PathBuf),
    /// Standard input, in any format.
    Stdin,
}

impl Source {
    /// The source that a command line names: `-` is standard input.
    pub fn from_argument(argument: &str) -> Self {
        match argument {
            "-" => Self::Stdin,
            path => Self::Path(path.into()),
        }
    }

    /// The source as error messages name it.
    pub fn label(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => "<stdin>".to_owned(),
        }
    }

    /// Reads and parses the source; `None` if that failed, which is then noted.
    pub(super) fn read(&self, problems: &Problems) -> Option<Value> {
        let bytes = match self.bytes() {
            Ok(bytes) => bytes,
            Err(reason) => {
                problems.add(Spot::START, reason);
                return None;
            }
        };
        let extension = match self {
            Self::Path(path) => path.extension().and_then(|e| e.to_str()).unwrap_or(""),
            Self::Stdin => "",
        };
        match String::from_utf8(bytes) {
            Ok(text) => parse(&text, &extension.to_ascii_lowercase(), problems),
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                problems.add(Spot { line, column: 1 }, "this line is not UTF-8 text");
                None
            }
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Path(path) => file_bytes(path),
            Self::Stdin => stdin_bytes(),
        }
    }
}

fn file_bytes(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read the file: {error}"))
}

fn stdin_bytes() -> Result<Vec<u8>, String> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err("`-` reads a spec from standard input, which is a terminal".to_owned());
    }
    let mut bytes = Vec::new();
    stdin
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read standard input: {error}"))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("standard input is empty".to_owned());
    }
    Ok(bytes)
}

/// The tree of a text in the format of its extension; without a known one, in any.
pub(super) fn parse(text: &str, extension: &str, problems: &Problems) -> Option<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match extension {
        "yaml" | "yml" => yaml::parse(text, problems),
        "json" => json::parse(text, Dialect::Strict, problems),
        "json5" => json::parse(text, Dialect::Json5, problems),
        "kdl" => {
            problems.add_with_help(
                Spot::START,
                "KDL is not supported by this version",
                "write the spec in YAML, JSON or JSON5",
            );
            None
        }
        _ => any_format(text, problems),
    }
}

/// Every JSON is a JSON5, so two attempts cover all three formats.
fn any_format(text: &str, problems: &Problems) -> Option<Value> {
    let json5 = Problems::default();
    if let Some(value) = json::parse(text, Dialect::Json5, &json5)
        && matches!(value.value, Kind::Map(_))
    {
        problems.absorb(json5);
        return Some(value);
    }
    let yaml = Problems::default();
    let value = yaml::parse(text, &yaml);
    // Of two failures the one is told that fits the look of the text.
    let looks_like_json = text.trim_start().starts_with('{');
    problems.absorb(if value.is_none() && looks_like_json {
        json5
    } else {
        yaml
    });
    value
}
