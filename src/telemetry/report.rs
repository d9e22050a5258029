//! The report: spans and phases, as JSON (by serde) and as aligned tables.

use std::fmt;

use serde::Serialize;

use super::phase::{OperationReport, PhaseReport, Summary};

/// What telemetry measured since the start. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// When it was made, RFC 3339 in UTC.
    pub generated_at: String,
    /// Seconds since telemetry started.
    pub uptime_s: f64,
    /// Whether the histograms of spans are on (`--timing`).
    pub timing: bool,
    /// Instrumented functions, the one with the largest total first.
    pub spans: Vec<SpanReport>,
    /// The writer's phases and the SQL statements.
    pub phases: PhaseReport,
    /// Log lines that did not reach the log file.
    pub dropped_log_lines: u64,
}

/// The wall time of one instrumented function, from its span's creation to its close.
#[derive(Debug, Clone, Serialize)]
pub struct SpanReport {
    /// The function's name.
    pub span: String,
    /// Its times, in microseconds.
    #[serde(flatten)]
    pub wall: Summary,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "torc-server timings at {}, up {:.0} s",
            self.generated_at, self.uptime_s
        )?;
        if self.dropped_log_lines > 0 {
            writeln!(f, "log lines dropped: {}", self.dropped_log_lines)?;
        }
        writeln!(f)?;
        if self.timing {
            let rows: Vec<_> = self.spans.iter().map(|s| (&*s.span, &s.wall)).collect();
            table(f, "Instrumented functions (wall time)", "span", &rows)?;
        } else {
            writeln!(f, "Instrumented functions: not recorded (--timing off)\n")?;
        }
        let phases = &self.phases;
        operations(f, &phases.operations)?;
        let rows: Vec<_> = phases
            .statements
            .iter()
            .map(|s| (&*s.statement, &s.elapsed))
            .collect();
        table(f, "SQL statements", "statement", &rows)?;
        writer(f, phases)
    }
}

/// One line per operation and phase, so that waiting, executing and committing stand
/// below each other.
fn operations(f: &mut fmt::Formatter<'_>, operations: &[OperationReport]) -> fmt::Result {
    let mut rows = Vec::new();
    for one in operations {
        for (phase, summary) in [
            ("queue_wait", &one.queue_wait),
            ("begin_latency", &one.begin_latency),
            ("begin_cost", &one.begin_cost),
            ("execute", &one.execute),
            ("commit_latency", &one.commit_latency),
            ("commit_cost", &one.commit_cost),
        ] {
            rows.push((format!("{} {phase}", one.operation), summary));
        }
    }
    let rows: Vec<_> = rows.iter().map(|(name, s)| (&**name, *s)).collect();
    table(f, "The writer's operations", "operation phase", &rows)
}

fn writer(f: &mut fmt::Formatter<'_>, phases: &PhaseReport) -> fmt::Result {
    let size = &phases.batch_size;
    writeln!(
        f,
        "Batches: {}, commands in each: mean {:.1}, p50 {}, p99 {}, max {}",
        size.count, size.mean, size.p50, size.p99, size.max
    )?;
    let writer = &phases.writer;
    if writer.holder.is_empty() {
        write!(f, "The writer is idle")?;
    } else {
        let batch: Vec<_> = writer
            .holder
            .iter()
            .map(|part| format!("{} {}", part.count, part.operation))
            .collect();
        let held = time(writer.held_for_us);
        write!(f, "The writer is held for {held} by {}", batch.join(", "))?;
    }
    writeln!(f, "; {} commands wait", writer.queued)
}

fn table(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    first: &str,
    rows: &[(&str, &Summary)],
) -> fmt::Result {
    writeln!(f, "{title}")?;
    if rows.is_empty() {
        return writeln!(f, "  none yet\n");
    }
    let width = rows
        .iter()
        .map(|(name, _)| name.len())
        .chain([first.len()])
        .max()
        .unwrap_or_default();
    write!(f, "  {first:width$} {:>9}", "count")?;
    for column in ["total", "mean", "p50", "p90", "p99", "p99.9", "max"] {
        write!(f, " {column:>9}")?;
    }
    writeln!(f)?;
    for (name, summary) in rows {
        write!(f, "  {name:width$} {:>9}", summary.count)?;
        for value in [
            summary.total,
            summary.mean,
            summary.p50,
            summary.p90,
            summary.p99,
            summary.p999,
            summary.max,
        ] {
            write!(f, " {:>9}", time(value))?;
        }
        writeln!(f)?;
    }
    writeln!(f)
}

/// Microseconds for people: three digits and a unit.
fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1e3 => (us, "us"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}{unit}")
}
