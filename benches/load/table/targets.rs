//! Which row of which server each target speaks of, and what it asks for.

use crate::report::Report;

/// A line of the table.
pub struct Target {
    /// What it is about.
    pub title: &'static str,
    /// Our figure.
    pub of: Key,
    /// The figure it is compared with, if it does not stand for itself.
    pub against: Option<Key>,
    /// How the result is told.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// What must be reached.
    pub must: f64,
    /// What should be reached.
    pub goal: f64,
}

/// A figure of the runs of a row on a server.
#[derive(Clone, Copy)]
pub struct Key {
    /// The row.
    pub row: &'static str,
    /// The server.
    pub server: &'static str,
    /// Which of its figures.
    pub figure: Figure,
}

/// A figure of a run.
#[derive(Clone, Copy)]
pub enum Figure {
    /// Jobs a second of a phase.
    Rate(&'static str),
    /// Seconds of a phase.
    Seconds(&'static str),
    /// Server CPU time per job of a phase, in microseconds.
    Cpu(&'static str),
    /// The 99th percentile of a call, in milliseconds.
    P99(&'static str),
    /// Peak memory of the server, in MB.
    Memory,
}

/// How a number is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A ratio.
    Times,
    /// Jobs a second.
    PerSecond,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Seconds.
    Seconds,
    /// Megabytes.
    Mb,
    /// How much more than the other.
    PercentMore,
    /// How many megabytes more than the other.
    MbMore,
    /// How much less than the other.
    PercentLost,
    /// Which share of the other.
    PercentKept,
}

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The more the better.
    Higher,
    /// The less the better.
    Lower,
}

impl Figure {
    /// The figure in a run.
    pub fn of(self, run: &Report) -> Option<f64> {
        match self {
            Self::Rate(phase) => Some(run.phase(phase)?.per_second),
            Self::Seconds(phase) => Some(run.phase(phase)?.seconds),
            Self::Cpu(phase) => run.phase(phase)?.server_cpu_us_per_job,
            Self::P99(call) => Some(run.calls.get(call)?.p99 / 1e3),
            Self::Memory => run.peak_memory_mb,
        }
    }

    /// How the figure itself is told.
    pub fn unit(self) -> Unit {
        match self {
            Self::Rate(_) => Unit::PerSecond,
            Self::Seconds(_) => Unit::Seconds,
            Self::Cpu(_) => Unit::Us,
            Self::P99(_) => Unit::Ms,
            Self::Memory => Unit::Mb,
        }
    }

    /// Whether less of it is better.
    pub fn is_time(self) -> bool {
        !matches!(self, Self::Rate(_))
    }
}

impl Unit {
    /// A number in this unit.
    pub fn show(self, value: f64) -> String {
        let digits = match value.abs() {
            size if size >= 100.0 => 0,
            size if size >= 10.0 => 1,
            _ => 2,
        };
        match self {
            Self::Times => format!("{value:.digits$}×"),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Ms => format!("{value:.digits$} ms"),
            Self::Us => format!("{value:.digits$} µs"),
            Self::Seconds => format!("{value:.digits$} s"),
            Self::Mb => format!("{value:.0} MB"),
            Self::MbMore => format!("{value:+.0} MB"),
            Self::PercentMore => format!("{value:+.1} %"),
            Self::PercentLost | Self::PercentKept => format!("{value:.0} %"),
        }
    }
}

/// A rate of ours at `process` against Torc's.
const fn against_torc(
    title: &'static str,
    row: &'static str,
    phase: &'static str,
    (must, goal): (f64, f64),
) -> Target {
    let of = key(row, "process", Figure::Rate(phase));
    let against = Some(key(row, "torc", Figure::Rate(phase)));
    Target {
        title,
        of,
        against,
        unit: Unit::Times,
        better: Better::Higher,
        must,
        goal,
    }
}

/// A figure that should be small, as it is or in relation to another.
const fn small(
    title: &'static str,
    of: Key,
    against: Option<Key>,
    unit: Unit,
    (must, goal): (f64, f64),
) -> Target {
    Target {
        title,
        of,
        against,
        unit,
        better: Better::Lower,
        must,
        goal,
    }
}

/// What a layer of telemetry costs a drain: server CPU per job, against none of them.
const fn layer(title: &'static str, server: &'static str, bounds: (f64, f64)) -> Target {
    small(
        title,
        key("telemetry", server, Figure::Cpu("drain")),
        Some(key("telemetry", "bare", Figure::Cpu("drain"))),
        Unit::PercentMore,
        bounds,
    )
}

const fn key(row: &'static str, server: &'static str, figure: Figure) -> Key {
    Key {
        row,
        server,
        figure,
    }
}

/// All targets that the load generator covers.
pub const TARGETS: [Target; 26] = [
    against_torc(
        "drain of 10,000, 32 workers, claim limit 10",
        "drain-32",
        "drain",
        (12.0, 30.0),
    ),
    against_torc("… 8 workers", "drain-8", "drain", (10.0, 20.0)),
    against_torc("… 1 worker", "drain-1", "drain", (3.0, 8.0)),
    against_torc(
        "… 32 workers, claim limit 1",
        "limit-1",
        "drain",
        (30.0, 60.0),
    ),
    against_torc(
        "… 8 workers, claim limit 100, batch completion",
        "batch",
        "drain",
        (8.0, 20.0),
    ),
    against_torc(
        "… 8 workers with 4 readers, each as fast as it is answered",
        "readers",
        "drain",
        (12.0, 30.0),
    ),
    against_torc(
        "… the first 2,000 cycles with 100,000 jobs, 32 workers",
        "large",
        "drain",
        (40.0, 100.0),
    ),
    Target {
        of: key("drain-32", "power", Figure::Rate("drain")),
        ..against_torc(
            "… 32 workers at `power` against its own setting",
            "drain-32",
            "drain",
            (8.0, 20.0),
        )
    },
    against_torc("create 100,000 jobs", "submit", "create", (2.0, 4.0)),
    against_torc(
        "initialise 100,000 jobs",
        "submit",
        "initialize",
        (4.0, 10.0),
    ),
    small(
        "completion → dependent claimable, p99",
        key("chain", "process", Figure::P99("release")),
        None,
        Unit::Ms,
        (50.0, 10.0),
    ),
    Target {
        title: "throughput kept at 1,000,000 jobs",
        of: key("million", "process", Figure::Rate("drain")),
        against: Some(key("drain-32", "process", Figure::Rate("drain"))),
        unit: Unit::PercentKept,
        better: Better::Higher,
        must: 80.0,
        goal: 95.0,
    },
    small(
        "claim p99 at 1,000,000 ready jobs against 1,000",
        key("claims-million", "process", Figure::P99("claim")),
        Some(key("claims-thousand", "process", Figure::P99("claim"))),
        Unit::Times,
        (2.0, 1.2),
    ),
    small(
        "peak memory at 1,000,000 jobs",
        key("million", "process", Figure::Memory),
        None,
        Unit::Mb,
        (300.0, 150.0),
    ),
    small(
        "1,000 jobs that all wait for 1,000: initialise",
        key("edges", "process", Figure::Seconds("initialize")),
        None,
        Unit::Seconds,
        (20.0, 5.0),
    ),
    small(
        "… said by files that one layer writes and the other reads",
        key("edges-files", "process", Figure::Seconds("initialize")),
        None,
        Unit::Seconds,
        (20.0, 5.0),
    ),
    small(
        "histograms on against off: server CPU per job",
        key("timing", "on", Figure::Cpu("drain")),
        Some(key("timing", "off", Figure::Cpu("drain"))),
        Unit::PercentMore,
        (5.0, 2.0),
    ),
    small(
        "console attached and debug log: throughput lost",
        key("everything", "all", Figure::Rate("drain")),
        Some(key("everything", "plain", Figure::Rate("drain"))),
        Unit::PercentLost,
        (40.0, 25.0),
    ),
    small(
        "… and a line for each call",
        key("everything", "lines", Figure::Rate("drain")),
        Some(key("everything", "plain", Figure::Rate("drain"))),
        Unit::PercentLost,
        (40.0, 25.0),
    ),
    layer("histograms and phases on", "timing", (5.0, 2.0)),
    layer("… with slow log and flight recorder", "flight", (8.0, 4.0)),
    layer(
        "… with one request in a hundred exported as a trace",
        "otlp",
        (10.0, 5.0),
    ),
    layer("… console attached", "console", (40.0, 25.0)),
    layer("… debug log to a file", "log", (40.0, 25.0)),
    layer(
        "… all of that and a line for each call",
        "all",
        (100.0, 50.0),
    ),
    small(
        "1,000 workers, console attached: peak memory",
        key("console-workers", "attached", Figure::Memory),
        Some(key("console-workers", "off", Figure::Memory)),
        Unit::MbMore,
        (200.0, 200.0),
    ),
];
