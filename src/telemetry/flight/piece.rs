//! A piece of a ring: some hundred records side by side in a few arrays, so that to record
//! allocates nothing and to forget frees a piece at once.

use std::ops::Range;
use std::time::Duration;

use super::{Batch, BatchCommand, Note};
use crate::clock::Tick;
use crate::telemetry::phase::{BatchTrace, CommandTrace, Phases, StatementTotal};
use crate::telemetry::request::{Finished, Parent};

/// Where the parts of a record lie in their array.
#[derive(Debug, Clone, Copy)]
struct Part {
    from: u32,
    to: u32,
}

impl Part {
    /// Adds to an array and says where that lies.
    fn added<T>(list: &mut Vec<T>, parts: impl IntoIterator<Item = T>) -> Self {
        let from = index(list.len());
        list.extend(parts);
        Self {
            from,
            to: index(list.len()),
        }
    }

    fn range(self) -> Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// A piece is full long before this is too narrow.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[derive(Clone)]
struct Request {
    id: u64,
    route: &'static str,
    path: Part,
    parent: Part,
    commands: Part,
    statements: Part,
    began: Tick,
    wall: Duration,
    busy: Duration,
    read_wait: Duration,
    polls: u32,
    status: u16,
}

#[derive(Clone)]
struct Command {
    name: &'static str,
    batch: u64,
    batch_size: usize,
    submitted: Tick,
    phases: Phases,
    statements: Part,
    committed: bool,
    refused: bool,
}

#[derive(Clone)]
struct BatchHead {
    number: u64,
    taken: Tick,
    commands: Part,
    begin: Duration,
    execute: Duration,
    commit: Duration,
    queued: usize,
}

#[derive(Clone)]
struct NoteHead {
    kind: &'static str,
    name: Part,
    started: Tick,
    elapsed: Duration,
}

/// What a record is about, and its place among those of its kind.
#[derive(Debug, Clone, Copy)]
pub enum At {
    /// A finished request.
    Request(usize),
    /// A batch of the writer.
    Batch(usize),
    /// Something that was noted.
    Note(usize),
}

/// What of a request can be told without putting it together.
pub struct Head<'p> {
    /// Its number.
    pub id: u64,
    /// Its route.
    pub route: &'static str,
    /// Its path.
    pub path: &'p str,
    /// How long it took.
    pub wall: Duration,
}

/// Records, in the order of their coming.
#[derive(Clone, Default)]
pub struct Piece {
    order: Vec<(Tick, At)>,
    /// The latest end of a record. Not always that of the last: some come late.
    newest: Option<Tick>,
    requests: Vec<Request>,
    parents: Vec<Parent>,
    commands: Vec<Command>,
    statements: Vec<StatementTotal>,
    batches: Vec<BatchHead>,
    batch_commands: Vec<BatchCommand>,
    notes: Vec<NoteHead>,
    text: String,
}

impl Piece {
    /// An empty piece with room for as much as `other` holds and a little more.
    pub fn like(other: &Self) -> Self {
        fn room<T>(of: &[T]) -> Vec<T> {
            Vec::with_capacity(of.len() + of.len() / 8)
        }
        Self {
            newest: None,
            order: room(&other.order),
            requests: room(&other.requests),
            parents: room(&other.parents),
            commands: room(&other.commands),
            statements: room(&other.statements),
            batches: room(&other.batches),
            batch_commands: room(&other.batch_commands),
            notes: room(&other.notes),
            text: String::with_capacity(other.text.len() + other.text.len() / 8),
        }
    }

    /// Forgets its records and keeps their room.
    pub fn clear(&mut self) {
        self.newest = None;
        self.order.clear();
        self.requests.clear();
        self.parents.clear();
        self.commands.clear();
        self.statements.clear();
        self.batches.clear();
        self.batch_commands.clear();
        self.notes.clear();
        self.text.clear();
    }

    /// Bytes that it takes, used or not.
    pub fn bytes(&self) -> usize {
        fn of<T>(list: &Vec<T>) -> usize {
            list.capacity() * size_of::<T>()
        }
        size_of::<Self>()
            + of(&self.order)
            + of(&self.requests)
            + of(&self.parents)
            + of(&self.commands)
            + of(&self.statements)
            + of(&self.batches)
            + of(&self.batch_commands)
            + of(&self.notes)
            + self.text.capacity()
    }

    /// Bytes of its records.
    pub fn used(&self) -> usize {
        self.order.len() * size_of::<(Tick, At)>()
            + self.requests.len() * size_of::<Request>()
            + self.parents.len() * size_of::<Parent>()
            + self.commands.len() * size_of::<Command>()
            + self.statements.len() * size_of::<StatementTotal>()
            + self.batches.len() * size_of::<BatchHead>()
            + self.batch_commands.len() * size_of::<BatchCommand>()
            + self.notes.len() * size_of::<NoteHead>()
            + self.text.len()
    }

