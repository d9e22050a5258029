//! Rules about the writer's own work: who holds it too long, and that it has no room left.

use super::{HELD_NOW_US, WORTH_SAYING, advice, ratio, severity};
use crate::cli::doctor::figures::{self, Figures, Pages, cost, weight};
use crate::cli::doctor::finding::{Evidence, Finding, Value, fact, over, percent, time};
use crate::wire::debug::{Doing, OperationTimes, Writer};

/// An operation whose own work takes so long each time is noticed by everybody behind it. Its
/// commit does not count here: that is the disk's affair.
const LONG_HOLD_US: f64 = 100_000.0;
/// A writer that is at work so much of the time has no room left.
const BUSY: f64 = 0.8;
/// Operations that take a list of any length, and are carried out in one transaction.
const IN_BULK: [&str; 3] = ["create_jobs", "create_files", "create_user_data_list"];

/// One operation holds the writer long each time, and others wait behind it.
pub fn long_hold(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let operations = &pages.timings.phases.operations;
    let long = operations
        .iter()
        .filter(|one| figures.are_enough() && one.execute.mean >= LONG_HOLD_US);
    let longest = long.max_by(|a, b| weight(a).total_cmp(&weight(b)));
    let now = holding_now(&pages.writer);
    let (name, share) = match (now, longest) {
        (Some(doing), _) => (&doing.operation, 1.0),
        // Its own time is its work; what it does to others is their time in the queue.
        (None, Some(operation)) => {
            let others = figures.queued_behind(weight(operation));
            (&operation.operation, figures.part(others))
        }
        (None, None) => return None,
    };
    if share < WORTH_SAYING {
        return None;
    }
    let bulk = IN_BULK.contains(&&**name);
    let known = operations.iter().find(|one| one.operation == *name);
    let verdict = match now {
        Some(doing) => format!(
            "everybody who writes waits: {name} has held the writer for {}, and {} wait behind it",
            time(doing.for_us),
            pages.writer.queued
        ),
        None => format!(
            "{} of request time waits behind {name}, which holds the writer for {} each time",
            percent(share),
            known.map_or_else(String::new, |operation| time(each(operation)))
        ),
    };
    Some(Finding {
        name: if bulk {
            "bulk-create-holds-writer"
        } else {
            "operation-holds-writer"
        },
        severity: severity(share),
        share,
        verdict,
        evidence: held(pages, name, known, now),
        advice: if bulk {
            advice([
                "send lists in smaller parts: 10,000 jobs at a time, as `torc create` does; others then get their turn in between",
                "create large workflows when few workers are at work",
            ])
        } else {
            advice([
                "see which of its statements takes the time: /debug/timings, SQL statements",
                "ask for less in one request, where the request has a limit",
            ])
        },
    })
}

/// What the writer has been at for long, while others wait.
fn holding_now(writer: &Writer) -> Option<&Doing> {
    let doing = writer.doing.as_ref()?;
    let works = !matches!(&*doing.operation, "begin" | "commit");
    (works && writer.queued > 0 && doing.for_us >= HELD_NOW_US).then_some(doing)
}

/// The writer's time that one command of an operation uses.
fn each(operation: &OperationTimes) -> f64 {
    ratio(cost(operation), operation.count as f64)
}

/// The figures of an operation that holds the writer long.
fn held(
    pages: &Pages,
    name: &str,
    known: Option<&OperationTimes>,
    now: Option<&Doing>,
) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if let Some(operation) = known {
        evidence.extend([
            over(
                format!("{name} is carried out in"),
                Value::Micros(operation.execute.mean),
                Value::Micros(LONG_HOLD_US),
            ),
            fact("its commit", Value::Micros(operation.commit_cost.mean)),
            fact("how often", Value::Count(operation.count)),
        ]);
    }
    if let Some(doing) = now {
        evidence.push(over(
            format!("{name} at work now, for"),
            Value::Micros(doing.for_us),
            Value::Micros(HELD_NOW_US),
        ));
    }
    let longest = Value::Micros(pages.writer.longest_wait_us);
    evidence.extend([
        fact("the longest wait of others now", longest),
        fact(
            "commands in the queue now",
            Value::Count(pages.writer.queued),
        ),
    ]);
    evidence
}

/// The writer has no room left, without one cause.
pub fn writer_busy(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let at_work = ratio(figures.held(), figures.window);
    let share = figures.part(figures.queued);
    if at_work < BUSY || share < WORTH_SAYING {
        return None;
    }
    let holder = figures::main_holder(&pages.timings.phases)?;
    Some(Finding {
        name: "writer-busy",
        severity: severity(share),
        share,
        verdict: format!(
            "{}; it is at work {} of the time",
            of_the_writer(figures, holder),
            percent(at_work.min(1.0))
        ),
        evidence: vec![
            over(
                "the writer at work",
                Value::Share(at_work.min(1.0)),
                Value::Share(BUSY),
            ),
            over(
                "of request time: its queue",
                Value::Share(share),
                Value::Share(WORTH_SAYING),
            ),
            fact(
                format!("of its time: {}", holder.operation),
                Value::Share(ratio(cost(holder), figures.held())),
            ),
        ],
        advice: advice([
            "this is what one writer on this machine can do; see docs/performance.md for what is usual",
            "let workers report in batches and claim several jobs at a time, as `torc run` does",
        ]),
    })
}

/// How much of the time is the writer's, who holds it, and what most of that is.
pub(super) fn of_the_writer(figures: &Figures, holder: &OperationTimes) -> String {
    let parts = [
        (holder.begin_latency.mean, "BEGIN"),
        (holder.batch_wait.mean, "the others of its batch"),
        (holder.execute.mean, "carrying it out"),
        (holder.commit_latency.mean, "the commit"),
    ];
    let whole: f64 = parts.iter().map(|(mean, _)| mean).sum();
    let (most, what) = parts
        .into_iter()
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or_default();
    format!(
        "{} of request time waits for the writer; its holder is {}; {:.1} of its {:.1} ms are {what}",
        percent(figures.writer_part()),
        holder.operation,
        most / 1e3,
        whole / 1e3,
    )
}
