//! `torc timings`: where the server's time goes, as it says itself.

mod diff;
mod dump;
mod live;
mod noise;
mod series;
mod slow;
mod tables;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::debug_pages::refused;
use super::failure::Failure;
use super::output::{Output, no_csv, print};
use super::screen::Size;
use super::table::Column;
use crate::client::ClientError;
use crate::wire::debug::{Mark, Timings};
use diff::DiffArgs;
use series::{ALL, Kind, Sort};
use tables::Look;

/// What a server without these pages lacks.
const MISSING: &str = "this server does not show its timings";
/// Rows of a table when it is not a terminal's height that limits them.
const ROWS: usize = 20;

/// How to look at timings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  torc timings                          what took how long since the server started
  torc timings --watch                  what happens now, until q
  torc timings mark before; ...; torc timings --window mark:before
  torc timings --slow complete_job      the slowest requests that are known
  torc timings --json > before.json; ...; torc timings diff before.json live")]
pub struct TimingsArgs {
    #[command(flatten)]
    view: ViewArgs,
    #[command(subcommand)]
    command: Option<TimingsCommand>,
}

#[derive(Debug, Default, PartialEq, Args)]
struct ViewArgs {
    /// Time to look at: start, reset, mark:NAME, or the last 10s, 1m, 5m, 1h
    #[arg(long, value_name = "WINDOW")]
    window: Option<String>,
    /// Sort by this, the largest first
    #[arg(long, value_enum, value_name = "FIGURE")]
    sort: Option<Sort>,
    /// Only what has this in its name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Rows of each table at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Tables to show, or all; routes and operations when absent
    #[arg(long, value_name = "TABLE", value_delimiter = ',', value_parser = shown)]
    show: Vec<Shown>,
    /// Draw again and again, every 2 seconds or so many, until q or Ctrl-C
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        allow_negative_numbers = true,
        conflicts_with_all = ["slow", "show"],
        value_parser = pause
    )]
    watch: Option<f64>,
    /// Show the slowest requests that are known for this
    #[arg(long, value_name = "OPERATION_OR_ROUTE", conflicts_with_all = ["sort", "filter", "show"])]
    slow: Option<String>,
}

/// One table, or every one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shown {
    All,
    One(Kind),
}

fn shown(text: &str) -> Result<Shown, String> {
    if text == "all" {
        return Ok(Shown::All);
    }
    let kind = <Kind as clap::ValueEnum>::from_str(text, true);
    kind.map(Shown::One)
        .map_err(|_| "it is routes, operations, functions, statements, tasks or all".to_owned())
}

