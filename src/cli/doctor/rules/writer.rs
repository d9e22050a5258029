//! Rules about the writer: what it waits for, and who holds it too long.

use super::{HELD_NOW_US, WORTH_SAYING, advice, ratio, severity};
use crate::cli::doctor::figures::{self, Figures, Pages, cost, task, weight};
use crate::cli::doctor::finding::{Finding, Severity, Value, fact, over, percent, size, time};
use crate::wire::debug::{Operation, OtherProcess};

/// A small commit is one sync of the disk. A solid-state disk answers within a millisecond
/// or two, a turning one within ten.
const SLOW_SYNC_US: f64 = 10_000.0;
/// Fewer small commits say nothing about a disk.
const ENOUGH_SYNCS: u64 = 5;
/// An operation that holds the writer so long each time is noticed by everybody behind it.
const LONG_HOLD_US: f64 = 100_000.0;
/// Waiting for another process's lock should not happen at all.
const LOCK_SHARE: f64 = 0.05;
/// A lock that has been waited for so long now counts without a window.
const LOCKED_NOW_US: f64 = 1e6;
/// Our own readers are done within this time.
const SNAPSHOT_US: f64 = 3e6;
/// The log is moved from 4,000 pages (16 MiB) on; so much of it left is no accident.
const HELD_BACK_PAGES: u64 = 2_000;
/// From here on a log is a problem by its size alone.
const HUGE_LOG_BYTES: u64 = 1 << 30;
/// A writer that is at work so much of the time has no room left.
const BUSY: f64 = 0.8;
/// Operations that take a list of any length, and are carried out in one transaction.
const IN_BULK: [&str; 3] = ["create_jobs", "create_files", "create_user_data_list"];

/// Somebody else has locked the database, and the writer waits in BEGIN.
pub fn lock_held_by_other_process(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let waits = task(&pages.timings.phases, "writer.lock_wait");
    let last = pages.writer.lock_wait.clone().unwrap_or_default();
    let now = last.now && last.waited_us >= LOCKED_NOW_US;
    let share = if now {
        1.0
    } else {
        figures.explained(figures.begin, figures.begin_weight)
    };
    if !now && (waits.count == 0 || share < LOCK_SHARE) {
        return None;
    }
    let holder = last.holder.as_ref().map(named);
    let by = holder.as_deref().unwrap_or("another process");
    let verdict = if now {
        format!(
            "nothing can be written: for {} the writer has waited for a lock on the database that {by} holds",
            time(last.waited_us)
        )
    } else {
        format!(
            "{} of request time waits for a lock on the database that {by} holds: {} times the writer had to wait, {} at most",
            percent(share),
            waits.count,
            time(waits.max)
        )
    };
    let mut evidence = vec![
        fact("waits for the lock", Value::Count(waits.count)),
        fact("their time", Value::Micros(waits.total)),
        fact("the longest", Value::Micros(waits.max.max(last.waited_us))),
    ];
    if let Some(holder) = holder {
        evidence.push(fact("holder of the lock", Value::Text(holder)));
    }
    Some(Finding {
        name: "lock-held-by-other-process",
        severity: Severity::Problem,
        share,
        verdict,
        evidence,
        advice: advice([
            "end the transaction of that process, or the process: a sqlite3 shell with an open BEGIN, a backup, a script",
            "write through the API only; for a look at the database open it read-only (`sqlite3 -readonly`)",
            "writes that wait longer than 5 s are refused; clients repeat what they may",
        ]),
    })
}

/// The disk takes long for a sync, and every commit waits for one.
pub fn slow_fsync(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let syncs = task(&pages.timings.phases, "commit.small");
    let share = figures.explained(figures.commit, figures.commit_weight);
    if syncs.count < ENOUGH_SYNCS || syncs.p50 < SLOW_SYNC_US || share < WORTH_SAYING {
        return None;
    }
    let holder = figures::main_holder(&pages.timings.phases)?;
    Some(Finding {
        name: "slow-fsync",
        severity: severity(share),
        share,
        verdict: format!("{}: a slow fsync", of_the_writer(figures, holder)),
        evidence: vec![
            over(
                "a small commit, median",
                Value::Micros(syncs.p50),
                Value::Micros(SLOW_SYNC_US),
            ),
            fact("a small commit, 99 of 100", Value::Micros(syncs.p99)),
            fact("small commits", Value::Count(syncs.count)),
            fact(
                "the writer's time in commits",
                Value::Share(ratio(figures.commit_cost, figures.held())),
            ),
            fact(
                "commands per commit",
                Value::Count(pages.timings.phases.batch_size.mean.round() as u64),
            ),
        ],
        advice: advice([
            "put the database on a local solid-state disk; network file systems and shared disks sync slowly",
            "look who else uses the disk: `iostat -x 1` (w_await, %util), `iotop`",
            "more requests at one time cost little: a commit is shared by all that wait for it",
        ]),
    })
}

