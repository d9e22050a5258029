//! A finished request as it is told: as JSON (by serde), as a line, and in full as text.
//! Times are in microseconds.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use serde::Serialize;

use super::phase::{CommandTrace, StatementTotal};
use super::request::Finished;
use crate::clock;
use crate::clock::Tick;

/// A finished request, and where its time went.
#[derive(Debug, Clone, Serialize)]
pub struct RequestTold {
    /// When it came, RFC 3339 in UTC.
    pub time: String,
    /// Its number, counted from the start of the server.
    pub id: u64,
    /// The caller's trace, 32 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Method and path with placeholders; `(background)` for what was no request.
    pub route: &'static str,
    /// The path as it was asked for, without its query.
    pub path: String,
    /// Of the answer; 499 when the caller had gone, 0 for what was no request.
    pub status: u16,
    /// Until the head of the answer was there.
    pub wall_us: f64,
    /// In which a thread worked on it.
    pub busy_us: f64,
    /// How often a thread turned to it.
    pub polls: u32,
    /// In which it waited for a read connection.
    pub read_wait_us: f64,
    /// What it read.
    pub statements: Vec<StatementTold>,
    /// What the writer did for it.
    pub commands: Vec<CommandTold>,
    /// What commands, statements and the wait for a connection leave of the wall time.
    pub unaccounted_us: f64,
}

/// One command of a request. The five phases and what is unaccounted sum to the whole.
#[derive(Debug, Clone, Serialize)]
pub struct CommandTold {
    /// Its operation.
    pub operation: &'static str,
    /// The number of its batch.
    pub batch: u64,
    /// Commands in that batch.
    pub batch_size: usize,
    /// Whether it was committed: neither refused, nor in a batch that failed.
    pub committed: bool,
    /// Whether it was refused: its batch was committed without it.
    pub refused: bool,
    /// When it was handed to the writer, from the beginning of the request on.
    pub at_us: f64,
    /// From then to its reply.
    pub whole_us: f64,
    /// Until the writer took it up.
    pub queue_wait_us: f64,
    /// The BEGIN of its batch.
    pub begin_us: f64,
    /// The others of its batch were carried out.
    pub batch_wait_us: f64,
    /// Its own work.
    pub execute_us: f64,
    /// The COMMIT of its batch.
    pub commit_us: f64,
    /// What the phases leave of the whole.
    pub unaccounted_us: f64,
    /// What it did.
    pub statements: Vec<StatementTold>,
}

/// All calls of one statement.
#[derive(Debug, Clone, Serialize)]
pub struct StatementTold {
    /// Its stable id.
    pub statement: &'static str,
    /// How often it ran.
    pub calls: u32,
    /// Rows that it read or changed.
    pub rows: u64,
    /// How long it took, all calls together.
    pub elapsed_us: f64,
}

/// A duration in microseconds.
pub fn micros(elapsed: Duration) -> f64 {
    elapsed.as_nanos() as f64 / 1e3
}

