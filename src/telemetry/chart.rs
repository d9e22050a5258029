//! What charts are drawn from: the percentiles of one series in a window, and its heat map,
//! how many values of which size came when.

use std::time::Duration;

use serde::Serialize;

use super::recorder::history;
use super::recorder::window::{Window, WindowError};
use super::recorder::{self, Key, Kind, Part};
use super::series::Series;
use super::{TelemetryHandle, functions, phase};

/// Rows of a heat map for each doubling of the value.
const PER_DOUBLING: f64 = 2.0;
/// A heat map shows the last hour at most, as far as intervals are kept.
const LONGEST: Duration = Duration::from_secs(3600);
/// Parts, as one asks for them. The shorter names mean the whole of a batch's.
const PARTS: [(&str, Part); 12] = [
    ("whole", Part::Whole),
    ("busy", Part::Busy),
    ("read_wait", Part::ReadWait),
    ("queue_wait", Part::QueueWait),
    ("begin", Part::BeginLatency),
    ("begin_latency", Part::BeginLatency),
    ("begin_cost", Part::BeginCost),
    ("batch_wait", Part::BatchWait),
    ("execute", Part::Execute),
    ("commit", Part::CommitLatency),
    ("commit_latency", Part::CommitLatency),
    ("commit_cost", Part::CommitCost),
];

/// Of what a chart is wanted, in the words of whoever asks.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// `route`, `command`, `statement` or `task`; for percentiles also `function`.
    pub kind: String,
    /// The operation's name.
    pub name: String,
    /// `whole`, `execute` and so on.
    pub part: String,
    /// `start`, `reset`, `mark:NAME`, `10s`.
    pub window: String,
}

/// Why there is no chart; for the user.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// No such window.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// Not a kind.
    #[error(
        "unknown kind '{0}'; it is route, command, statement or task, for a curve also function"
    )]
    Kind(String),
    /// Not a part of anything.
    #[error(
        "unknown part '{0}'; it is one of whole, busy, read_wait, queue_wait, begin_latency, begin_cost, batch_wait, execute, commit_latency, commit_cost"
    )]
    Part(String),
    /// Nothing is kept of when functions ran.
    #[error("functions have a curve since the start, and no heat map")]
    Function,
    /// Nothing has that name.
    #[error("nothing was recorded of the {kind} '{name}'; /debug/timings lists what was")]
    Unknown {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// It has no such part.
    #[error("the {kind} '{name}' has no part '{part}'; it has {has}")]
    NoPart {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What was asked for.
        part: String,
        /// What it has.
        has: String,
    },
}

impl ChartError {
    /// Whether the question was right and only its answer is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::NoPart { .. })
    }
}

/// The percentiles of one series in a window.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// Of what: the kind, its name and the part of its time.
    pub kind: String,
    /// See `kind`.
    pub name: String,
    /// See `kind`.
    pub part: String,
    /// The window that was asked for; functions are always since the start.
    pub window: String,
    /// Seconds that it covers.
    pub window_s: f64,
    /// Of the values: `us`, or `commands` for the size of batches.
    pub unit: &'static str,
    /// How many values there are.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
    /// Ascending, 0 to 99.99 in even steps of the logarithm of what is left to 100; none of
    /// an empty window.
    pub points: Vec<Point>,
}

/// One percentile.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Point {
    /// So many of 100 values
    pub percentile: f64,
    /// are at most this.
    pub value: f64,
}

/// How many values of which size came when.
#[derive(Debug, Clone, Serialize)]
pub struct Heat {
    /// Of what: the kind, its name and the part of its time.
    pub kind: String,
    /// See `kind`.
    pub name: String,
    /// See `kind`.
    pub part: String,
    /// The window that was asked for.
    pub window: String,
    /// Of the values: `us`, or `commands` for the size of batches.
    pub unit: &'static str,
    /// The lower edges of the rows that have something, and the upper edge of the last.
    pub edges: Vec<f64>,
    /// One for each interval that is kept, the oldest first: of two seconds in the last
    /// minute, of thirty before.
    pub columns: Vec<HeatColumn>,
}

/// The values of one interval.
#[derive(Debug, Clone, Serialize)]
pub struct HeatColumn {
    /// When it ended, milliseconds since the epoch.
    pub ended_ms: i64,
    /// Its length in seconds.
    pub span_s: f64,
    /// Row and number of values, ascending; rows without any are left out.
    pub cells: Vec<(usize, u64)>,
}