/// One operation holds the writer long each time, and others wait behind it.
pub fn long_hold(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let operations = &pages.timings.phases.operations;
    let doing = pages.writer.doing.clone().unwrap_or_default();
    let now = doing.for_us >= HELD_NOW_US
        && pages.writer.queued > 0
        && !matches!(&*doing.operation, "begin" | "commit");
    let each = |operation: &Operation| ratio(cost(operation), operation.count as f64);
    let (name, share) = if now {
        (doing.operation.clone(), 1.0)
    } else {
        let long = operations.iter().filter(|one| each(one) >= LONG_HOLD_US);
        let operation = long.max_by(|a, b| weight(a).total_cmp(&weight(b)))?;
        // Its own time is its work; what it does to others is their time in the queue.
        let others = figures.queued_behind(weight(operation));
        (operation.operation.clone(), figures.part(others))
    };
    if share < WORTH_SAYING {
        return None;
    }
    let bulk = IN_BULK.contains(&&*name);
    let known = operations
        .iter()
        .find(|operation| operation.operation == name);
    let mut evidence = Vec::new();
    if let Some(operation) = known {
        let execute = operation.execute.mean;
        evidence.extend([
            over(
                format!("{name} holds the writer each time"),
                Value::Micros(each(operation)),
                Value::Micros(LONG_HOLD_US),
            ),
            fact("… carrying it out", Value::Micros(execute)),
            fact("… commit", Value::Micros(operation.commit_cost.mean)),
            fact("how often", Value::Count(operation.count)),
        ]);
    }
    if now {
        evidence.push(over(
            format!("{name} at work now, for"),
            Value::Micros(doing.for_us),
            Value::Micros(HELD_NOW_US),
        ));
    }
    evidence.extend([
        fact(
            "others wait for now",
            Value::Micros(pages.writer.longest_wait_us),
        ),
        fact(
            "commands in the queue now",
            Value::Count(pages.writer.queued),
        ),
    ]);
    let verdict = if now {
        format!(
            "everybody who writes waits: {name} has held the writer for {}, and {} wait behind it",
            time(doing.for_us),
            pages.writer.queued
        )
    } else {
        format!(
            "{} of request time waits behind {name}, which holds the writer for {} each time",
            percent(share),
            known.map_or_else(String::new, |operation| time(each(operation)))
        )
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
        evidence,
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

/// A reader holds an old state, and the log grows behind it.
pub fn snapshot_holds_wal(pages: &Pages, figures: &Figures) -> Option<Finding> {
    let last = pages.writer.last_checkpoint.clone()?;
    let lasts = last.stuck >= 2 && last.stuck_for_us >= SNAPSHOT_US;
    let recent = last.ago_us <= figures.window;
    if !lasts || !recent || last.held_back_pages < HELD_BACK_PAGES {
        return None;
    }
    let log = pages.writer.log_bytes;
    let names: Vec<String> = last.readers.iter().map(named).collect();
    let by = match &names[..] {
        [] => "a reader".to_owned(),
        names => names.join(", "),
    };
    let mut evidence = vec![
        over(
            "pages held back",
            Value::Count(last.held_back_pages),
            Value::Count(HELD_BACK_PAGES),
        ),
        over(
            "for",
            Value::Micros(last.stuck_for_us),
            Value::Micros(SNAPSHOT_US),
        ),
        fact("tries that came no further", Value::Count(last.stuck)),
        fact("size of the log", Value::Bytes(log)),
    ];
    for name in names {
        evidence.push(fact("has a lock of a reader", Value::Text(name)));
    }
    Some(Finding {
        name: "snapshot-holds-wal",
        severity: if log >= HUGE_LOG_BYTES {
            Severity::Problem
        } else {
            Severity::Warning
        },
        share: 0.0,
        verdict: format!(
            "the write-ahead log grows ({} now): for {} {by} has held a snapshot of an old state, and the pages behind it cannot be moved into the database",
            size(log),
            time(last.stuck_for_us)
        ),
        evidence,
        advice: advice([
            "end that reader's transaction: a sqlite3 shell inside BEGIN, a backup or an analysis that reads for long",
            "if no other process is named, it is a long list that this server itself is reading: see GET in /debug/timings",
            "until then the disk fills and reads get slower; afterwards the log is cut off by itself",
        ]),
    })
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
fn of_the_writer(figures: &Figures, holder: &Operation) -> String {
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

/// Another process in words.
fn named(process: &OtherProcess) -> String {
    match &*process.program {
        "" => format!("process {}", process.pid),
        program => format!("{program} (process {})", process.pid),
    }
}
