//! Takes tokio's task dump.
//!
//! For a dump all workers stop, one of them polls every task once while each place that
//! waits notes its stack, and they go on. So a worker that is blocked holds up the dump,
//! and the dump the others. Nor may it be given up half way: tokio would go on trying for
//! ever. Therefore it runs as a task of its own, one at a time, and is not begun while a
//! worker is stuck.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::runtime::dump::Dump;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::{DumpError, TaskReport, TasksReport, blocking, counts, frames, is_of, task_report};
use crate::clock;
use crate::telemetry::runtime::polls;
use crate::telemetry::task;
use crate::telemetry::task::alive::{self, Known};

/// How long one who asks waits for the dump of another.
const TURN: Duration = Duration::from_secs(1);
/// How long one waits for a dump; and how long its frames may take to be named.
const CAP: Duration = Duration::from_secs(5);
/// A worker that is inside one poll for so long is not waited for.
const STUCK: Duration = Duration::from_millis(200);
/// Tasks that are listed of each name, unless one name is asked for: of a thousand
/// connections most are parked alike.
const PER_NAME: usize = 10;
/// Tasks that are listed in all.
const LISTED: usize = 400;

static GATE: Semaphore = Semaphore::const_new(1);

/// See [`super::report`].
pub async fn report(name: Option<String>) -> Result<TasksReport, DumpError> {
    let permit = match timeout(TURN, GATE.acquire()).await {
        Ok(Ok(permit)) => permit,
        Ok(Err(_)) | Err(_) => return Err(DumpError::Busy),
    };
    if let Some(who) = stuck() {
        return Err(DumpError::Blocked(who));
    }
    let (tell, dumped) = oneshot::channel();
    // Not awaited here: a caller that goes away would end it.
    task::spawn("task-dump", async move {
        let began = Instant::now();
        // Before and after, since tasks come and go meanwhile.
        let mut known = alive::all();
        let dump = Handle::current().dump().await;
        let took = began.elapsed();
        known.extend(alive::all());
        let _ = tell.send((dump, known, took));
        drop(permit);
    });
    let Ok(dumped) = timeout(CAP, dumped).await else {
        let who = stuck().unwrap_or_else(|| "they did not all come within 5 s".to_owned());
        return Err(DumpError::Blocked(who));
    };
    let (dump, known, took) = dumped.map_err(|_| DumpError::Failed)?;
    let named = task::spawn_blocking("task-dump-frames", move || {
        // The debug information is read by one at a time.
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one = ONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        named(&dump, &known, took, name.as_deref())
    });
    named.await.map_err(|error| {
        tracing::error!("the task dump failed: {error}");
        DumpError::Failed
    })
}

/// A worker that is stuck, in words.
fn stuck() -> Option<String> {
    polls::threads().iter().find_map(|slot| {
        let now = slot.now()?;
        let elapsed = now.since.elapsed();
        if elapsed < STUCK {
            return None;
        }
        let task = match alive::label(now.task) {
            Some(label) => format!("{label} (task {})", now.task),
            None => format!("task {}", now.task),
        };
        let for_s = elapsed.as_secs_f64();
        Some(format!("{task} has kept one for {for_s:.1} s"))
    })
}

/// Puts names to tasks and frames, as far as time and room go.
fn named(dump: &Dump, all: &[Known], took: Duration, name: Option<&str>) -> TasksReport {
    let began = Instant::now();
    let known: HashMap<u64, &Known> = all.iter().map(|known| (known.number, known)).collect();
    let mut dumped: Vec<_> = dump
        .tasks()
        .iter()
        .map(|task| (alive::number(task.id()), task))
        .filter(|(number, _)| {
            // A task that is not known has no name that one could ask for.
            let known = known.get(number);
            known.map_or(name.is_none(), |known| is_of(known, name))
        })
        .collect();
    dumped.sort_unstable_by_key(|(number, _)| *number);
    let per_name = if name.is_some() { LISTED } else { PER_NAME };
    let mut of_name: HashMap<_, usize> = HashMap::new();
    let mut tasks: Vec<TaskReport> = Vec::new();
    let mut left_out = 0;
    for (number, task) in dumped {
        let known = known.get(&number).copied();
        let same = of_name
            .entry(known.map(|known| known.label.name.unwrap_or_default()))
            .or_default();
        *same += 1;
        if *same > per_name || tasks.len() >= LISTED || began.elapsed() > CAP {
            left_out += 1;
            continue;
        }
        let stacks = frames::of(task.trace());
        tasks.push(task_report(number, known, stacks));
    }
    TasksReport {
        generated_at: clock::now_millis_text(),
        without_stacks: None,
        dump_ms: took.as_secs_f64() * 1e3,
        counts: counts(known.values().copied()),
        tasks,
        left_out,
        blocking: blocking(),
    }
}
