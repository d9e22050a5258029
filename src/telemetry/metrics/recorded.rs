//! What the recorder holds, as metrics: requests, writes, statements, background work.

use std::fmt;

use super::family::{Counted, Page};
use crate::telemetry::recorder::{Kind, Operation, Part, visit};
use crate::telemetry::{phase, request};

/// The parts of a write that are told apart, as labels.
const PHASES: [(Part, &str); 5] = [
    (Part::QueueWait, "queue_wait"),
    (Part::BeginLatency, "begin"),
    (Part::BatchWait, "batch_wait"),
    (Part::Execute, "execute"),
    (Part::CommitLatency, "commit"),
];

/// Writes all of them.
pub fn tell(page: &mut Page<'_, '_>) -> fmt::Result {
    routes(page)?;
    commands(page)?;
    statements(page)?;
    tasks(page)
}

/// What `make` tells of a copy of each operation of a kind, by name.
fn each<T>(kind: Kind, make: impl Fn(&Operation) -> T) -> Vec<(&'static str, T)> {
    let mut found = Vec::new();
    visit(kind, |name, operation| {
        found.push((name, operation.clone()))
    });
    found.sort_unstable_by_key(|(name, _)| *name);
    let told = |(name, operation): (_, Operation)| (name, make(&operation));
    found.into_iter().map(told).collect()
}

fn times(operation: &Operation, part: Part) -> Counted {
    Counted::seconds().with(operation.get(part))
}

fn routes(page: &mut Page<'_, '_>) -> fmt::Result {
    let routes = each(Kind::Route, |route| {
        let [whole, read_wait] = [Part::Whole, Part::ReadWait].map(|part| times(route, part));
        (route.counts.statuses, whole, read_wait)
    });
    let help = "Requests by route and class of the answer's status; 4xx with those whose \
                caller went away.";
    let mut family = page.counters("torc_http_requests", help)?;
    for (route, (statuses, ..)) in &routes {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        for (class, count) in classes.into_iter().zip(statuses) {
            if *count > 0 {
                family.counter(&[("route", route), ("status", class)], *count)?;
            }
        }
    }
    let help = "From the request to the head of its answer.";
    let mut family = page.histograms("torc_http_request_duration_seconds", help)?;
    for (route, (_, whole, _)) in &routes {
        family.histogram(&[("route", route)], whole)?;
    }
    let help = "Requests that are being answered.";
    page.gauge("torc_http_requests_open", help, request::open())?;
    let help = "What requests waited for a read connection, of those that needed one.";
    let mut family = page.histograms("torc_read_wait_seconds", help)?;
    for (route, (.., read_wait)) in &routes {
        if !read_wait.is_empty() {
            family.histogram(&[("route", route)], read_wait)?;
        }
    }
    Ok(())
}

fn commands(page: &mut Page<'_, '_>) -> fmt::Result {
    let commands = each(Kind::Command, |command| {
        let phases = PHASES.map(|(part, _)| times(command, part));
        (command.counts.failed, times(command, Part::Whole), phases)
    });
    let help = "Writes from being submitted to their reply.";
    let mut family = page.histograms("torc_write_seconds", help)?;
    for (operation, (_, whole, _)) in &commands {
        family.histogram(&[("operation", operation)], whole)?;
    }
    let help = "Where the time of writes went; begin, batch_wait and commit count for each \
                write of a batch.";
    let mut family = page.histograms("torc_write_phase_seconds", help)?;
    for (operation, (_, _, phases)) in &commands {
        for ((_, phase), counted) in PHASES.iter().zip(phases) {
            family.histogram(&[("operation", operation), ("phase", phase)], counted)?;
        }
    }
    let help = "Writes that were not committed with their batch.";
    let mut family = page.counters("torc_write_failures", help)?;
    for (operation, (failed, ..)) in &commands {
        family.counter(&[("operation", operation)], *failed)?;
    }
    let mut sizes = None;
    visit(Kind::Task, |name, task| {
        if name == phase::BATCH_SIZE {
            sizes = task.get(Part::Whole).cloned();
        }
    });
    let sizes = Counted::numbers().with(sizes.as_ref());
    page.histogram("torc_write_batch_size", "Writes in a batch.", &sizes)
}

fn statements(page: &mut Page<'_, '_>) -> fmt::Result {
    let statements = each(Kind::Statement, |statement| {
        let series = statement.get(Part::Whole);
        let calls = series.map_or(0, |series| series.count());
        let seconds = series.map_or(0.0, |series| series.sum() as f64 / 1e9);
        (calls, statement.counts.rows, seconds)
    });
    let mut family = page.counters("torc_statement_calls", "Runs of each SQL statement.")?;
    for (statement, (calls, ..)) in &statements {
        family.counter(&[("statement", statement)], *calls)?;
    }
    let help = "Rows that each SQL statement read or changed.";
    let mut family = page.counters("torc_statement_rows", help)?;
    for (statement, (_, rows, _)) in &statements {
        family.counter(&[("statement", statement)], *rows)?;
    }
    let help = "Time that each SQL statement took.";
    let mut family = page.counters("torc_statement_seconds", help)?;
    for (statement, (.., seconds)) in &statements {
        family.counter(&[("statement", statement)], *seconds)?;
    }
    Ok(())
}

fn tasks(page: &mut Page<'_, '_>) -> fmt::Result {
    let tasks = each(Kind::Task, |task| times(task, Part::Whole));
    let help = "Runs of what goes on in the background; wal.* are checkpoints.";
    let mut family = page.histograms("torc_background_seconds", help)?;
    for (task, whole) in &tasks {
        if *task != phase::BATCH_SIZE {
            family.histogram(&[("task", task)], whole)?;
        }
    }
    Ok(())
}