fn pause(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.2..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("seconds are a number from 0.2 to 3600".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
enum TimingsCommand {
    /// Count afresh in the window `reset`
    Reset,
    /// Set a mark to count from, see --window mark:NAME
    Mark {
        /// Letters, digits, '-', '_' and '.'; one that is there is set anew
        #[arg(value_parser = mark_name)]
        name: String,
    },
    /// List the marks
    Marks,
    /// Remove a mark
    Unmark {
        /// Mark
        #[arg(value_parser = mark_name)]
        name: String,
    },
    /// Compare two dumps, or a dump and the server, and tell change from noise
    Diff(DiffArgs),
}

fn mark_name(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // Names of dots alone mean directories in a URL.
    let dots = name.chars().all(|c| c == '.');
    if name.len() > 40 || dots || !name.chars().all(fits) {
        return Err("a mark's name has 1 to 40 letters, digits, '-', '_' or '.'".to_owned());
    }
    Ok(name.to_owned())
}

impl TimingsArgs {
    /// Refuses what goes not together, and does what needs no server; says whether that
    /// was all.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the reason.
    pub fn before(&self, output: Output) -> Result<bool, Failure> {
        if self.command.is_some() && self.view != ViewArgs::default() {
            return Err(Failure::usage(
                "options of the tables do not go with a command below `torc timings`",
            )
            .hint("what belongs to the command stands behind its name"));
        }
        match &self.command {
            Some(TimingsCommand::Diff(args)) => {
                args.check()?;
                if args.is_local() {
                    diff::local(args, output)?;
                    return Ok(true);
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// Does what was asked for.
///
/// # Errors
///
/// [`Failure`] if the server refuses, or something got worse that must not.
pub async fn run(context: &Context, args: TimingsArgs) -> Result<(), Failure> {
    let client = &context.client;
    let failed = |error| failed(context, error);
    match args.command {
        None => view(context, args.view).await,
        Some(TimingsCommand::Reset) => {
            client.reset_timings().await.map_err(failed)?;
            let told = "Counting afresh; `torc timings --window reset` shows what comes";
            context.output.done(&json!({"reset": true}), told)
        }
        Some(TimingsCommand::Mark { name }) => {
            client.set_mark(&name).await.map_err(failed)?;
            let told = format!("Marked; `torc timings --window mark:{name}` counts from here");
            context.output.done(&json!({"mark": name}), &told)
        }
        Some(TimingsCommand::Unmark { name }) => {
            client.remove_mark(&name).await.map_err(failed)?;
            let told = format!("Removed the mark {name}");
            context.output.done(&json!({"removed": name}), &told)
        }
        Some(TimingsCommand::Marks) => {
            let marks = client.marks().await.map_err(failed)?.marks;
            context.output.list(&marks, &MARKS)
        }
        Some(TimingsCommand::Diff(args)) => diff::with_server(context, &args).await,
    }
}

const MARKS: [Column<Mark>; 2] = [
    Column::text("name", |mark| mark.name.clone()),
    Column::text("set", |mark| {
        crate::clock::text_of_ms(mark.set_ms).unwrap_or_default()
    }),
];

async fn view(context: &Context, args: ViewArgs) -> Result<(), Failure> {
    if let Some(name) = &args.slow {
        return slow::run(context, name, args.limit.unwrap_or(10) as usize).await;
    }
    if let Some(seconds) = args.watch {
        return live::run(context, &args, seconds).await;
    }
    let window = args.window.as_deref().unwrap_or("start");
    if context.output.is_csv() {
        return Err(no_csv());
    }
    if context.output.is_json() {
        let report = ask(context, &args, window, true).await?;
        return print(&format!("{}\n", dump::pretty(&report)));
    }
    let report = fetch(context, &args, window).await?;
    print(&tables_of(&report, &args, context.output.colors))
}

/// Asks for a window, and leaves out what is not to be seen.
async fn fetch(context: &Context, args: &ViewArgs, window: &str) -> Result<Timings, Failure> {
    dump::read(ask(context, args, window, false).await?)
}

async fn ask(
    context: &Context,
    args: &ViewArgs,
    window: &str,
    buckets: bool,
) -> Result<Value, Failure> {
    let report = context.client.timings(window, buckets).await;
    let mut report = report.map_err(|error| failed(context, error))?;
    series::choose(&mut report, args.filter.as_deref(), args.sort);
    Ok(report)
}

/// The page's refusal; it speaks of its own addresses, here the commands are at hand.
fn failed(context: &Context, error: ClientError) -> Failure {
    let message = match &error {
        ClientError::Api { message, .. } => message.clone(),
        _ => String::new(),
    };
    let failure = refused(&context.client, error, MISSING);
    if message.contains("no mark") {
        failure.hint("`torc timings marks` lists the marks, `torc timings mark NAME` sets one")
    } else if message.contains("marks already") {
        failure.hint("`torc timings marks` lists the marks, `torc timings unmark NAME` removes one")
    } else {
        failure
    }
}

fn tables_of(report: &Timings, args: &ViewArgs, colors: bool) -> String {
    let size = Size::of_output();
    let kinds = wanted(&args.show);
    let limit = match (args.limit, args.show.is_empty()) {
        (Some(limit), _) => limit as usize,
        (None, false) => usize::MAX,
        // A screenful: a title, a heading and a remark for each table, the heading of all
        // and the prompt; an operation has two rows.
        (None, true) => size
            .rows
            .map_or(ROWS, |rows| (rows.saturating_sub(12) / 3).max(3)),
    };
    let look = Look {
        columns: size.columns,
        limit,
        colors,
    };
    let mut text = tables::heading(report, size.columns);
    for kind in kinds {
        text.push('\n');
        text += &tables::table(report, kind, look);
    }
    text
}

fn wanted(show: &[Shown]) -> Vec<Kind> {
    if show.is_empty() {
        return vec![Kind::Routes, Kind::Operations];
    }
    let named = |kind: &Kind| {
        show.iter()
            .any(|shown| *shown == Shown::All || *shown == Shown::One(*kind))
    };
    ALL.into_iter().filter(named).collect()
}

/// A report's JSON as one value, for programs.
fn as_value(report: &Timings) -> Value {
    json!(report)
}
