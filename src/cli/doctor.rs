//! `torc doctor`: asks a server's debug pages and says in words what is wrong with it.
//!
//! [`rules`] judge, and know nothing of HTTP or terminals; here the pages are fetched and
//! the answer is printed.

mod figures;
mod finding;
mod rules;
mod text;

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::context::Context;
use super::failure::Failure;
use super::output::{Format, print, print_json};
use crate::client::{Client, ClientError};
use crate::say::say;
use figures::Pages;
use finding::{Diagnosis, State};

/// The exit code when something is wrong.
const SICK: u8 = 4;
/// Between two looks with `--watch`.
const EVERY: Duration = Duration::from_secs(2);

const AFTER_HELP: &str = "Exit codes:
  0  the server is healthy, or has too little to do to tell
  1  it could not be asked, or records nothing (--timing off)
  2  the command line makes no sense
  4  something is wrong with it

Examples:
  torc doctor server                  on the machine that the server runs on
  torc doctor server --window 10s     what is wrong now, not a minute ago
  torc doctor server --watch
  torc doctor server --json | jq -r '.findings[].name'";

/// Whom to examine.
#[derive(Debug, Clone, Subcommand)]
pub enum DoctorCommand {
    /// Say what makes a server slow, what that rests on, and what to do
    #[command(after_help = AFTER_HELP)]
    Server(ServerArgs),
}

/// How to examine a server.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// What to look at: the last time such as 10s, 5m, 1h, or start, reset, mark:NAME
    #[arg(long, default_value = "1m")]
    pub window: String,
    /// Look again every two seconds, until stopped
    #[arg(long)]
    pub watch: bool,
}

/// Examines.
///
/// # Errors
///
/// [`Failure`] with code 4 and nothing more to say if something is wrong, with code 1 if
/// the server cannot be asked or records nothing.
pub async fn run(context: &Context, command: DoctorCommand) -> Result<(), Failure> {
    let DoctorCommand::Server(args) = command;
    if context.output.format == Format::Csv {
        return Err(Failure::usage("a diagnosis cannot be printed as CSV")
            .hint("use `--format json` or `table`"));
    }
    let lacks = Lacks::default();
    let pages = ask(&context.client, &args.window, lacks).await;
    let pages = pages.map_err(unasked)?;
    let first = rules::diagnose(&pages);
    if args.watch {
        show(context, &first)?;
        return watch(context, &args.window, Lacks::of(&pages)).await;
    }
    if context.output.is_json() {
        print_json(&first)?;
    } else {
        print(&text::text(&first, context.output.colors))?;
    }
    match first.state {
        State::Healthy | State::Idle => Ok(()),
        State::Blind => Err(Failure::silent(1)),
        State::Sick => Err(Failure::silent(SICK)),
    }
}

/// Pages that a server turned out not to have. They are not asked for again: to a server
/// each such question is a request like any other, and its load is what is judged.
#[derive(Debug, Clone, Copy, Default)]
struct Lacks {
    runtime: bool,
    statements: bool,
}

impl Lacks {
    fn of(pages: &Pages) -> Self {
        Self {
            runtime: pages.runtime.is_none(),
            statements: pages.statements.is_none(),
        }
    }
}

/// Asks the pages, one after another, so that a server in need is not bothered more than
/// need be.
async fn ask(client: &Client, window: &str, lacks: Lacks) -> Result<Pages, ClientError> {
    let mut pages = Pages {
        writer: client.debug_writer().await?,
        timings: client.debug_timings(window).await?,
        ..Pages::default()
    };
    if !lacks.runtime {
        pages.runtime = client.debug_runtime().await?;
    }
    if !lacks.statements {
        pages.statements = client.debug_statements().await?;
    }
    Ok(pages)
}

/// Prints again and again. A server that goes away is waited for.
async fn watch(context: &Context, window: &str, lacks: Lacks) -> Result<(), Failure> {
    loop {
        tokio::time::sleep(EVERY).await;
        match ask(&context.client, window, lacks).await {
            Ok(pages) => show(context, &rules::diagnose(&pages))?,
            Err(error) if error.is_transient() => say(format_args!("cannot ask: {error}")),
            Err(error) => return Err(unasked(error)),
        }
    }
}

/// One look: on a terminal in place of the one before, in a file below it, as JSON one line.
fn show(context: &Context, diagnosis: &Diagnosis) -> Result<(), Failure> {
    if context.output.is_json() {
        let line = serde_json::to_string(diagnosis)
            .map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
        return print(&format!("{line}\n"));
    }
    let text = text::text(diagnosis, context.output.colors);
    if std::io::stdout().is_terminal() {
        print(&format!("\x1b[H\x1b[2J{text}"))
    } else {
        print(&format!("{text}\n"))
    }
}

/// Why a server cannot be examined, and what would help.
fn unasked(error: ClientError) -> Failure {
    let status = error.status();
    let failure = match status {
        // The only thing to ask for that can be wrong is the window.
        Some(400) => Failure::usage(error.to_string()),
        _ => Failure::from(error),
    };
    match status {
        Some(403) => failure.hint(
            "the debug pages answer on the server's own machine alone: run `torc doctor` there, \
             with --url http://127.0.0.1:PORT",
        ),
        Some(404) => failure.hint(
            "the server has no debug pages: it is an older one, or runs within another program \
             (`torc -s`)",
        ),
        _ => failure,
    }
}
