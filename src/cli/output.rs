//! What commands print on standard output: tables, JSON, CSV.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;
use super::table::{self, Column};
use crate::say::shows_colors;

/// The form of what is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For spreadsheets; lists only.
    Csv,
}

/// Prints in the form that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// The form.
    pub format: Format,
    /// Whether standard output shows colours.
    pub colors: bool,
}

impl Output {
    /// Colours only on a terminal, and only if `NO_COLOR` is not set.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            colors: shows_colors(&io::stdout()),
        }
    }

    /// Whether programs read it.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Whether a spreadsheet reads it.
    pub fn is_csv(self) -> bool {
        self.format == Format::Csv
    }

    /// Prints a list.
    ///
    /// # Errors
    ///
    /// [`Failure`] if standard output cannot be written to.
    pub fn list<T: Serialize>(self, items: &[T], columns: &[Column<T>]) -> Result<(), Failure> {
        match self.format {
            Format::Json => print_json(&serde_json::json!({ "items": items })),
            Format::Csv => print(&table::csv(items, columns)),
            Format::Table => print(&table::table(items, columns, self.colors)),
        }
    }

    /// Prints one thing: for people its lines, for programs itself.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no such form, or standard output cannot be written to.
    pub fn one<T: Serialize>(self, item: &T, lines: &[(&str, String)]) -> Result<(), Failure> {
        match self.format {
            Format::Json => print_json(item),
            Format::Table => print(&table::lines(lines)),
            Format::Csv => Err(no_csv()),
        }
    }

    /// Prints how an action went.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is no such form, or standard output cannot be written to.
    pub fn done(self, answer: &impl Serialize, message: &str) -> Result<(), Failure> {
        match self.format {
            Format::Json => print_json(answer),
            Format::Table | Format::Csv => print(&format!("{message}\n")),
        }
    }
}

/// The refusal of CSV where there is no list.
pub fn no_csv() -> Failure {
    Failure::usage("only lists can be printed as CSV").hint("use `--format json` or `table`")
}

/// Prints JSON, indented as people like to see it.
///
/// # Errors
///
/// [`Failure`] if standard output cannot be written to.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    print(&format!("{text}\n"))
}

/// Prints text.
///
/// # Errors
///
/// [`Failure`] if standard output cannot be written to. A reader that went away, as
/// `head` does, has had enough: what is left to do is done all the same.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(format!(
            "cannot write to standard output: {error}"
        ))),
    }
}

/// A number of things, in words.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
