//! What the flight recorder holds as trace events, the JSON that Perfetto and Chrome read.
//!
//! Requests are async events, since many run at one time: each has an id, and its commands
//! and their phases lie below it. The writer is a thread whose batches hold their BEGIN, each
//! command's work and the COMMIT. Background work has a track for each of its names, unless
//! two of one name ran at one time: a track has no room for that, so they are async events.
//! Times are in microseconds from the server's start.
//!
//! What was measured is drawn end to end. A command's wait for the others of its batch is
//! drawn as one piece before its own work, though a part of it comes after.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::flight::{Batch, Flight, Note, Record};
use super::phase::CommandTrace;
use super::request::Finished;
use super::told::{micros, trace_id};
use crate::clock::Tick;

/// Bytes of a trace; what is older than what fits is left out.
pub const LONGEST: usize = 64 << 20;
/// The one process.
const PROCESS: u32 = 1;
/// The track of requests, of the writer, and the first of background work.
const REQUESTS: u32 = 1;
const WRITER: u32 = 2;
const BACKGROUND: u32 = 3;

/// One trace event.
#[derive(Serialize)]
struct Event<'e> {
    ph: &'static str,
    name: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'e str>,
    pid: u32,
    tid: u32,
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Value>,
}

/// Writes events for as long as there is room.
struct Writer {
    out: Vec<u8>,
    started: Tick,
    longest: usize,
    left_out: u64,
}

/// The trace of a flight. `about` is put into it, and how many records did not fit.
pub fn write(flight: &Flight, started: Tick, about: &Value) -> Vec<u8> {
    write_within(flight, started, about, LONGEST)
}

fn write_within(flight: &Flight, started: Tick, about: &Value, longest: usize) -> Vec<u8> {
    let mut writer = Writer {
        out: b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n".to_vec(),
        started,
        longest,
        left_out: 0,
    };
    let tasks = tasks(flight);
    writer.names(about, &tasks);
    // The newest first: they are what fits.
    for record in flight.newest() {
        if writer.is_full() {
            writer.left_out += 1;
            continue;
        }
        match record {
            Record::Request(one) => writer.request(&one),
            Record::Batch(one) => writer.batch(&one),
            Record::Note(one) => writer.note(&one, &tasks),
        }
    }
    writer.end(about)
}

/// The names of background work that ran one at a time, each with a track of its own.
fn tasks(flight: &Flight) -> Vec<Box<str>> {
    let of_tasks = flight.notes().filter(|note| note.kind == "task");
    let mut runs: Vec<_> = of_tasks
        .map(|note| (note.name, note.started, note.started + note.elapsed))
        .collect();
    runs.sort_unstable();
    let mut names = Vec::new();
    for of_name in runs.chunk_by(|one, next| one.0 == next.0) {
        let mut pairs = of_name.windows(2);
        if pairs.all(|pair| pair[0].2 <= pair[1].1) {
            names.push(of_name[0].0.clone());
        }
    }
    names
}

impl Writer {
    fn is_full(&self) -> bool {
        self.out.len() >= self.longest
    }

    fn put(&mut self, event: &Event<'_>) {
        // Writing JSON of such a struct to memory cannot fail.
        if serde_json::to_writer(&mut self.out, event).is_ok() {
            self.out.extend_from_slice(b",\n");
        }
    }

    fn at(&self, instant: Tick) -> f64 {
        micros(instant - self.started)
    }

