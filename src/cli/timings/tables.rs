//! A report of timings as tables that fit the terminal.

use super::series::{Kind, phases};
use crate::cli::figures::{Grid, bytes, number, percent, rate, seconds, time, wrapped};
use crate::wire::debug::{OperationTimes, Times, Timings, Writer};

/// From so many columns on there is room for more percentiles.
const WIDE: usize = 100;

/// How tables are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns that there are; none when nothing limits them.
    pub columns: Option<usize>,
    /// Rows of each table.
    pub limit: usize,
    /// Headings in bold.
    pub colors: bool,
}

/// Which server, when, and what its writer does.
pub fn heading(report: &Timings, columns: Option<usize>) -> String {
    let window = match report.window.as_str() {
        "" | "start" => "since the start".to_owned(),
        "reset" => "since the reset".to_owned(),
        window => match window.strip_prefix("mark:") {
            Some(mark) => format!("since the mark {mark}"),
            None => format!("of the last {window}"),
        },
    };
    let blind = if report.is_blind() {
        "Nothing is recorded: the server runs with --timing off\n"
    } else {
        ""
    };
    format!(
        "Timings {window}: {}; up {}\n{blind}{}\n",
        seconds(report.window_s),
        seconds(report.uptime_s),
        wrapped(&writer(&report.phases.writer), columns)
    )
}

/// Who holds the writer, in a line.
pub fn writer(writer: &Writer) -> String {
    let mut text = "Writer: ".to_owned();
    if writer.holder.is_empty() {
        text.push_str("idle");
    } else {
        let batch: Vec<String> = writer
            .holder
            .iter()
            .map(|part| format!("{} {}", part.count, part.operation))
            .collect();
        text += &format!(
            "held for {} by {}",
            time(writer.held_for_us),
            batch.join(", ")
        );
        if let Some(doing) = &writer.doing {
            text += &format!(" (at {} for {})", doing.operation, time(doing.for_us));
        }
    }
    text += &format!("; {} wait", writer.queued);
    if writer.queued > 0 {
        text += &format!(", the first for {}", time(writer.longest_wait_us));
    }
    if writer.log_bytes > 0 {
        text += &format!("; log {}", bytes(writer.log_bytes));
    }
    text
}

/// The table of a kind under its title, with a word about the rows that are left out.
pub fn table(report: &Timings, kind: Kind, look: Look) -> String {
    let (title, grid, count) = match kind {
        Kind::Routes => routes(report, look),
        Kind::Operations => operations(report, look),
        Kind::Functions => functions(report, look),
        Kind::Statements => statements(report, look),
        Kind::Tasks => tasks(report, look),
    };
    let mut text = format!("{title}\n");
    if count == 0 {
        text.push_str(match (kind, report.timing) {
            (Kind::Functions, false) => "  not measured: the server runs with --timing off\n",
            _ => "  none\n",
        });
        return text;
    }
    text += &grid.text(look.columns, look.colors);
    if count > look.limit {
        text += &format!("… {} more; --limit shows them\n", count - look.limit);
    }
    text
}

/// The usual figures of a series, as many as there is room for.
fn figures(times: &Times, wide: bool) -> Vec<String> {
    let mut cells = vec![number(times.count)];
    let mut add = |value| cells.push(time(value));
    add(times.total);
    add(times.mean);
    add(times.p50);
    if wide {
        add(times.p90);
    }
    add(times.p99);
    if wide {
        add(times.p999);
    }
    add(times.max);
    cells
}

const NARROW_HEADS: [&str; 6] = ["count", "total", "mean", "p50", "p99", "max"];
const WIDE_HEADS: [&str; 8] = [
    "count", "total", "mean", "p50", "p90", "p99", "p99.9", "max",
];

