//! The report as aligned tables, for people at a terminal.

use std::fmt;

use super::board::{OtherProcess, WriterReport};
use super::report::{OperationReport, PhaseReport, Report};
use super::series::Summary;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "torc-server timings at {}, up {:.0} s",
            self.generated_at, self.uptime_s
        )?;
        writeln!(f, "{}", self.about)?;
        if self.window != "start" {
            writeln!(
                f,
                "window: {} ({:.0} s; the functions are since the start)",
                self.window, self.window_s
            )?;
        }
        if self.dropped_log_lines > 0 {
            writeln!(f, "log lines dropped: {}", self.dropped_log_lines)?;
        }
        if let Some(otlp) = &self.otlp {
            writeln!(
                f,
                "requests exported as traces: {}, dropped {}, failed {}",
                otlp.exported, otlp.dropped, otlp.failed
            )?;
        }
        writeln!(f)?;
        if self.timing {
            let rows: Vec<_> = self.spans.iter().map(|s| (&*s.span, &s.wall)).collect();
            table(f, "Instrumented functions (wall time)", "span", &rows)?;
        } else {
            // The rest was not recorded either; who holds the writer is known all the same.
            writeln!(f, "Nothing is recorded (--timing off)\n")?;
            return write!(f, "{}", self.phases.writer);
        }
        let phases = &self.phases;
        let rows: Vec<_> = phases.routes.iter().map(|r| (&*r.route, &r.wall)).collect();
        table(f, "Requests (until the head of the answer)", "route", &rows)?;
        operations(f, &phases.operations)?;
        let rows: Vec<_> = phases
            .statements
            .iter()
            .map(|s| (&*s.statement, &s.elapsed))
            .collect();
        table(f, "SQL statements", "statement", &rows)?;
        let rows: Vec<_> = phases
            .tasks
            .iter()
            .map(|t| (&*t.task, &t.elapsed))
            .collect();
        table(f, "In the background", "task", &rows)?;
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
            ("batch_wait", &one.batch_wait),
            ("execute", &one.execute),
            ("commit_latency", &one.commit_latency),
            ("commit_cost", &one.commit_cost),
            ("whole", &one.whole),
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
    write!(f, "{}", phases.writer)
}

impl fmt::Display for WriterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holder.is_empty() {
            write!(f, "The writer is idle")?;
        } else {
            let batch: Vec<_> = self
                .holder
                .iter()
                .map(|part| format!("{} {}", part.count, part.operation))
                .collect();
            let held = time(self.held_for_us);
            write!(f, "The writer is held for {held} by {}", batch.join(", "))?;
        }
        write!(f, "; {} commands wait", self.queued)?;
        if self.queued > 0 {
            write!(f, ", the first since {}", time(self.longest_wait_us))?;
        }
        writeln!(f)?;
        if let Some(doing) = &self.doing {
            write!(
                f,
                "It does {} since {}",
                doing.operation,
                time(doing.for_us)
            )?;
            match doing.request {
                Some(request) => writeln!(f, ", for request {request}")?,
                None => writeln!(f)?,
            }
        }
        for waiter in &self.waiters {
            let waited = time(waiter.waited_us);
            write!(f, "  waits: {} since {waited}", waiter.operation)?;
            match waiter.request {
                Some(request) => writeln!(f, ", request {request}")?,
                None => writeln!(f)?,
            }
        }
        self.write_log(f)?;
        self.write_lock_wait(f)
    }
}

impl WriterReport {
    /// How its log stands, and who keeps it from being moved.
    fn write_log(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.log_bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "Its log has {} pages in a file of {mebibytes:.1} MiB",
            self.log_pages
        )?;
        let Some(last) = &self.last_checkpoint else {
            return writeln!(f);
        };
        let (ago, took) = (time(last.ago_us), time(last.took_us));
        writeln!(f, "; moved {ago} ago, in {took}")?;
        if last.stuck > 1 {
            let (pages, stuck) = (last.held_back_pages, time(last.stuck_for_us));
            let by = processes(&last.readers);
            writeln!(f, "  readers hold back {pages} pages, for {stuck}{by}")?;
        }
        Ok(())
    }

    /// Whether another process locks it out, or did.
    fn write_lock_wait(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(wait) = &self.lock_wait else {
            return Ok(());
        };
        let (waited, ago) = (time(wait.waited_us), time(wait.ago_us));
        let by = processes(wait.holder.as_slice());
        if wait.now {
            writeln!(
                f,
                "It waits since {waited} for a lock of another process{by}"
            )
        } else {
            writeln!(
                f,
                "It waited {waited} for a lock of another process, {ago} ago{by}"
            )
        }
    }
}

/// Other processes in words, behind a colon; nothing if there are none.
fn processes(others: &[OtherProcess]) -> String {
    let name = |other: &OtherProcess| format!("{} (process {})", other.program, other.pid);
    let names: Vec<String> = others.iter().map(name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(": {}", names.join(", "))
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
        if summary.over > 0 {
            write!(f, "  ({} over 1 h)", summary.over)?;
        }
        writeln!(f)?;
    }
    writeln!(f)
}

/// Microseconds for people: three digits and a unit.
pub(super) fn time(us: f64) -> String {
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
