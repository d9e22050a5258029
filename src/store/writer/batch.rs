//! One batch: begin, the commands under their savepoints, one commit, effects, replies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_channel::oneshot;
use rusqlite::Connection;

use super::{Perform, locks, wal};
use crate::clock::Tick;
use crate::store::{Command, Effects, StoreError, WriteTx};
use crate::telemetry::board::{self, Ticket};
use crate::telemetry::phase::{self, BatchTrace, CommandTrace, Phases, StatementTotal};
use crate::telemetry::{request, scope};

/// Pages that a commit may write and count as small.
const SMALL_COMMIT: i64 = 64;

/// A command in the queue, its type forgotten.
pub(super) trait Queued: Send {
    fn name(&self) -> &'static str;
    fn bytes(&self) -> usize;
    fn alone(&self) -> bool;
    fn ticket(&self) -> Ticket;
    fn queued_at(&self) -> Tick;
    /// The request that it is for.
    fn request(&self) -> Option<u64>;
    /// Applies the command; `Err` when its changes must be undone.
    fn apply(&mut self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<(), ()>;
    /// What its statements did and where its time went, as far as it got.
    fn work(&mut self) -> &mut Work;
    /// Decides its outcome; `failure` says why the batch as a whole did not happen.
    fn end(&mut self, batch: &Batch, failure: Option<&StoreError>);
    /// What became of it, once that is decided.
    fn ended(&self) -> Option<&CommandTrace>;
    /// Answers the caller.
    fn reply(self: Box<Self>);
}

/// What the writer did for one command.
#[derive(Default)]
pub(super) struct Work {
    pub(super) phases: Phases,
    pub(super) statements: Box<[StatementTotal]>,
}

/// The batch in which commands were carried out.
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) size: usize,
}

/// What a caller gets: the outcome, and where the time went.
pub(super) type Answer<C> = (
    Result<<C as Command>::Reply, <C as Command>::Error>,
    Option<CommandTrace>,
);

/// A command with where its answer goes.
pub(super) struct Entry<C: Command> {
    command: Option<C>,
    bytes: usize,
    alone: bool,
    ticket: Ticket,
    request: Option<u64>,
    queued_at: Tick,
    /// The request's span, so that what happens here counts as its child.
    span: tracing::Span,
    work: Work,
    outcome: Option<Result<C::Reply, C::Error>>,
    trace: Option<CommandTrace>,
    reply: oneshot::Sender<Answer<C>>,
}

impl<C: Command> Entry<C> {
    /// Takes its place on the writer's board.
    pub(super) fn new(command: C, reply: oneshot::Sender<Answer<C>>) -> Self {
        Self {
            bytes: command.bytes(),
            alone: command.alone(),
            command: Some(command),
            ticket: board::enter(C::NAME),
            request: request::current(),
            queued_at: Tick::now(),
            span: scope::current(),
            work: Work::default(),
            outcome: None,
            trace: None,
            reply,
        }
    }

    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
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

    fn ticket(&self) -> Ticket {
        self.ticket
    }

    fn queued_at(&self) -> Tick {
        self.queued_at
    }

    fn request(&self) -> Option<u64> {
        self.request
    }

    fn apply(&mut self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<(), ()> {
        let Some(command) = self.command.take() else {
            return Err(());
        };
        let _inside = self.span.enter();
        // A bug in one command must not take the server's only writer with it.
        let apply = || catch_unwind(AssertUnwindSafe(|| command.apply(tx, effects)));
        let (applied, statements) = phase::in_command(apply);
        self.work.statements = statements;
        let outcome = applied.unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        let verdict = if outcome.is_ok() { Ok(()) } else { Err(()) };
        self.outcome = Some(outcome);
        verdict
    }

    fn work(&mut self) -> &mut Work {
        &mut self.work
    }

    fn end(&mut self, batch: &Batch, failure: Option<&StoreError>) {
        let outcome = match (failure, self.outcome.take()) {
            // A refusal too: it may rest on what another command of the batch had done.
            (Some(failure), _) => Err(failure.clone().into()),
            (None, Some(done)) => done,
            (None, None) => Err(StoreError::Panicked.into()),
        };
        let happened = failure.is_none();
        let (committed, refused) = (happened && outcome.is_ok(), happened && outcome.is_err());
        // The span ends with the request, not with this thread's last use of it.
        self.span = tracing::Span::none();
        let Work {
            mut phases,
            statements,
        } = std::mem::take(&mut self.work);
        phases.whole = self.queued_at.elapsed();
        self.trace = Some(CommandTrace {
            name: C::NAME,
            batch: batch.number,
            batch_size: batch.size,
            submitted: self.queued_at,
            phases,
            statements,
            committed,
            refused,
        });
        self.outcome = Some(outcome);
    }

    fn ended(&self) -> Option<&CommandTrace> {
        self.trace.as_ref()
    }

    fn reply(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // A caller that went away does not undo the commit.
            let _ = self.reply.send((outcome, self.trace));
        }
    }
}

