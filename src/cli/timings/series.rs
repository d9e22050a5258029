//! A report of timings as one list of named series, to be filtered, sorted and compared.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::wire::debug::{OperationTimes, Times, Timings};

/// What a series is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Requests by method and path
    Routes,
    /// What the writer does, with its phases
    Operations,
    /// Instrumented functions, since the start
    Functions,
    /// SQL statements
    Statements,
    /// What runs in the background
    Tasks,
}

/// All of them, in the order in which they are shown.
pub const ALL: [Kind; 5] = [
    Kind::Routes,
    Kind::Operations,
    Kind::Functions,
    Kind::Statements,
    Kind::Tasks,
];

impl Kind {
    /// One of it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Routes => "route",
            Self::Operations => "operation",
            Self::Functions => "function",
            Self::Statements => "statement",
            Self::Tasks => "task",
        }
    }
}

/// What tables are sorted by, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// The sum of all times
    Total,
    /// How often
    Count,
    /// The arithmetic mean
    Mean,
    /// The median
    P50,
    /// What 99 of 100 stay below
    P99,
    /// The longest
    Max,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Count => "count",
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }
}

/// The phases of an operation in their order, each with its short name.
pub fn phases(operation: &OperationTimes) -> [(&'static str, &Times); 5] {
    [
        ("queue", &operation.queue_wait),
        ("begin", &operation.begin_latency),
        ("batch", &operation.batch_wait),
        ("execute", &operation.execute),
        ("commit", &operation.commit_latency),
    ]
}

/// One histogram with its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Named<'t> {
    /// What it is of.
    pub kind: Kind,
    /// Of which one.
    pub name: &'t str,
    /// Which part of its time; empty for the whole.
    pub part: &'static str,
    /// The figures.
    pub times: &'t Times,
}

/// Every series of a report.
pub fn all(report: &Timings) -> Vec<Named<'_>> {
    let mut all = Vec::new();
    let mut add = |kind, name, part, times| {
        all.push(Named {
            kind,
            name,
            part,
            times,
        });
    };
    for one in &report.phases.routes {
        add(Kind::Routes, &*one.route, "", &one.wall);
        add(Kind::Routes, &one.route, "busy", &one.busy);
        add(Kind::Routes, &one.route, "read wait", &one.read_wait);
    }
    for one in &report.phases.operations {
        add(Kind::Operations, &one.operation, "", &one.whole);
        for (part, times) in phases(one) {
            add(Kind::Operations, &one.operation, part, times);
        }
    }
    for one in &report.spans {
        add(Kind::Functions, &one.span, "", &one.wall);
    }
    for one in &report.phases.statements {
        add(Kind::Statements, &one.statement, "", &one.elapsed);
    }
    for one in &report.phases.tasks {
        add(Kind::Tasks, &one.task, "", &one.elapsed);
    }
    all
}

/// Whether a name is one that is asked for: it has the text in it, in letters of any size.
pub fn fits(name: &str, filter: Option<&str>) -> bool {
    filter.is_none_or(|part| name.to_lowercase().contains(&part.to_lowercase()))
}

/// The lists in a report: where each is, what names its items, and their figures.
const LISTS: [(&str, &str, &str); 5] = [
    ("/phases/routes", "route", "/wall"),
    ("/phases/operations", "operation", "/whole"),
    ("/phases/statements", "statement", "/elapsed"),
    ("/phases/tasks", "task", "/elapsed"),
    ("/spans", "span", ""),
];

/// Leaves out of a report what is not asked for, and sorts its lists; without a wish the
/// server's order stays. Works on the server's own words, so that nothing else of them is
/// lost.
pub fn choose(report: &mut Value, filter: Option<&str>, sort: Option<Sort>) {
    for (list, name, figures) in LISTS {
        let Some(Value::Array(items)) = report.pointer_mut(list) else {
            continue;
        };
        items.retain(|item| fits(item[name].as_str().unwrap_or_default(), filter));
        if let Some(sort) = sort {
            let figure = |item: &Value| {
                let path = format!("{figures}/{}", sort.name());
                item.pointer(&path).and_then(Value::as_f64).unwrap_or(0.0)
            };
            items.sort_by(|a, b| figure(b).total_cmp(&figure(a)));
        }
    }
}
