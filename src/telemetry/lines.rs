//! The close lines: one per call of an instrumented function, with its timings.
//!
//! `2026-11-24T14:00:00.123456Z DEBUG prepare_ready_jobs{workflow_id=1 limit=10}: close
//! time.busy=15.2ms time.idle=0.100ms`, on one line: that span alone, without those
//! around it. Busy is the time inside the function, idle the time it waited (for a
//! database, a lock, its turn). Both are always in milliseconds, so that a script may
//! add them up without reading units.
//!
//! tracing-subscriber can print such lines itself; they cost ten times as much, show
//! all surrounding spans, and change units from line to line.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::outlet::Outlet;

/// Where close lines go, and in which form.
pub struct Sink {
    /// The outlet that the other log lines use.
    pub outlet: Outlet,
    /// JSON instead of text.
    pub json: bool,
    /// With colours.
    pub ansi: bool,
}

/// The layer; its filter decides which spans get lines.
pub struct CloseLines {
    sinks: Vec<Sink>,
    json: bool,
}

impl CloseLines {
    /// A layer that writes each line to all of `sinks`.
    pub fn new(sinks: Vec<Sink>) -> Self {
        let json = sinks.iter().any(|sink| sink.json);
        Self { sinks, json }
    }
}

/// What is kept with each open span.
struct Open {
    last: Instant,
    busy: Duration,
    idle: Duration,
    /// How often it is entered; a function may enter the span it is already in.
    depth: usize,
    text: String,
    json: Map<String, Value>,
}

impl<S> Layer<S> for CloseLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut open = Open {
            last: Instant::now(),
            busy: Duration::ZERO,
            idle: Duration::ZERO,
            depth: 0,
            text: String::new(),
            json: Map::new(),
        };
        open.record(attrs, self.json);
        span.extensions_mut().replace(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            open.record(values, self.json);
        }
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            if open.depth == 0 {
                let lap = open.lap();
                open.idle += lap;
            }
            open.depth += 1;
        }
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            open.depth = open.depth.saturating_sub(1);
            if open.depth == 0 {
                let lap = open.lap();
                open.busy += lap;
            }
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        // Taken out, so that no lock is held while writing.
        let Some(mut open) = span.extensions_mut().remove::<Open>() else {
            return;
        };
        let lap = open.lap();
        open.idle += lap;
        let time = crate::clock::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        for sink in &self.sinks {
            let line = if sink.json {
                json_line(&time, span.metadata(), &open)
            } else {
                text_line(&time, span.metadata(), &open, sink.ansi)
            };
            // An outlet takes everything, and counts what it loses.
            let _ = sink.outlet.clone().write_all(line.as_bytes());
        }
    }
}

impl Open {
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let lap = now.saturating_duration_since(self.last);
        self.last = now;
        lap
    }

    fn record<R: RecordFields>(&mut self, fields: R, json: bool) {
        if json {
            fields.record(&mut JsonFields(&mut self.json));
        }
        let mut text = String::new();
        let formatted = DefaultFields::new().format_fields(Writer::new(&mut text), fields);
        if formatted.is_ok() && !text.is_empty() {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push_str(&text);
        }
    }
}

fn text_line(time: &str, meta: &Metadata<'_>, open: &Open, ansi: bool) -> String {
    let mut line = String::with_capacity(128 + open.text.len());
    let level = meta.level();
    // Writing to a String cannot fail.
    let _ = if ansi {
        write!(line, "\x1b[2m{time}\x1b[0m \x1b[34m{level:>5}\x1b[0m ")
    } else {
        write!(line, "{time} {level:>5} ")
    };
    line.push_str(meta.name());
    if !open.text.is_empty() {
        let _ = write!(line, "{{{}}}", open.text);
    }
    let (busy, idle) = (millis(open.busy), millis(open.idle));
    let _ = writeln!(line, ": close time.busy={busy} time.idle={idle}");
    line
}

/// One close line of the JSON log: flat like its other lines, with the span's name and
/// fields under `span`.
#[derive(Serialize)]
struct JsonLine<'a> {
    timestamp: &'a str,
    level: &'a str,
    message: &'a str,
    #[serde(rename = "time.busy")]
    busy: String,
    #[serde(rename = "time.idle")]
    idle: String,
    target: &'a str,
    span: JsonSpan<'a>,
}

#[derive(Serialize)]
struct JsonSpan<'a> {
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
    name: &'a str,
}

fn json_line(time: &str, meta: &Metadata<'_>, open: &Open) -> String {
    let line = serde_json::to_string(&JsonLine {
        timestamp: time,
        level: meta.level().as_str(),
        message: "close",
        busy: millis(open.busy),
        idle: millis(open.idle),
        target: meta.target(),
        span: JsonSpan {
            fields: &open.json,
            name: meta.name(),
        },
    });
    // Strings and maps with text keys can always be written.
    line.map(|line| line + "\n").unwrap_or_default()
}

/// Milliseconds, with three digits or more, never finer than a tenth of a µs.
fn millis(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    let digits = match ms {
        ms if ms >= 10.0 => 1,
        ms if ms >= 1.0 => 2,
        ms if ms >= 0.1 => 3,
        _ => 4,
    };
    format!("{ms:.digits$}ms")
}

struct JsonFields<'a>(&'a mut Map<String, Value>);

impl JsonFields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for JsonFields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