    /// When the latest of its records ended.
    pub fn newest(&self) -> Option<Tick> {
        self.newest
    }

    /// Its records: when each ended, and where it is.
    pub fn order(&self) -> &[(Tick, At)] {
        &self.order
    }

    /// Adds a finished request.
    pub fn add_request(&mut self, finished: &Finished) {
        let mut statements =
            |of: &[StatementTotal]| Part::added(&mut self.statements, of.iter().copied());
        let of_request = statements(&finished.statements);
        let commands = finished.commands.iter().map(|trace| Command {
            name: trace.name,
            batch: trace.batch,
            batch_size: trace.batch_size,
            submitted: trace.submitted,
            phases: trace.phases,
            statements: statements(&trace.statements),
            committed: trace.committed,
            refused: trace.refused,
        });
        let commands = Part::added(&mut self.commands, commands);
        let at = At::Request(self.requests.len());
        let path = self.add_text(&finished.path);
        self.requests.push(Request {
            id: finished.id,
            route: finished.route,
            path,
            parent: Part::added(&mut self.parents, finished.parent),
            commands,
            statements: of_request,
            began: finished.began,
            wall: finished.wall,
            busy: finished.busy,
            read_wait: finished.read_wait,
            polls: finished.polls,
            status: finished.status,
        });
        self.ended(finished.began + finished.wall, at);
    }

    /// Adds a batch, after which `queued` commands waited.
    pub fn add_batch(&mut self, trace: &BatchTrace<'_>, queued: usize) {
        let mut done = trace.done.iter();
        let commands = trace.operations.iter().map(|name| {
            let (request, execute) = done.next().copied().unwrap_or_default();
            BatchCommand {
                name,
                request,
                execute,
            }
        });
        let at = At::Batch(self.batches.len());
        self.batches.push(BatchHead {
            number: trace.number,
            taken: trace.taken,
            commands: Part::added(&mut self.batch_commands, commands),
            begin: trace.begin,
            execute: trace.execute,
            commit: trace.commit,
            queued,
        });
        let whole = trace.begin + trace.execute + trace.commit;
        self.ended(trace.taken + whole, at);
    }

    /// Adds something else that took time.
    pub fn add_note(&mut self, kind: &'static str, name: &str, started: Tick, elapsed: Duration) {
        let at = At::Note(self.notes.len());
        let name = self.add_text(name);
        self.notes.push(NoteHead {
            kind,
            name,
            started,
            elapsed,
        });
        self.ended(started + elapsed, at);
    }

    fn ended(&mut self, ended: Tick, at: At) {
        self.newest = self.newest.max(Some(ended));
        self.order.push((ended, at));
    }

    fn add_text(&mut self, text: &str) -> Part {
        let from = index(self.text.len());
        self.text.push_str(text);
        Part {
            from,
            to: index(self.text.len()),
        }
    }

    fn text(&self, part: Part) -> &str {
        self.text.get(part.range()).unwrap_or_default()
    }

    /// What of a request can be told at once.
    pub fn head(&self, at: usize) -> Head<'_> {
        let request = &self.requests[at];
        Head {
            id: request.id,
            route: request.route,
            path: self.text(request.path),
            wall: request.wall,
        }
    }

    /// A finished request, put together again.
    pub fn request(&self, at: usize) -> Finished {
        let request = &self.requests[at];
        let statements = |part: Part| self.statements[part.range()].into();
        let commands = self.commands[request.commands.range()].iter();
        Finished {
            id: request.id,
            parent: self.parents[request.parent.range()].first().copied(),
            route: request.route,
            path: self.text(request.path).into(),
            status: request.status,
            began: request.began,
            wall: request.wall,
            busy: request.busy,
            polls: request.polls,
            read_wait: request.read_wait,
            commands: commands
                .map(|command| CommandTrace {
                    name: command.name,
                    batch: command.batch,
                    batch_size: command.batch_size,
                    submitted: command.submitted,
                    phases: command.phases,
                    statements: statements(command.statements),
                    committed: command.committed,
                    refused: command.refused,
                })
                .collect(),
            statements: statements(request.statements).into_vec(),
        }
    }

    /// A batch, put together again.
    pub fn batch(&self, at: usize) -> Batch {
        let batch = &self.batches[at];
        Batch {
            number: batch.number,
            taken: batch.taken,
            commands: self.batch_commands[batch.commands.range()].into(),
            begin: batch.begin,
            execute: batch.execute,
            commit: batch.commit,
            queued: batch.queued,
        }
    }

    /// What was noted, put together again.
    pub fn note(&self, at: usize) -> Note {
        let note = &self.notes[at];
        Note {
            kind: note.kind,
            name: self.text(note.name).into(),
            started: note.started,
            elapsed: note.elapsed,
        }
    }
}
