//! Where every task is parked, by name: a task dump.

use std::collections::HashMap;

use serde::Serialize;

use super::task::alive::{self, Known};
use crate::clock;

#[cfg(all(
    tokio_unstable,
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod frames;
#[cfg(all(
    tokio_unstable,
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod stacks;
mod text;

/// Tasks that are listed without a stack, the oldest.
const LISTED: usize = 1000;

/// Why there is no dump.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DumpError {
    /// Another one is being made.
    #[error("another task dump is being made; ask again in a moment")]
    Busy,
    /// It failed.
    #[error("the task dump failed; the server's log says why")]
    Failed,
}

/// Tasks and where they are parked.
#[derive(Debug, Serialize)]
pub struct TasksReport {
    /// When it was made.
    pub generated_at: String,
    /// Why tasks have no stacks here; none if they have.
    pub without_stacks: Option<&'static str>,
    /// How long it took until all tasks had answered, or the wait for them ended, in
    /// milliseconds.
    pub dump_ms: f64,
    /// How many there are, of each name.
    pub counts: Vec<NameCount>,
    /// The tasks, the oldest first.
    pub tasks: Vec<TaskReport>,
    /// Tasks that are not listed, because many of their name are.
    pub left_out: usize,
    /// What runs on the blocking pool, or waits for it.
    pub blocking: Vec<BlockingReport>,
}

/// How many tasks have a name.
#[derive(Debug, Serialize)]
pub struct NameCount {
    /// The name, or the place that spawns them.
    pub name: String,
    /// How many live.
    pub count: usize,
}

/// What a task answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits, and told where.
    Parked,
    /// It did not answer within a second: it runs, or its worker is stuck.
    Silent,
    /// It is not one that can be asked.
    Unknown,
}

/// A task.
#[derive(Debug, Serialize)]
pub struct TaskReport {
    /// Its number.
    pub id: u64,
    /// Its name; none if it was given none.
    pub name: Option<&'static str>,
    /// Where it was spawned.
    pub spawned_at: String,
    /// How long it has lived, in seconds.
    pub age_s: f64,
    /// Whether its stacks are known.
    pub state: State,
    /// Each place where it waits, the innermost frame first. Several if it waits for
    /// several things at once.
    pub stacks: Vec<Vec<String>>,
}

/// A function on the blocking pool.
#[derive(Debug, Serialize)]
pub struct BlockingReport {
    /// Its name.
    pub name: &'static str,
    /// How long ago it was asked for, in seconds.
    pub age_s: f64,
    /// How long it has run, in seconds; none while it waits for a thread.
    pub running_s: Option<f64>,
}

/// The tasks, or those of one name, with their stacks; without where this build cannot
/// have them, which the report then says.
///
/// # Errors
///
/// [`DumpError`].
pub async fn report(name: Option<String>) -> Result<TasksReport, DumpError> {
    #[cfg(all(
        tokio_unstable,
        target_os = "linux",
        any(target_arch = "aarch64", target_arch = "x86_64")
    ))]
    {
        stacks::report(name).await
    }
    #[cfg(not(all(
        tokio_unstable,
        target_os = "linux",
        any(target_arch = "aarch64", target_arch = "x86_64")
    )))]
    {
        let reason = if cfg!(tokio_unstable) {
            "tokio takes task dumps on Linux on x86-64 and aarch64 alone"
        } else {
            "this build takes no task dumps and knows no tasks by name: it lacks \
             RUSTFLAGS=\"--cfg tokio_unstable\""
        };
        Ok(without_stacks(name.as_deref(), reason))
    }
}

/// What is known of the tasks without looking at them.
#[cfg_attr(
    all(
        not(test),
        tokio_unstable,
        target_os = "linux",
        any(target_arch = "aarch64", target_arch = "x86_64")
    ),
    expect(dead_code, reason = "for where there are no stacks")
)]
fn without_stacks(name: Option<&str>, reason: &'static str) -> TasksReport {
    let known = alive::all();
    let wanted = || known.iter().filter(|known| is_of(known, name));
    TasksReport {
        generated_at: clock::now_millis_text(),
        without_stacks: Some(reason),
        dump_ms: 0.0,
        counts: counts(known.iter()),
        tasks: wanted()
            .take(LISTED)
            .map(|known| task_report(known, State::Unknown, Vec::new()))
            .collect(),
        left_out: wanted().count().saturating_sub(LISTED),
        blocking: blocking(),
    }
}

/// Whether a task has the name that is asked for; any will do if none is.
fn is_of(known: &Known, name: Option<&str>) -> bool {
    name.is_none_or(|name| known.label.name == Some(name))
}

fn task_report(known: &Known, state: State, stacks: Vec<Vec<String>>) -> TaskReport {
    TaskReport {
        id: known.number,
        name: known.label.name,
        spawned_at: known.label.place_text(),
        age_s: known.since.elapsed().as_secs_f64(),
        state,
        stacks,
    }
}

fn counts<'a>(known: impl Iterator<Item = &'a Known>) -> Vec<NameCount> {
    let mut counts: HashMap<_, usize> = HashMap::new();
    for known in known {
        // Tasks of one name are one kind, wherever they are spawned.
        let place = known.label.name.is_none().then_some(known.label.place);
        *counts.entry((known.label.name, place)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|((name, place), count)| NameCount {
            name: match (name, place) {
                (None, Some(place)) => alive::Label { name, place }.to_string(),
                (name, _) => name.unwrap_or_default().to_owned(),
            },
            count,
        })
        .collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    counts
}

fn blocking() -> Vec<BlockingReport> {
    alive::blocking()
        .into_iter()
        .map(|one| BlockingReport {
            name: one.name,
            age_s: one.since.elapsed().as_secs_f64(),
            running_s: one.running.map(|since| since.elapsed().as_secs_f64()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_stacks_it_says_why_and_what_runs() {
        let (begun, until) = std::sync::mpsc::channel::<()>();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let running = super::super::task::spawn_blocking("dump-test", move || {
            let _ = begun.send(());
            let _ = wait.recv();
        });
        until.recv().unwrap();
        let report = without_stacks(None, "because");
        assert_eq!(report.without_stacks, Some("because"));
        let one = report.blocking.iter().find(|one| one.name == "dump-test");
        assert!(one.unwrap().running_s.is_some());
        assert!(report.to_string().contains("because"));
        assert!(report.to_string().contains("dump-test"));
        drop(end);
        running.await.unwrap();
        assert!(!blocking().iter().any(|one| one.name == "dump-test"));
    }
}
