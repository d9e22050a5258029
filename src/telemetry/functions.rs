//! The functions of a report: most are timed by their spans, a few are recorded without
//! (`phase::FUNCTIONS`). All of them since the start.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use tracing::dispatcher::Dispatch;

use super::recorder::{Kind, Part, visit};
use super::report::SpanReport;
use super::series::{Series, Summary};
use super::timing;

/// Nanoseconds to a microsecond, the unit of every report.
const MICROS: f64 = 1e3;

/// The figures of each function, the largest total first, with the buckets of their
/// histograms if they are wanted. Blocks for milliseconds.
pub fn report(dispatch: &Dispatch, buckets: bool) -> Vec<SpanReport> {
    let timed = timing::histograms(dispatch).into_iter();
    let timed = timed.map(|(name, histogram)| {
        let sum = histogram.mean() * histogram.len() as f64;
        let wall = Summary::of(&histogram, sum, histogram.max(), MICROS);
        (name, wall, histogram)
    });
    let recorded = recorded().into_iter();
    let recorded = recorded.map(|(name, series)| {
        let wall = series.summary(MICROS);
        (name, wall, series.histogram())
    });
    let all = timed
        .chain(recorded)
        .filter(|(_, wall, _)| !wall.is_empty());
    let mut functions: Vec<SpanReport> = all
        .map(|(name, wall, histogram)| SpanReport {
            span: name.to_owned(),
            wall: if buckets {
                wall.with_buckets(&histogram, MICROS)
            } else {
                wall
            },
        })
        .collect();
    functions.sort_by(|a, b| b.wall.total.total_cmp(&a.wall.total));
    functions
}

/// The histogram of each function, in nanoseconds. Blocks for milliseconds.
pub fn histograms(dispatch: &Dispatch) -> HashMap<&'static str, Histogram<u64>> {
    let mut all = timing::histograms(dispatch);
    let recorded = recorded().into_iter();
    all.extend(recorded.map(|(name, series)| (name, series.histogram())));
    all
}

/// Those that are recorded without a span.
fn recorded() -> Vec<(&'static str, Series)> {
    let mut found = Vec::new();
    visit(Kind::Function, |name, operation| {
        if let Some(series) = operation.get(Part::Whole) {
            found.push((name, series.clone()));
        }
    });
    found
}
