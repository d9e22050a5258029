//! The page for Prometheus: what the recorder, the board, tokio and the system count.
//!
//! Nothing is counted for it: a page is made from what is there when somebody scrapes. Each
//! operation's histograms are copied under their own lock and nothing else is held, so a
//! scrape holds up no request. Labels are names that the program gives (routes, commands,
//! statements, tasks, statuses), never what a client sends, so the page has an end: some
//! ten thousand lines once everything was used.
//!
//! prometheus-client writes OpenMetrics. Who does not ask for that gets the older text
//! format, in which the lines about a counter carry its `_total` too.

mod family;
mod process;
mod recorded;
mod runtime;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;

use self::family::Page;
use super::otlp::{self, OtlpReport};
use super::{TelemetryHandle, board};

/// What a scrape tells besides what telemetry knows itself.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Jobs of all workflows by status; none if they could not be counted.
    pub jobs: Option<Vec<(&'static str, u64)>>,
    /// Event streams that are open.
    pub event_streams: usize,
    /// Bytes of request bodies that are held.
    pub body_bytes: usize,
    /// Bytes of them that may be held.
    pub body_bytes_most: usize,
    /// Bytes of large answers that are held.
    pub answer_bytes: usize,
    /// Bytes of them that may be held.
    pub answer_bytes_most: usize,
    /// Requests for which there was no room.
    pub answers_refused: usize,
}

/// In which words a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Classic,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The one that an `Accept` header asks for.
    pub fn accepted(accept: &str) -> Self {
        let wants = |part: &str| {
            let mut words = part.split(';').map(str::trim);
            words.next() == Some("application/openmetrics-text")
                && !words.any(|word| matches!(word, "q=0" | "q=0.0"))
        };
        if accept.split(',').any(wants) {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// Its content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything that is told at one scrape.
struct Scrape {
    around: Around,
    dropped_log_lines: Option<u64>,
    runtime: Handle,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(&mut encoder);
        build(&mut page)?;
        recorded::tell(&mut page)?;
        writer(&mut page)?;
        around(&mut page, &self.around)?;
        runtime::tell(&mut page, &self.runtime)?;
        if let Some(dropped) = self.dropped_log_lines {
            let help = "Log lines that did not reach standard error or the log file.";
            page.counter("torc_log_lines_dropped", help, dropped)?;
        }
        traces(&mut page, otlp::report().as_ref())?;
        process::tell(&mut page)
    }
}

/// A page as it is now. Blocks for some milliseconds: call it on the blocking pool.
///
/// # Errors
///
/// Never, as far as is known: it is written to memory.
pub fn page(
    telemetry: Option<&TelemetryHandle>,
    around: Around,
    format: Format,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape {
        around,
        dropped_log_lines: telemetry.map(TelemetryHandle::dropped_log_lines),
        runtime: Handle::current(),
    }));
    let mut written = String::new();
    text::encode(&mut written, &registry)?;
    Ok(match format {
        Format::OpenMetrics => written,
        Format::Classic => classic(&written),
    })
}

fn build(page: &mut Page<'_, '_>) -> fmt::Result {
    let help = "Always 1; the version and commit of this server.";
    let mut family = page.gauges("torc_build_info", help)?;
    let git_hash = option_env!("TORC_GIT_HASH").unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    family.gauge(&[("version", version), ("git_hash", git_hash)], 1_u64)
}

/// What became of the traces, by request.
fn traces(page: &mut Page<'_, '_>, otlp: Option<&OtlpReport>) -> fmt::Result {
    let help = "Requests to be exported as traces: taken by the collector, dropped because the \
                queue was full, or given up after several tries.";
    let mut family = page.counters("torc_otlp_requests", help)?;
    let of = |count: fn(&OtlpReport) -> u64| otlp.map_or(0, count);
    for (outcome, count) in [
        ("exported", of(|otlp| otlp.exported)),
        ("dropped", of(|otlp| otlp.dropped)),
        ("failed", of(|otlp| otlp.failed)),
    ] {
        family.counter(&[("outcome", outcome)], count)?;
    }
    Ok(())
}