fn grid(first: &'static str, wide: bool, further: &[&'static str]) -> Grid {
    let figures: &[&'static str] = if wide { &WIDE_HEADS } else { &NARROW_HEADS };
    Grid::new(&[&[first], figures, further].concat())
}

impl Look {
    fn wide(self) -> bool {
        self.columns.is_some_and(|columns| columns >= WIDE)
    }
}

type Table = (&'static str, Grid, usize);

fn routes(report: &Timings, look: Look) -> Table {
    let wide = look.wide();
    let further: &[&str] = if wide {
        &["busy", "reads", "failed"]
    } else {
        &[]
    };
    let mut grid = grid("route", wide, further);
    let rows = &report.phases.routes;
    for one in rows.iter().take(look.limit) {
        let mut cells = vec![one.route.clone()];
        cells.extend(figures(&one.wall, wide));
        if wide {
            cells.extend([time(one.busy.total), time(one.read_wait.total)]);
            cells.push(number(one.failed));
        }
        grid.row(cells);
    }
    ("Requests, until the head of the answer", grid, rows.len())
}

fn operations(report: &Timings, look: Look) -> Table {
    let mut grid = Grid::new(&[
        "operation",
        "count",
        "whole",
        "queue",
        "begin",
        "batch",
        "execute",
        "commit",
        "unacc",
    ]);
    let rows = &report.phases.operations;
    for one in rows.iter().take(look.limit) {
        let mut totals = vec![one.operation.clone(), number(one.whole.count)];
        totals.push(time(one.whole.total));
        totals.extend(phases(one).map(|(_, times)| time(times.total)));
        totals.push(time(one.unaccounted_us));
        grid.row(totals);
        grid.row(below(one, "p99", "  99 of 100 below"));
    }
    (
        "The writer's operations: total of each phase",
        grid,
        rows.len(),
    )
}

/// The row of percentiles below an operation's totals.
fn below(one: &OperationTimes, head: &str, name: &str) -> Vec<String> {
    let mut cells = vec![name.to_owned(), head.to_owned(), time(one.whole.p99)];
    cells.extend(phases(one).map(|(_, times)| time(times.p99)));
    cells
}

fn functions(report: &Timings, look: Look) -> Table {
    let mut grid = grid("function", look.wide(), &[]);
    for one in report.spans.iter().take(look.limit) {
        let mut cells = vec![one.span.clone()];
        cells.extend(figures(&one.wall, look.wide()));
        grid.row(cells);
    }
    (
        "Instrumented functions, since the start",
        grid,
        report.spans.len(),
    )
}

fn statements(report: &Timings, look: Look) -> Table {
    let wide = look.wide();
    let further: &[&str] = if wide { &["share", "rows"] } else { &["share"] };
    let mut grid = grid("statement", wide, further);
    let rows = &report.phases.statements;
    for one in rows.iter().take(look.limit) {
        let mut cells = vec![one.statement.clone()];
        cells.extend(figures(&one.elapsed, wide));
        cells.push(percent(one.share));
        if wide {
            cells.push(number(one.rows));
        }
        grid.row(cells);
    }
    ("SQL statements", grid, rows.len())
}

fn tasks(report: &Timings, look: Look) -> Table {
    let mut grid = grid("task", look.wide(), &[]);
    let rows = &report.phases.tasks;
    for one in rows.iter().take(look.limit) {
        let mut cells = vec![one.task.clone()];
        cells.extend(figures(&one.elapsed, look.wide()));
        grid.row(cells);
    }
    ("In the background", grid, rows.len())
}

/// What goes on at the moment: rates in place of totals.
pub fn rates(report: &Timings, look: Look, rows: usize) -> String {
    let phases_of = &report.phases;
    let span = report.window_s.max(0.001);
    let per_second = |count: u64| rate(count as f64 / span);
    let requests: u64 = phases_of.routes.iter().map(|one| one.wall.count).sum();
    let commands: u64 = phases_of.operations.iter().map(|one| one.whole.count).sum();
    let batches = &phases_of.batch_size;
    let mut text = format!(
        "{} requests/s; {} commands/s in {} batches/s of {:.1}\n{}\n\n",
        per_second(requests),
        per_second(commands),
        per_second(batches.count),
        batches.mean,
        wrapped(&writer(&phases_of.writer), look.columns),
    );
    // Above stands the title, between the tables a line, and each has a heading.
    let room = rows.saturating_sub(text.lines().count() + 4).max(4);
    let operations = phases_of.operations.len().min(room / 2).min(look.limit);
    let routes = phases_of
        .routes
        .len()
        .min(room - operations)
        .min(look.limit);
    let mut grid = Grid::new(&["route", "/s", "p50", "p99", "max", "busy"]);
    for one in phases_of.routes.iter().take(routes) {
        let wall = &one.wall;
        grid.row(vec![
            one.route.clone(),
            per_second(wall.count),
            time(wall.p50),
            time(wall.p99),
            time(wall.max),
            percent(one.busy.total / 1e6 / span),
        ]);
    }
    text += &grid.text(look.columns, look.colors);
    text.push('\n');
    let mut grid = Grid::new(&[
        "operation, p99",
        "/s",
        "whole",
        "queue",
        "begin",
        "batch",
        "execute",
        "commit",
    ]);
    for one in phases_of.operations.iter().take(operations) {
        grid.row(below(one, &per_second(one.whole.count), &one.operation));
    }
    text + &grid.text(look.columns, look.colors)
}