/// When `instant` was, by the clock on the wall as it stands now.
pub fn time_of(instant: Tick) -> String {
    let ago = TimeDelta::from_std(instant.elapsed()).unwrap_or_default();
    (clock::now() - ago).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A trace's number as W3C Trace Context writes it.
pub fn trace_id(id: u128) -> String {
    format!("{id:032x}")
}

impl RequestTold {
    /// Tells of a request.
    pub fn of(finished: &Finished) -> Self {
        let commands: Vec<CommandTold> = finished
            .commands
            .iter()
            .map(|command| CommandTold::of(command, finished.began))
            .collect();
        let writer: Duration = finished.commands.iter().map(|one| one.phases.whole).sum();
        let read: Duration = finished.statements.iter().map(|one| one.elapsed).sum();
        let accounted = writer + read + finished.read_wait;
        Self {
            time: time_of(finished.began),
            id: finished.id,
            trace_id: finished.trace_id().map(trace_id),
            route: finished.route,
            path: finished.path.to_string(),
            status: finished.status,
            wall_us: micros(finished.wall),
            busy_us: micros(finished.busy),
            polls: finished.polls,
            read_wait_us: micros(finished.read_wait),
            statements: StatementTold::all(&finished.statements),
            commands,
            unaccounted_us: micros(finished.wall.saturating_sub(accounted)),
        }
    }

    /// One line: time, number, status, wall time, route and path, and the commands.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{} #{:<8} {:>3} {:>9}  {}",
            self.time,
            self.id,
            self.status,
            duration_text(self.wall_us),
            self.route
        );
        for command in &self.commands {
            let _ = write!(
                line,
                "  [{} {}, queue {}, execute {}, commit {}]",
                command.operation,
                duration_text(command.whole_us),
                duration_text(command.queue_wait_us),
                duration_text(command.execute_us),
                duration_text(command.commit_us)
            );
        }
        line
    }

    /// All of it, over several lines.
    pub fn in_full(&self) -> String {
        let mut text = format!(
            "request {} at {}\n{} {}\nstatus {}, {} in all: busy {} in {} polls, \
             {} waiting for a read connection, {} unaccounted\n",
            self.id,
            self.time,
            self.route,
            self.path,
            self.status,
            duration_text(self.wall_us),
            duration_text(self.busy_us),
            self.polls,
            duration_text(self.read_wait_us),
            duration_text(self.unaccounted_us)
        );
        if let Some(trace) = &self.trace_id {
            let _ = writeln!(text, "trace {trace}");
        }
        StatementTold::list(&self.statements, "  read ", &mut text);
        for command in &self.commands {
            let _ = writeln!(
                text,
                "{}: {}, in batch {} of {}{}, handed over after {}",
                command.operation,
                duration_text(command.whole_us),
                command.batch,
                command.batch_size,
                match (command.committed, command.refused) {
                    (true, _) => "",
                    (false, true) => ", which refused it",
                    (false, false) => ", which was not committed",
                },
                duration_text(command.at_us)
            );
            for (phase, us) in command.phases() {
                let share = 100.0 * us / command.whole_us.max(f64::MIN_POSITIVE);
                let bar = "#".repeat((share / 2.5) as usize);
                let _ = writeln!(
                    text,
                    "  {phase:11} {:>9} {share:>3.0} % {bar}",
                    duration_text(us)
                );
            }
            StatementTold::list(&command.statements, "    ", &mut text);
        }
        text
    }
}

impl CommandTold {
    fn of(trace: &CommandTrace, began: Tick) -> Self {
        let phases = trace.phases;
        Self {
            operation: trace.name,
            batch: trace.batch,
            batch_size: trace.batch_size,
            committed: trace.committed,
            refused: trace.refused,
            at_us: micros(trace.submitted - began),
            whole_us: micros(phases.whole),
            queue_wait_us: micros(phases.queue_wait),
            begin_us: micros(phases.begin),
            batch_wait_us: micros(phases.batch_wait),
            execute_us: micros(phases.execute),
            commit_us: micros(phases.commit),
            unaccounted_us: micros(phases.unaccounted()),
            statements: StatementTold::all(&trace.statements),
        }
    }

    fn phases(&self) -> [(&'static str, f64); 6] {
        [
            ("queue_wait", self.queue_wait_us),
            ("begin", self.begin_us),
            ("batch_wait", self.batch_wait_us),
            ("execute", self.execute_us),
            ("commit", self.commit_us),
            ("unaccounted", self.unaccounted_us),
        ]
    }
}

impl StatementTold {
    fn all(totals: &[StatementTotal]) -> Vec<Self> {
        let told = totals.iter().map(|total| Self {
            statement: total.id,
            calls: total.calls,
            rows: total.rows,
            elapsed_us: micros(total.elapsed),
        });
        told.collect()
    }

    fn list(statements: &[Self], before: &str, text: &mut String) {
        for one in statements {
            let _ = writeln!(
                text,
                "{before}{}: {} calls, {} rows, {}",
                one.statement,
                one.calls,
                one.rows,
                duration_text(one.elapsed_us)
            );
        }
    }
}

/// Microseconds for people: three digits and a unit.
pub fn duration_text(us: f64) -> String {
    super::report_text::time(us)
}
