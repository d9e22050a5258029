//! The recorder's histograms as an HdrHistogram interval log (`.hlog`), which the tools of
//! that family read. A line for each series, tagged `kind/name/part` with underscores for
//! spaces; values are nanoseconds, and maxima in the text are milliseconds.

use std::io;
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use serde::Serialize;

use super::recorder::history::Lately;
use super::recorder::{Key, Kind};
use crate::clock;

/// The log of a window.
///
/// # Errors
///
/// If a histogram cannot be encoded.
pub fn write(lately: &Lately) -> io::Result<Vec<u8>> {
    let began = clock::now() - lately.span;
    let mut out = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment(concat!("torc-server ", env!("CARGO_PKG_VERSION")))
        .with_start_time(SystemTime::from(began))
        .with_base_time(SystemTime::from(began))
        .with_max_value_divisor(1e6);
    let mut log = builder.begin_log_with(&mut out, &mut serializer)?;
    let mut series: Vec<_> = lately.series.iter().collect();
    series.sort_by_key(|(key, _)| **key);
    for (key, series) in series {
        let tag = tag(key);
        log.write_histogram(
            &series.histogram(),
            Duration::ZERO,
            lately.span,
            Tag::new(&tag),
        )
        .map_err(|error| io::Error::other(format!("{tag}: {error:?}")))?;
    }
    drop(log);
    Ok(out)
}

fn tag(key: &Key) -> String {
    let kind = match key.kind {
        Kind::Route => "route",
        Kind::Command => "command",
        Kind::Statement => "statement",
        Kind::Function => "function",
        Kind::Task => "task",
    };
    let name = |c: char| {
        if c.is_whitespace() || c == ',' {
            '_'
        } else {
            c
        }
    };
    let name: String = key.name.chars().map(name).collect();
    format!("{kind}/{name}/{}", word(&key.part))
}

/// A name as JSON spells it, without its quotes.
fn word(named: &impl Serialize) -> String {
    serde_json::to_value(named)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
