//! Rules about what is around the database's files: the disk's sync, a lock of another
//! process, a snapshot that a reader holds.

use super::writer::of_the_writer;
use super::{WORTH_SAYING, advice, ratio, severity};
use crate::cli::doctor::figures::{self, Figures, Pages, task};
use crate::cli::doctor::finding::{Finding, Severity, Value, fact, over, percent, size, time};
use crate::wire::debug::OtherProcess;

/// A small commit is one sync of the disk. A solid-state disk answers within a millisecond
/// or two, a turning one within ten.
const SLOW_SYNC_US: f64 = 10_000.0;
/// Fewer small commits say nothing about a disk.
const ENOUGH_SYNCS: u64 = 5;
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
            "{} of request time waited for a lock on the database that {by} held: the writer had to wait {}, {} at most",
            percent(share),
            if waits.count == 1 {
                "once".to_owned()
            } else {
                format!("{} times", waits.count)
            },
            time(waits.max)
        )
    };
    let longest = Value::Micros(waits.max.max(last.waited_us));
    let mut evidence = vec![fact("the longest wait for the lock", longest)];
    if waits.count > 0 {
        evidence.push(fact("waits that ended", Value::Count(waits.count)));
        evidence.push(fact("their time", Value::Micros(waits.total)));
    }
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
    let few = !figures.are_enough() || syncs.count < ENOUGH_SYNCS;
    if few || syncs.p50 < SLOW_SYNC_US || share < WORTH_SAYING {
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

/// Another process in words.
fn named(process: &OtherProcess) -> String {
    match &*process.program {
        "" => format!("process {}", process.pid),
        program => format!("{program} (process {})", process.pid),
    }
}