/// What a batch consists of, such as `2 start_job, 1 complete_job`.
pub(super) fn composition(batch: &[Box<dyn Queued>]) -> String {
    let names: Vec<&'static str> = batch.iter().map(|entry| entry.name()).collect();
    board::composition(&names)
}

/// Answers a batch that is not run.
pub(super) fn refuse(mut batch: Vec<Box<dyn Queued>>, failure: &StoreError) {
    let of = Batch {
        number: 0,
        size: batch.len(),
    };
    for entry in &mut batch {
        entry.work().phases.queue_wait = entry.queued_at().elapsed();
    }
    answer(batch, &of, Some(failure));
}

/// Answers everybody in a batch. What is known of the commands is recorded first: who has
/// an answer may ask for it.
fn answer(mut batch: Vec<Box<dyn Queued>>, of: &Batch, failure: Option<&StoreError>) {
    for entry in &mut batch {
        entry.end(of, failure);
    }
    phase::commands(batch.iter().filter_map(|entry| entry.ended()));
    for entry in batch {
        entry.reply();
    }
}

/// Runs a batch to its end and answers everybody in it.
pub(super) fn run(
    conn: &Connection,
    number: u64,
    mut batch: Vec<Box<dyn Queued>>,
    hurried: &AtomicBool,
    perform: &Perform,
) {
    let taken = Tick::now();
    let names: Vec<&'static str> = batch.iter().map(|entry| entry.name()).collect();
    board::hold(number, &names);
    for entry in &mut batch {
        let waited = taken - entry.queued_at();
        entry.work().phases.queue_wait = waited;
    }
    let outcome = ended(conn).and_then(|()| commit(conn, &mut batch, hurried, taken));
    if outcome.is_err() {
        // What cannot be undone now is tried again before the next batch.
        let _ = ended(conn);
    }
    let failure = match outcome {
        Ok(done) => {
            let each: Vec<_> = batch
                .iter_mut()
                .map(|entry| (entry.request(), entry.work().phases.execute))
                .collect();
            phase::batch(&BatchTrace {
                number,
                taken,
                operations: &names,
                done: &each,
                begin: done.begin,
                execute: done.execute,
                commit: done.commit,
            });
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
    board::release();
    let of = Batch {
        number,
        size: batch.len(),
    };
    answer(batch, &of, failure.as_ref());
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
    execute: Duration,
    commit: Duration,
    effects: Effects,
}

fn commit(
    conn: &Connection,
    batch: &mut [Box<dyn Queued>],
    hurried: &AtomicBool,
    taken: Tick,
) -> Result<Done, StoreError> {
    let begun = begin(conn);
    let begin = taken.elapsed();
    for entry in batch.iter_mut() {
        entry.work().phases.begin = begin;
    }
    begun?;
    let begun = taken + begin;
    let logged = wal::logged();
    let mut all = Effects::default();
    let alone = batch.len() == 1;
    let mut nothing_left = false;
    for entry in batch.iter_mut() {
        let start = Tick::now();
        board::carry_out(entry.name(), entry.request());
        let effects = if alone {
            let kept = apply_alone(conn, entry.as_mut(), hurried)?;
            nothing_left = kept.is_none();
            kept.unwrap_or_default()
        } else {
            apply(conn, entry.as_mut(), hurried)?
        };
        let phases = &mut entry.work().phases;
        phases.execute = start.elapsed();
        all.append(effects);
    }
    let start = Tick::now();
    board::committing();
    if !nothing_left {
        conn.prepare_cached("COMMIT")?.execute(())?;
    }
    // What was rolled back was not committed, however fast.
    let commit = if nothing_left {
        Duration::ZERO
    } else {
        start.elapsed()
    };
    note_sync(logged, commit);
    let execute = start - begun;
    for entry in batch {
        let phases = &mut entry.work().phases;
        phases.commit = commit;
        phases.batch_wait = execute.saturating_sub(phases.execute);
    }
    Ok(Done {
        begin,
        execute,
        commit,
        effects: all,
    })
}

/// Opens the transaction. How long another process kept it waiting is told apart.
fn begin(conn: &Connection) -> Result<(), StoreError> {
    let begun = conn
        .prepare_cached("BEGIN IMMEDIATE")
        .and_then(|mut statement| statement.execute(()));
    if let Some(waited) = locks::waited() {
        phase::task("writer.lock_wait", waited);
    }
    begun?;
    Ok(())
}

/// Notes how long a small commit took: next to nothing but the disk's sync, while a large
/// one also writes.
fn note_sync(before: i64, commit: Duration) {
    let after = wal::logged();
    // A log that was begun anew counts from its beginning.
    let pages = if after < before {
        after
    } else {
        after - before
    };
    if (1..=SMALL_COMMIT).contains(&pages) {
        phase::part("commit.small", commit);
    }
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
