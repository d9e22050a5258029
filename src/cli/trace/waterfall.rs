//! One request as bars: its parts below each other, each where it was and as wide as it
//! was long.

use super::began;
use crate::cli::figures::{shortened, time, wrapped};
use crate::wire::BASE_PATH;
use crate::wire::debug::{Command, Request, Statement};

/// Columns of the names.
const NAME: usize = 28;
/// Columns of a time, with the space before it.
const TIME: usize = 8;
/// Columns of the bars at least.
const BARS: usize = 20;

/// One part of a request.
struct Part<'r> {
    name: String,
    /// From the request's beginning, in microseconds; none if it has no place of its own.
    begin: Option<f64>,
    length: f64,
    color: &'static str,
    statements: &'r [Statement],
}

/// The request, in lines of at most so many columns.
pub fn drawn(request: &Request, columns: usize, colors: bool) -> String {
    let width = columns.saturating_sub(NAME + TIME + 3).max(BARS);
    let path = request.path.strip_prefix(BASE_PATH);
    let path = path.unwrap_or(&request.path);
    let title = format!("Request {}: {}", request.id, request.route);
    let mut text = format!("{}\n", shortened(&title, columns));
    let about = format!(
        "{path}, status {}, began {}; {} in all, {} busy",
        request.status,
        began(request),
        time(request.wall_us),
        time(request.busy_us)
    );
    text += &format!("{}\n\n", wrapped(&about, Some(columns)));
    let parts = parts(request);
    // Batches may end after the request, when its caller went away: all of it is shown.
    let end = parts
        .iter()
        .filter_map(|part| Some(part.begin? + part.length))
        .fold(request.wall_us, f64::max);
    text += &scale(end, width);
    for part in &parts {
        let bar = part.begin.map_or_else(
            || " ".repeat(width),
            |begin| bar(begin, part.length, end, width),
        );
        let bar = match colors {
            true => format!("\x1b[{}m{bar}\x1b[0m", part.color),
            false => bar,
        };
        text += &format!(
            "{:<NAME$}{:>TIME$} |{bar}|\n",
            shortened(&part.name, NAME),
            time(part.length)
        );
        for one in part.statements {
            text += &statement(one, columns);
        }
    }
    text
}

/// The line above the bars, from nothing to the whole.
fn scale(end: f64, width: usize) -> String {
    let end = time(end);
    let gap = width.saturating_sub(1 + end.len());
    format!("{}0{}{end}\n", " ".repeat(NAME + TIME + 2), " ".repeat(gap))
}

fn bar(begin: f64, length: f64, end: f64, width: usize) -> String {
    if length <= 0.0 || end <= 0.0 {
        return " ".repeat(width);
    }
    let column = |at: f64| ((at / end * width as f64).round().max(0.0) as usize).min(width);
    // However short, it shows.
    let first = column(begin).min(width - 1);
    let last = column(begin + length).max(first + 1);
    let mut bar = " ".repeat(first);
    bar.push_str(&"█".repeat(last - first));
    bar.push_str(&" ".repeat(width - last));
    bar
}

fn statement(one: &Statement, columns: usize) -> String {
    let calls = match one.calls {
        0 | 1 => String::new(),
        calls => format!(", {calls} calls"),
    };
    let rows = match one.rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    let line = format!(
        "  {} {}: {rows}{calls}",
        time(one.elapsed_us),
        one.statement
    );
    format!("{}\n", shortened(&line, columns))
}

/// The parts in the order in which they come. Reads come first as a rule: what is to be
/// written is checked before. Where the server does not tell when a command was handed over,
/// it follows what was before.
fn parts(request: &Request) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut at = 0.0;
    let mut add = |name: String, color, begin: &mut f64, length: f64, statements| {
        parts.push(Part {
            name,
            begin: Some(*begin),
            length,
            color,
            statements,
        });
        *begin += length;
    };
    if request.read_wait_us > 0.0 {
        let wait = request.read_wait_us;
        add("wait for a reader".to_owned(), "33", &mut at, wait, &[][..]);
    }
    if !request.statements.is_empty() {
        let reads = request.statements.iter().map(|one| one.elapsed_us).sum();
        add(
            "reads".to_owned(),
            "36",
            &mut at,
            reads,
            &request.statements,
        );
    }
    let mut accounted = at;
    for command in &request.commands {
        at = command.at_us.unwrap_or(at);
        let name = &command.operation;
        let phases = &command.phases;
        add(
            format!("{name} queue"),
            "33",
            &mut at,
            phases.queue_wait_us,
            &[],
        );
        add(format!("{name} begin"), "35", &mut at, phases.begin_us, &[]);
        add(
            format!("{name} batch of {}", command.batch_size),
            "33",
            &mut at,
            phases.batch_wait_us,
            &[],
        );
        add(
            format!("{name} execute"),
            "32",
            &mut at,
            phases.execute_us,
            &command.statements,
        );
        add(
            format!("{name} commit"),
            "35",
            &mut at,
            phases.commit_us,
            &[],
        );
        accounted += of_phases(command);
    }
    parts.push(Part {
        name: "the rest".to_owned(),
        begin: None,
        length: (request.wall_us - accounted).max(0.0),
        color: "0",
        statements: &[],
    });
    parts
}

fn of_phases(command: &Command) -> f64 {
    let phases = &command.phases;
    phases.queue_wait_us
        + phases.begin_us
        + phases.batch_wait_us
        + phases.execute_us
        + phases.commit_us
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{bar, drawn};
    use crate::wire::debug::{Command, Phases, Request};

    proptest! {
        /// Whatever a server says, a bar is as wide as its place, and shows.
        #[test]
        fn bars_keep_their_place(
            begin in 0.0..1e9_f64, length in 0.0..1e9_f64, more in 0.0..1e9_f64, width in 20..300_usize,
        ) {
            let bar = bar(begin, length, begin + length + more, width);
            prop_assert_eq!(bar.chars().count(), width);
            prop_assert_eq!(bar.contains('█'), length > 0.0);
        }
    }

    #[test]
    fn parts_stand_where_they_were() {
        let request = Request {
            wall_us: 1000.0,
            commands: vec![Command {
                operation: "start_job".to_owned(),
                at_us: Some(500.0),
                phases: Phases {
                    queue_wait_us: 250.0,
                    commit_us: 250.0,
                    ..Phases::default()
                },
                ..Command::default()
            }],
            ..Request::default()
        };
        let text = drawn(&request, 59, false);
        assert!(
            text.contains("start_job queue                250us |          █████     |\n"),
            "{text}"
        );
        assert!(
            text.contains("start_job commit               250us |               █████|\n"),
            "{text}"
        );
        assert!(
            text.contains("the rest                       500us |                    |\n"),
            "{text}"
        );
    }
}