impl TelemetryHandle {
    /// The percentiles of one series. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// No such series or window.
    pub fn curve(&self, wanted: &Wanted) -> Result<Curve, ChartError> {
        let window: Window = wanted.window.parse()?;
        if wanted.kind == "function" {
            return self.function_curve(wanted);
        }
        let key = key(wanted)?;
        let lately = history::lately(&window, self.0.started)?;
        let nothing = Series::default();
        let series = lately.series.get(&key).unwrap_or(&nothing);
        let (unit, per) = unit(key);
        let (summary, histogram) = (series.summary(per), series.histogram());
        let at = |percentile| {
            let value = histogram.value_at_percentile(percentile) as f64 / per;
            value.min(summary.max)
        };
        Ok(Curve {
            kind: wanted.kind.clone(),
            name: wanted.name.clone(),
            part: wanted.part.clone(),
            window: wanted.window.clone(),
            window_s: lately.span.as_secs_f64(),
            unit,
            count: summary.count,
            mean: summary.mean,
            max: summary.max,
            points: points(summary.count, at),
        })
    }

    fn function_curve(&self, wanted: &Wanted) -> Result<Curve, ChartError> {
        let histograms = functions::histograms(&self.0.dispatch);
        let Some(histogram) = histograms.get(wanted.name.as_str()) else {
            return Err(unknown(wanted));
        };
        let max = histogram.max() as f64 / 1e3;
        let at = |percentile| (histogram.value_at_percentile(percentile) as f64 / 1e3).min(max);
        Ok(Curve {
            kind: wanted.kind.clone(),
            name: wanted.name.clone(),
            part: "whole".to_owned(),
            window: "start".to_owned(),
            window_s: self.0.started.elapsed().as_secs_f64(),
            unit: "us",
            count: histogram.len(),
            mean: histogram.mean() / 1e3,
            max,
            points: points(histogram.len(), at),
        })
    }

    /// The heat map of one series, of the last hour at most.
    ///
    /// # Errors
    ///
    /// No such series or window.
    pub fn heat(&self, wanted: &Wanted) -> Result<Heat, ChartError> {
        let window: Window = wanted.window.parse()?;
        if wanted.kind == "function" {
            return Err(ChartError::Function);
        }
        let key = key(wanted)?;
        let (unit, per) = unit(key);
        let span = history::reach(&window, self.0.started)?.min(LONGEST);
        let columns = history::columns(key, span);
        let rows = columns.iter().flat_map(|column| &column.buckets);
        let rows = rows.map(|(value, _)| row(*value as f64 / per));
        let (first, last) = rows.fold((usize::MAX, 0), |(low, high), row| {
            (low.min(row), high.max(row))
        });
        let edges = if first > last {
            Vec::new()
        } else {
            (first..=last + 1).map(edge).collect()
        };
        let columns = columns.into_iter().map(|column| {
            let mut cells: Vec<(usize, u64)> = Vec::new();
            for (value, count) in column.buckets {
                let row = row(value as f64 / per) - first;
                match cells.last_mut().filter(|(last, _)| *last == row) {
                    Some((_, sum)) => *sum += count,
                    None => cells.push((row, count)),
                }
            }
            HeatColumn {
                ended_ms: column.ended_ms,
                span_s: column.span.as_secs_f64(),
                cells,
            }
        });
        Ok(Heat {
            kind: wanted.kind.clone(),
            name: wanted.name.clone(),
            part: wanted.part.clone(),
            window: wanted.window.clone(),
            unit,
            edges,
            columns: columns.collect(),
        })
    }
}

fn unknown(wanted: &Wanted) -> ChartError {
    ChartError::Unknown {
        kind: wanted.kind.clone(),
        name: wanted.name.clone(),
    }
}

