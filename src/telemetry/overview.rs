//! How the server does at a glance, and what looking at it costs.

use serde::Serialize;

use super::recorder::history;
use super::recorder::window::Window;
use super::recorder::{self, Kind, Part};
use super::{TelemetryHandle, board, request};

/// The window of what is said per second, as one asks for it.
const LATELY: &str = "10s";

/// A few figures about now.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// Of the program.
    pub version: &'static str,
    /// Seconds since telemetry started.
    pub uptime_s: f64,
    /// Seconds that "lately" covers: about ten.
    pub window_s: f64,
    /// Requests that were answered per second, lately.
    pub requests_per_s: f64,
    /// Requests that are being answered now.
    pub requests_open: usize,
    /// The share of the time in which the writer was busy lately, from 0 to 1.
    pub writer_busy_share: f64,
    /// Commands that wait for the writer now.
    pub queue_depth: usize,
    /// Bytes that the recorder holds.
    pub recorder_bytes: usize,
    /// What one record costs, in nanoseconds, measured on this machine.
    pub record_ns: f64,
}

impl TelemetryHandle {
    /// The figures. Blocks for some milliseconds: call it on the blocking pool.
    pub fn overview(&self) -> Overview {
        let window: Window = LATELY.parse().unwrap_or(Window::Start);
        let lately = history::lately(&window, self.0.started)
            .unwrap_or_else(|_| history::since_start(self.0.started));
        let (mut requests, mut busy_ns) = (0, 0);
        for (key, series) in &lately.series {
            match (key.kind, key.part) {
                (Kind::Route, Part::Whole) => requests += series.count(),
                (Kind::Command, Part::Execute | Part::BeginCost | Part::CommitCost) => {
                    busy_ns += series.sum();
                }
                _ => {}
            }
        }
        let seconds = lately.span.as_secs_f64().max(1e-3);
        Overview {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: self.0.started.elapsed().as_secs_f64(),
            window_s: seconds,
            requests_per_s: requests as f64 / seconds,
            requests_open: request::open(),
            // A command counts when it is answered, so a long one may count for more.
            writer_busy_share: (busy_ns as f64 / 1e9 / seconds).min(1.0),
            queue_depth: board::depth(),
            recorder_bytes: history::bytes(),
            record_ns: recorder::cost_ns(),
        }
    }
}

impl std::fmt::Display for Overview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            version,
            uptime_s,
            window_s,
            requests_per_s,
            requests_open,
            queue_depth,
            ..
        } = self;
        writeln!(f, "torc-server {version}, up for {uptime_s:.0} s")?;
        writeln!(
            f,
            "requests        {requests_per_s:.1}/s over {window_s:.0} s, {requests_open} open"
        )?;
        let busy = self.writer_busy_share * 100.0;
        writeln!(
            f,
            "the writer      {busy:.0} % busy, {queue_depth} wait for it"
        )?;
        let (kib, ns) = (self.recorder_bytes / 1024, self.record_ns);
        writeln!(f, "the recorder    {kib} KiB, {ns:.0} ns for a record")
    }
}
