//! One batch: begin, the commands under their savepoints, one commit, effects, replies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use rusqlite::Connection;

use super::Perform;
use crate::store::{Command, Effects, StoreError, WriteTx};
use crate::telemetry::phase;

/// A command in the queue, its type forgotten.
pub(super) trait Queued: Send {
    fn name(&self) -> &'static str;
    fn bytes(&self) -> usize;
    fn alone(&self) -> bool;
    fn queued_at(&self) -> Instant;
    /// Applies the command; `Err` when its changes must be undone.
    fn apply(&mut self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<(), ()>;
    /// Answers the caller; `failure` says why the batch as a whole did not happen.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

/// A command with where its answer goes.
pub(super) struct Entry<C: Command> {
    command: Option<C>,
    bytes: usize,
    alone: bool,
    queued_at: Instant,
    /// The request's span, so that what happens here counts as its child.
    span: tracing::Span,
    outcome: Option<Result<C::Reply, C::Error>>,
    reply: oneshot::Sender<Result<C::Reply, C::Error>>,
}

impl<C: Command> Entry<C> {
    pub(super) fn new(command: C, reply: oneshot::Sender<Result<C::Reply, C::Error>>) -> Self {
        Self {
            bytes: command.bytes(),
            alone: command.alone(),
            command: Some(command),
            queued_at: Instant::now(),
            span: tracing::Span::current(),
            outcome: None,
            reply,
        }
    }
}

impl<C: Command> Queued for Entry<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn alone(&self) -> bool {
        self.alone
    }

    fn queued_at(&self) -> Instant {
        self.queued_at
    }

    fn apply(&mut self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<(), ()> {
        let Some(command) = self.command.take() else {
            return Err(());
        };
        let _inside = self.span.enter();
        // A bug in one command must not take the server's only writer with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| command.apply(tx, effects)))
            .unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        let verdict = if outcome.is_ok() { Ok(()) } else { Err(()) };
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let Self {
            outcome,
            reply,
            span,
            ..
        } = *self;
        let outcome = match (failure, outcome) {
            // A refusal too: it may rest on what another command of the batch had done.
            (Some(failure), _) => Err(failure.clone().into()),
            (None, Some(done)) => done,
            (None, None) => Err(StoreError::Panicked.into()),
        };
        // The span ends with the request, not with this thread's last use of it.
        drop(span);
        // A caller that went away does not undo the commit.
        let _ = reply.send(outcome);
    }
}

/// What a batch consists of, such as `2 start_job, 1 complete_job`.
pub(super) fn composition(batch: &[Box<dyn Queued>]) -> String {
    let names: Vec<&'static str> = batch.iter().map(|entry| entry.name()).collect();
    phase::composition(&names)
}

/// Answers a batch that is not run.
pub(super) fn refuse(batch: Vec<Box<dyn Queued>>, failure: &StoreError) {
    for entry in batch {
        entry.answer(Some(failure));
    }
}

/// Runs a batch to its end and answers everybody in it.
pub(super) fn run(
    conn: &Connection,
    mut batch: Vec<Box<dyn Queued>>,
    hurried: &AtomicBool,
    perform: &Perform,
) {
    let taken = Instant::now();
    let names: Vec<&'static str> = batch.iter().map(|entry| entry.name()).collect();
    phase::writer_holds(&names);
    let outcome = ended(conn).and_then(|()| commit(conn, &mut batch, hurried, taken));
    if outcome.is_err() {
        // What cannot be undone now is tried again before the next batch.
        let _ = ended(conn);
    }
    let failure = match outcome {
        Ok(done) => {
            phase::batch(&names, done.begin, done.commit);
            perform(done.effects);
            None
        }
        Err(failure) => {
            tracing::error!(
                commands = names.len(),
                "a batch was not committed: {failure}"
            );
            Some(failure)
        }
    };
    phase::writer_idle();
    for entry in batch {
        entry.answer(failure.as_ref());
    }
}

/// Undoes a transaction that an earlier failure left open.
fn ended(conn: &Connection) -> Result<(), StoreError> {
    if conn.is_autocommit() {
        return Ok(());
    }
    Ok(conn.execute_batch("ROLLBACK")?)
}

struct Done {
    begin: Duration,
    commit: Duration,
    effects: Effects,
}

fn commit(
    conn: &Connection,
    batch: &mut [Box<dyn Queued>],
    hurried: &AtomicBool,
    taken: Instant,
) -> Result<Done, StoreError> {
    let mut statement = conn.prepare_cached("BEGIN IMMEDIATE")?;
    statement.execute(())?;
    drop(statement);
    let begin = taken.elapsed();
    let mut all = Effects::default();
    let alone = batch.len() == 1;
    let mut nothing_left = false;
    for entry in batch.iter_mut() {
        let start = Instant::now();
        let effects = if alone {
            let kept = apply_alone(conn, entry.as_mut(), hurried)?;
            nothing_left = kept.is_none();
            kept.unwrap_or_default()
        } else {
            apply(conn, entry.as_mut(), hurried)?
        };
        phase::command(
            entry.name(),
            taken.saturating_duration_since(entry.queued_at()),
            start.elapsed(),
        );
        all.append(effects);
    }
    let start = Instant::now();
    if !nothing_left {
        conn.prepare_cached("COMMIT")?.execute(())?;
    }
    Ok(Done {
        begin,
        commit: start.elapsed(),
        effects: all,
    })
}

/// Applies the only command of a batch: the transaction is its savepoint, which spares
/// SQLite a copy of every page that it touches. `None` when it was refused, and the
/// transaction undone.
fn apply_alone(
    conn: &Connection,
    entry: &mut dyn Queued,
    hurried: &AtomicBool,
) -> Result<Option<Effects>, StoreError> {
    let mut effects = Effects::default();
    let tx = WriteTx::new(conn, hurried);
    match entry.apply(&tx, &mut effects) {
        Ok(()) => Ok(Some(effects)),
        Err(()) if conn.is_autocommit() => Err(undone(&tx)),
        Err(()) => {
            conn.prepare_cached("ROLLBACK")?.execute(())?;
            Ok(None)
        }
    }
}

/// Why SQLite undid the transaction by itself, as it does on some errors, a full disk
/// among them.
fn undone(tx: &WriteTx<'_>) -> StoreError {
    tx.last_failure()
        .unwrap_or_else(|| StoreError::Disk("the transaction was rolled back".to_owned()))
}

/// Applies one command of several under a savepoint. An error here means that the
/// transaction itself is gone, and every command of the batch with it.
fn apply(
    conn: &Connection,
    entry: &mut dyn Queued,
    hurried: &AtomicBool,
) -> Result<Effects, StoreError> {
    let mut effects = Effects::default();
    conn.prepare_cached("SAVEPOINT command")?.execute(())?;
    let tx = WriteTx::new(conn, hurried);
    match entry.apply(&tx, &mut effects) {
        Ok(()) => {
            conn.prepare_cached("RELEASE command")?.execute(())?;
            Ok(effects)
        }
        Err(()) if conn.is_autocommit() => Err(undone(&tx)),
        Err(()) => {
            conn.prepare_cached("ROLLBACK TO command")?.execute(())?;
            conn.prepare_cached("RELEASE command")?.execute(())?;
            Ok(Effects::default())
        }
    }
}