/// The writer at this moment.
fn writer(page: &mut Page<'_, '_>) -> fmt::Result {
    let now = board::report();
    page.gauge(
        "torc_write_queue_depth",
        "Commands that wait for the writer.",
        now.queued,
    )?;
    page.gauge(
        "torc_write_queue_longest_wait_seconds",
        "How long the first of them has waited.",
        now.longest_wait_us / 1e6,
    )?;
    page.gauge(
        "torc_writer_held_seconds",
        "How long the current batch has held the writer; 0 when it is idle.",
        now.held_for_us / 1e6,
    )?;
    page.gauge(
        "torc_wal_pages",
        "Pages in the write-ahead log.",
        now.log_pages,
    )?;
    page.gauge(
        "torc_wal_bytes",
        "Size of the write-ahead log's file.",
        now.log_bytes,
    )
}

/// What the server told.
fn around(page: &mut Page<'_, '_>, around: &Around) -> fmt::Result {
    if let Some(jobs) = &around.jobs {
        let mut family = page.gauges("torc_jobs", "Jobs of all workflows by status.")?;
        for (status, count) in jobs {
            family.gauge(&[("status", status)], *count)?;
        }
    }
    for (name, help, value) in [
        (
            "torc_event_streams",
            "Event streams that are open.",
            around.event_streams,
        ),
        (
            "torc_request_body_bytes",
            "Bytes of request bodies that are held.",
            around.body_bytes,
        ),
        (
            "torc_request_body_limit_bytes",
            "Bytes of request bodies that may be held.",
            around.body_bytes_most,
        ),
        (
            "torc_answer_bytes",
            "Bytes of large answers that are made or not sent yet.",
            around.answer_bytes,
        ),
        (
            "torc_answer_limit_bytes",
            "Bytes of large answers that may be held.",
            around.answer_bytes_most,
        ),
    ] {
        page.gauge(name, help, value)?;
    }
    page.counter(
        "torc_answers_refused",
        "Requests answered 503 because large answers left no room, or large lists no turn.",
        around.answers_refused,
    )
}

/// The older text format of a page in OpenMetrics.
fn classic(page: &str) -> String {
    let mut written = String::with_capacity(page.len() + page.len() / 64);
    let mut help = None;
    for line in page.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            written.push_str(line);
            written.push('\n');
            continue;
        };
        // HELP comes first, and only TYPE tells whether its name needs an ending.
        if let Some(about) = comment.strip_prefix("HELP ") {
            help = about.split_once(' ');
        } else if let Some((name, kind)) = comment
            .strip_prefix("TYPE ")
            .and_then(|about| about.split_once(' '))
        {
            let ending = if kind == "counter" { "_total" } else { "" };
            let text = help.take().map_or("", |(_, text)| text);
            written.push_str(&format!("# HELP {name}{ending} {text}\n"));
            written.push_str(&format!("# TYPE {name}{ending} {kind}\n"));
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_spelt_the_older_way() {
        let page = "# HELP a A number.\n# TYPE a counter\na_total{b=\"# HELP\"} 1\n\
                    # HELP c Another.\n# TYPE c gauge\nc 2\n# EOF\n";
        let expected = "# HELP a_total A number.\n# TYPE a_total counter\n\
                        a_total{b=\"# HELP\"} 1\n# HELP c Another.\n# TYPE c gauge\nc 2\n";
        assert_eq!(classic(page), expected);
    }

    #[test]
    fn open_metrics_are_for_those_who_ask() {
        for (accept, format) in [
            ("", Format::Classic),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format::Classic),
            ("application/openmetrics-text;q=0", Format::Classic),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
                Format::OpenMetrics,
            ),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