    fn names(&mut self, about: &Value, tasks: &[Box<str>]) {
        let version = about["version"].as_str().unwrap_or_default();
        let mut name = |what: &'static str, tid: u32, args: Value| {
            self.put(&Event {
                ph: "M",
                name: what,
                cat: None,
                id: None,
                pid: PROCESS,
                tid,
                ts: 0.0,
                dur: None,
                args: Some(args),
            });
        };
        let process = json!({"name": format!("torc-server {version}")});
        name("process_name", 0, process);
        name("thread_name", REQUESTS, json!({"name": "requests"}));
        name("thread_name", WRITER, json!({"name": "writer"}));
        for (tid, task) in (BACKGROUND..).zip(tasks) {
            name("thread_name", tid, json!({"name": task}));
        }
    }

    /// An async event, whole.
    fn span(
        &mut self,
        id: &str,
        cat: &str,
        name: &str,
        (from, to): (Tick, Tick),
        args: Option<Value>,
        inside: impl FnOnce(&mut Self),
    ) {
        let mut event = Event {
            ph: "b",
            name,
            cat: Some(cat),
            id: Some(id),
            pid: PROCESS,
            tid: REQUESTS,
            ts: self.at(from),
            dur: None,
            args,
        };
        self.put(&event);
        inside(self);
        event.ph = "e";
        event.ts = self.at(to);
        event.args = None;
        self.put(&event);
    }

    fn request(&mut self, finished: &Finished) {
        let id = format!("{:#x}", finished.id);
        let args = json!({
            "request": finished.id,
            "path": finished.path,
            "status": finished.status,
            "trace_id": finished.trace_id().map(trace_id),
            "busy_us": micros(finished.busy),
            "polls": finished.polls,
            "read_wait_us": micros(finished.read_wait),
        });
        let end = finished.began + finished.wall;
        let whole = (finished.began, end);
        self.span(
            &id,
            "request",
            finished.route,
            whole,
            Some(args),
            |writer| {
                let mut free = finished.began;
                let mut commands: Vec<&CommandTrace> = finished.commands.iter().collect();
                commands.sort_by_key(|command| command.submitted);
                for (nth, command) in commands.into_iter().enumerate() {
                    let from = command.submitted.clamp(finished.began, end);
                    let to = (from + command.phases.whole).min(end);
                    // Of two at one time, the second is no part of the first.
                    let own = (from < free).then(|| format!("{id}.{nth}"));
                    free = free.max(to);
                    writer.command(own.as_deref().unwrap_or(&id), command, (from, to));
                }
            },
        );
    }

    fn command(&mut self, id: &str, command: &CommandTrace, (from, to): (Tick, Tick)) {
        let args = json!({
            "batch": command.batch,
            "batch_size": command.batch_size,
            "committed": command.committed,
        });
        let phases = command.phases;
        let parts = [
            ("queue_wait", phases.queue_wait),
            ("begin", phases.begin),
            ("batch_wait", phases.batch_wait),
            ("execute", phases.execute),
            ("commit", phases.commit),
        ];
        self.span(
            id,
            "request",
            command.name,
            (from, to),
            Some(args),
            |writer| {
                let mut at = from;
                for (name, elapsed) in parts {
                    let end = (at + elapsed).min(to);
                    if !elapsed.is_zero() {
                        writer.span(id, "request", name, (at, end), None, |_| {});
                    }
                    at = end;
                }
            },
        );
    }

    /// A complete event on a thread's track.
    fn complete(
        &mut self,
        tid: u32,
        name: &str,
        from: Tick,
        elapsed: Duration,
        args: Option<Value>,
    ) {
        let event = Event {
            ph: "X",
            name,
            cat: Some(if tid == WRITER { "writer" } else { "task" }),
            id: None,
            pid: PROCESS,
            tid,
            ts: self.at(from),
            dur: Some(micros(elapsed)),
            args,
        };
        self.put(&event);
    }

    fn batch(&mut self, batch: &Batch) {
        let whole = batch.begin + batch.execute + batch.commit;
        let args = json!({"batch": batch.number, "commands": batch.commands.len()});
        self.complete(WRITER, "batch", batch.taken, whole, Some(args));
        self.complete(WRITER, "begin", batch.taken, batch.begin, None);
        let mut at = batch.taken + batch.begin;
        for command in &batch.commands {
            let args = command.request.map(|id| json!({"request": id}));
            self.complete(WRITER, command.name, at, command.execute, args);
            at = at + command.execute;
        }
        let commit = batch.taken + batch.begin + batch.execute;
        self.complete(WRITER, "commit", commit, batch.commit, None);
        let event = Event {
            ph: "C",
            name: "commands waiting",
            cat: None,
            id: None,
            pid: PROCESS,
            tid: WRITER,
            ts: self.at(commit + batch.commit),
            dur: None,
            args: Some(json!({"commands": batch.queued})),
        };
        self.put(&event);
    }

    fn note(&mut self, note: &Note, tasks: &[Box<str>]) {
        let track = tasks.iter().zip(BACKGROUND..);
        let track = track.into_iter().find(|(name, _)| **name == note.name);
        match track {
            Some((_, tid)) if note.kind == "task" => {
                self.complete(tid, &note.name, note.started, note.elapsed, None);
            }
            // Others may overlap.
            _ => {
                let id = format!("{}-{:x}", note.kind, self.out.len());
                let whole = (note.started, note.started + note.elapsed);
                self.span(&id, note.kind, &note.name, whole, None, |_| {});
            }
        }
    }

    fn end(mut self, about: &Value) -> Vec<u8> {
        if self.out.ends_with(b",\n") {
            self.out.truncate(self.out.len() - 2);
        }
        self.out.extend_from_slice(b"\n],\"otherData\":");
        let other = json!({
            "about": about,
            "made_at_us": micros(self.started.elapsed()),
            "records_left_out": self.left_out,
        });
        let _ = serde_json::to_writer(&mut self.out, &other);
        self.out.extend_from_slice(b"}\n");
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What does not fit is left out and told, and the rest is whole.
    #[test]
    fn a_long_trace_is_cut_and_says_so() {
        let started = Tick::now();
        let flight = Flight::of(|piece| {
            for n in 0..1_000 {
                let elapsed = Duration::from_millis(5);
                let begun = started + Duration::from_millis(n);
                piece.add_note("stall", &format!("n{n}"), begun, elapsed);
            }
        });
        let about = json!({"version": "1"});
        let trace = write_within(&flight, started, &about, 10_000);
        assert!(trace.len() < 11_000, "{}", trace.len());
        let trace: Value = serde_json::from_slice(&trace).unwrap();
        let left_out = trace["otherData"]["records_left_out"].as_u64().unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let of = |ph: &str| events.iter().filter(|one| one["ph"] == ph).count() as u64;
        assert_eq!(of("b"), of("e"));
        assert_eq!(of("b") + left_out, 1_000);
        assert!(events.iter().any(|one| one["name"] == "n999"));
    }

    /// What ran one at a time has a track, what overlapped is a pair of events for each.
    #[test]
    fn background_work_that_overlaps_is_not_on_one_track() {
        let started = Tick::now();
        let flight = Flight::of(|piece| {
            for n in 0..3 {
                let begun = started + Duration::from_millis(10 * n);
                piece.add_note("task", "alone", begun, Duration::from_millis(10));
                piece.add_note("task", "crowd", begun, Duration::from_millis(15));
            }
        });
        let trace = write(&flight, started, &json!({"version": "1"}));
        let trace: Value = serde_json::from_slice(&trace).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let of = |name: &str, ph: &str| {
            let of_name = events.iter().filter(|one| one["name"] == name);
            of_name.filter(|one| one["ph"] == ph).count()
        };
        assert_eq!((of("alone", "X"), of("alone", "b")), (3, 0));
        assert_eq!(
            (of("crowd", "X"), of("crowd", "b"), of("crowd", "e")),
            (0, 3, 3)
        );
    }
}
