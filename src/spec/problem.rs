//! What is wrong with a spec: collected while reading, told all at once.

use std::cell::RefCell;
use std::fmt;

use serde::Serialize;

use super::tree::Spot;

/// One mistake of a spec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Everything that is wrong with a spec, in the order of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecErrors {
    /// The file as it was named, or `<stdin>`.
    pub source: String,
    /// The mistakes, at least one.
    pub problems: Vec<Problem>,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Problem>,
}

/// Mistakes shown before the rest is only counted: one wrong line of a
/// parameterized job may stand for a hundred thousand.
const SHOWN: usize = 50;

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(SHOWN) {
            let Problem { line, column, .. } = problem;
            writeln!(f, "{}:{line}:{column}: {}", self.source, problem.message)?;
            if let Some(help) = &problem.help {
                writeln!(f, "  help: {help}")?;
            }
        }
        let count = self.problems.len();
        if count > SHOWN {
            writeln!(f, "... and {} more", count - SHOWN)?;
        }
        let noun = if count == 1 { "error" } else { "errors" };
        write!(f, "{count} {noun} in {}; nothing was created", self.source)
    }
}

impl std::error::Error for SpecErrors {}

/// Collects mistakes, so that readers need not stop at the first one.
#[derive(Debug, Default)]
pub struct Problems {
    list: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Problems {
    /// Notes a mistake.
    pub fn add(&self, at: Spot, message: impl Into<String>) {
        self.push(at, message.into(), None);
    }

    /// Notes a mistake and what to do about it.
    pub fn add_with_help(&self, at: Spot, message: impl Into<String>, help: impl Into<String>) {
        self.push(at, message.into(), Some(help.into()));
    }

    /// Notes a mistake that may have a remedy.
    pub fn push(&self, at: Spot, message: String, help: Option<String>) {
        self.list.borrow_mut().push(problem(at, message, help));
    }

    /// Notes something that is allowed, but hardly meant.
    pub fn warn(&self, at: Spot, message: String, help: Option<String>) {
        self.warnings.borrow_mut().push(problem(at, message, help));
    }

    /// The warnings in the order of the source, each once.
    pub fn take_warnings(&self) -> Vec<Problem> {
        sorted(self.warnings.take())
    }

    /// Takes over what another collection noted.
    pub fn absorb(&self, other: Self) {
        self.list.borrow_mut().extend(other.list.into_inner());
        self.warnings
            .borrow_mut()
            .extend(other.warnings.into_inner());
    }

    /// The mistakes in the order of the source, each once: all copies of a
    /// parameterized job make the same ones.
    pub fn into_sorted(self) -> Vec<Problem> {
        sorted(self.list.into_inner())
    }
}

fn problem(at: Spot, message: String, help: Option<String>) -> Problem {
    Problem {
        line: at.line,
        column: at.column,
        message,
        help,
    }
}

fn sorted(mut list: Vec<Problem>) -> Vec<Problem> {
    list.sort();
    list.dedup();
    list
}
