//! Asks tasks where they are parked, and puts names to what they answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::dump::Trace;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{
    DumpError, State, TaskReport, TasksReport, blocking, counts, frames, is_of, task_report,
};
use crate::clock;
use crate::telemetry::task;
use crate::telemetry::task::alive::{self, Known};
use crate::telemetry::task::spot::{self, Spot};

/// How long one who asks waits for the dump of another.
const TURN: Duration = Duration::from_secs(1);
/// How long tasks have to answer; one that runs, or whose worker is stuck, does not.
const ANSWER: Duration = Duration::from_secs(1);
/// Between two looks whether all have answered.
const LOOK: Duration = Duration::from_millis(5);
/// How long the frames may take to be named; what is left then has none.
const NAMING: Duration = Duration::from_secs(3);
/// Tasks that are asked of each name, unless one name is asked for: of a thousand
/// connections most are parked alike.
const PER_NAME: usize = 10;
/// Tasks that are asked in all.
const LISTED: usize = 400;

static GATE: Semaphore = Semaphore::const_new(1);

/// A task that is listed, its spot if it has one, and what it answered.
type Asked = (Known, Option<Arc<Spot>>);

/// See [`super::report`].
pub async fn report(name: Option<String>) -> Result<TasksReport, DumpError> {
    let permit = match timeout(TURN, GATE.acquire()).await {
        Ok(Ok(permit)) => permit,
        Ok(Err(_)) | Err(_) => return Err(DumpError::Busy),
    };
    let began = Instant::now();
    let all = alive::all();
    let counts = counts(all.iter());
    let (listed, left_out) = choose(all, name.as_deref());
    let mut spots = spot::all();
    let asked: Vec<Asked> = listed
        .into_iter()
        .map(|known| (known, spots.remove(&known.number)))
        .collect();
    let mut silent: Vec<&Arc<Spot>> = asked.iter().filter_map(|(_, spot)| spot.as_ref()).collect();
    silent.iter().for_each(|spot| spot.ask());
    while !silent.is_empty() && began.elapsed() < ANSWER {
        sleep(LOOK).await;
        // A task that has ended meanwhile has given its spot up.
        silent.retain(|spot| !spot.has_told() && Arc::strong_count(spot) > 1);
    }
    let took = began.elapsed();
    let named = task::spawn_blocking("task-dump-frames", move || {
        // Also when the one who asked is gone: names are found by one at a time.
        let _permit = permit;
        named(asked)
    });
    let tasks = named.await.map_err(|error| {
        tracing::error!("the task dump failed: {error}");
        DumpError::Failed
    })?;
    Ok(TasksReport {
        generated_at: clock::now_millis_text(),
        without_stacks: None,
        dump_ms: took.as_secs_f64() * 1e3,
        counts,
        tasks,
        left_out,
        blocking: blocking(),
    })
}

/// The tasks that are asked, and how many are not.
fn choose(all: Vec<Known>, name: Option<&str>) -> (Vec<Known>, usize) {
    let per_name = if name.is_some() { LISTED } else { PER_NAME };
    let mut of_name: HashMap<_, usize> = HashMap::new();
    let mut listed = Vec::new();
    let mut left_out = 0;
    for known in all.into_iter().filter(|known| is_of(known, name)) {
        let same = of_name.entry(known.label.name).or_default();
        *same += 1;
        if *same > per_name || listed.len() >= LISTED {
            left_out += 1;
        } else {
            listed.push(known);
        }
    }
    (listed, left_out)
}

/// Puts names to the frames, as far as time goes.
fn named(asked: Vec<Asked>) -> Vec<TaskReport> {
    let began = Instant::now();
    let name = |(known, spot): Asked| {
        let Some(spot) = spot else {
            return Some(task_report(&known, State::Unknown, Vec::new()));
        };
        let stacks = |trace: Trace| {
            if began.elapsed() < NAMING {
                frames::of(&trace)
            } else {
                Vec::new()
            }
        };
        match spot.take() {
            Some(trace) => Some(task_report(&known, State::Parked, stacks(trace))),
            // It has ended meanwhile.
            None if Arc::strong_count(&spot) == 1 => None,
            None => Some(task_report(&known, State::Silent, Vec::new())),
        }
    };
    asked.into_iter().filter_map(name).collect()
}