/// The series that is wanted.
fn key(wanted: &Wanted) -> Result<Key, ChartError> {
    let kind = match wanted.kind.as_str() {
        "route" => Kind::Route,
        "command" => Kind::Command,
        "statement" => Kind::Statement,
        "task" => Kind::Task,
        _ => return Err(ChartError::Kind(wanted.kind.clone())),
    };
    let part = PARTS.iter().find(|(name, _)| *name == wanted.part);
    let (_, part) = *part.ok_or_else(|| ChartError::Part(wanted.part.clone()))?;
    let (name, parts) = recorder::find(kind, &wanted.name).ok_or_else(|| unknown(wanted))?;
    if !parts.contains(&part) {
        let has: Vec<&str> = PARTS
            .iter()
            .filter(|(name, part)| parts.contains(part) && !matches!(*name, "begin" | "commit"))
            .map(|(name, _)| *name)
            .collect();
        return Err(ChartError::NoPart {
            kind: wanted.kind.clone(),
            name: wanted.name.clone(),
            part: wanted.part.clone(),
            has: has.join(", "),
        });
    }
    Ok(Key { kind, name, part })
}

/// The unit of a series, and how many of what is recorded make one.
fn unit(key: Key) -> (&'static str, f64) {
    match key.kind {
        Kind::Task if key.name == phase::BATCH_SIZE => ("commands", 1.0),
        _ => ("us", 1e3),
    }
}

/// The row of a value: all below one are in the first.
fn row(value: f64) -> usize {
    if value < 1.0 {
        return 0;
    }
    // At most 2 × 64, and never negative.
    1 + (value.log2() * PER_DOUBLING).floor() as usize
}

/// The lower edge of a row.
fn edge(row: usize) -> f64 {
    match row.checked_sub(1) {
        None => 0.0,
        Some(steps) => (steps as f64 / PER_DOUBLING).exp2(),
    }
}

fn points(count: u64, at: impl Fn(f64) -> f64) -> Vec<Point> {
    if count == 0 {
        return Vec::new();
    }
    // Eight for each nine, and the median.
    let mut percentiles: Vec<f64> = (0..=32)
        .map(|step| 100.0 * (1.0 - 10_f64.powf(-f64::from(step) / 8.0)))
        .chain([50.0])
        .collect();
    percentiles.sort_by(f64::total_cmp);
    percentiles
        .into_iter()
        .map(|percentile| Point {
            percentile: (percentile * 1e4).round() / 1e4,
            value: at(percentile),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: &str, name: &str, part: &str, window: &str) -> Wanted {
        let own = str::to_owned;
        Wanted {
            kind: own(kind),
            name: own(name),
            part: own(part),
            window: own(window),
        }
    }

    #[test]
    fn each_value_is_between_the_edges_of_its_row() {
        for value in [0.0, 0.3, 1.0, 1.4, 1.5, 2.0, 1000.0, 3.6e9] {
            let row = row(value);
            assert!(edge(row) <= value && value < edge(row + 1), "{value}");
        }
    }

    #[test]
    fn a_curve_rises_and_ends_at_the_longest() {
        let handle = TelemetryHandle::detached();
        for micros in 1..=1000 {
            recorder::record(Kind::Task, "chart_test", |operation| {
                let part = operation.part(Part::Whole);
                part.add_duration(Duration::from_micros(micros), 1);
            });
        }
        let curve = handle.curve(&wanted("task", "chart_test", "whole", "start"));
        let curve = curve.unwrap();
        assert_eq!((curve.count, curve.unit), (1000, "us"));
        assert!(curve.points.is_sorted_by_key(|point| point.value as u64));
        let at = |wanted: f64| {
            let point = curve
                .points
                .iter()
                .find(|p| (p.percentile - wanted).abs() < 1e-6);
            point.unwrap().value
        };
        assert!((at(50.0) - 500.0).abs() < 6.0);
        assert!((at(99.0) - 990.0).abs() < 10.0);
        assert_eq!(at(99.99), curve.max);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let handle = TelemetryHandle::detached();
        recorder::record(Kind::Task, "chart_test.other", |operation| {
            operation.part(Part::Whole).add(1, 1);
        });
        let said = |kind, name, part, window| {
            let wanted = wanted(kind, name, part, window);
            let error = handle.heat(&wanted).err().unwrap();
            (error.is_missing(), error.to_string())
        };
        let (missing, text) = said("task", "chart_test.other", "execute", "10s");
        assert!(missing && text.ends_with("it has whole"), "{text}");
        assert!(said("task", "nobody", "whole", "10s").0);
        for (kind, part, window) in [
            ("job", "whole", "10s"),
            ("task", "half", "10s"),
            ("task", "whole", "2h"),
            ("function", "whole", "10s"),
        ] {
            let (missing, text) = said(kind, "chart_test.other", part, window);
            assert!(!missing, "{text}");
        }
    }
}
