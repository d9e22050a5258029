//! The `torc` commands: parsing and printing.
//!
//! Every command is a function that takes the [`context::Context`] and answers with
//! nothing or with a [`failure::Failure`], which knows the exit code.

mod bar;
mod confirm;
mod context;
mod create;
mod creation;
mod debug_pages;
mod doctor;
mod failure;
mod figures;
mod identity;
mod jobs;
mod log;
mod output;
mod paging;
mod results;
mod run;
mod screen;
mod standalone;
mod start;
mod status;
mod table;
mod timings;
mod trace;
mod workflows;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use crate::client::Client;
use crate::say::say;
use crate::wire::WorkflowId;
use context::{Context, user_name};
use create::CreateArgs;
use doctor::DoctorCommand;
use failure::Failure;
use identity::IdentityArgs;
use jobs::JobsCommand;
use output::{Format, Output, print};
use results::ResultsCommand;
use run::RunArgs;
use standalone::StandaloneArgs;
use timings::TimingsArgs;
use trace::TraceArgs;
use workflows::{CancelArgs, DeleteArgs, WorkflowsCommand};

const AFTER_HELP: &str = "Exit codes:
  0  the command did what it was asked to
  1  it could not: the server, the spec, or the user said no
  2  the command line makes no sense
  4  `torc doctor` found something wrong
  5  `torc timings diff --fail-above`: something got slower by more
  128 + n  `torc run` or `torc create` was stopped by signal n

Examples:
  torc run workflow.yaml --standalone    no server needed
  torc create workflow.yaml              on the server at --url
  torc run 1                             be a worker; start as many as you like
  torc status 1";

/// How long tasks that nobody waits for any more may take to end.
const LAST_TASKS: Duration = Duration::from_millis(500);

/// Runs large computational workflows.
#[derive(Debug, Parser)]
#[command(name = "torc", version, propagate_version = true, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    standalone: StandaloneArgs,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes, before its name or after it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
struct Globals {
    /// Server; a URL without a path gets the usual one
    #[arg(
        long,
        global = true,
        env = "TORC_API_URL",
        default_value = "http://localhost:8080/torc-service/v1"
    )]
    url: String,
    /// Form of the output
    #[arg(short, long, global = true, value_enum, default_value_t)]
    format: Format,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// What to report about the work itself: error, warn, info, debug, trace, or a filter
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        value_name = "LEVEL",
        default_value = "warn"
    )]
    log_level: String,
    /// Do not compare versions with the server
    #[arg(long, global = true)]
    skip_version_check: bool,
    #[command(flatten)]
    identity: IdentityArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a workflow from a spec
    Create(CreateArgs),
    /// Run jobs on this machine: of a spec, or of a workflow that exists
    Run(RunArgs),
    /// Show how a workflow stands
    Status {
        /// Workflow; your newest when absent
        id: Option<WorkflowId>,
    },
    /// Cancel a workflow and stop its jobs
    Cancel(CancelArgs),
    /// Delete workflows with all that belongs to them
    Delete(DeleteArgs),
    /// Workflows as a whole
    #[command(subcommand)]
    Workflows(WorkflowsCommand),
    /// Single jobs
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// How jobs ended
    #[command(subcommand)]
    Results(ResultsCommand),
    /// Say what is wrong with a server
    #[command(subcommand)]
    Doctor(DoctorCommand),
    /// Show where the server's time goes
    Timings(TimingsArgs),
    /// Draw where a request's time went, or save a trace for Perfetto
    Trace(TraceArgs),
    /// Ask whether the server is there
    Ping,
    /// Print a script that completes commands in a shell
    #[command(after_help = "Example:
  source <(torc completions bash)")]
    Completions {
        /// Shell
        shell: Shell,
    },
}

/// Parses the command line, does what it says, and tells how to exit.
pub fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                say(text);
            }
            ExitCode::from(failure.code)
        }
    }
}

impl Cli {
    fn run(self) -> Result<(), Failure> {
        let Self {
            mut globals,
            mut standalone,
            mut command,
        } = self;
        if globals.json {
            globals.format = Format::Json;
        }
        log::init(&globals.log_level)?;
        let output = Output::new(globals.format);
        // What can be refused without a server is refused before one is looked for.
        match &mut command {
            Command::Completions { shell } => return completions(*shell),
            Command::Create(args) | Command::Workflows(WorkflowsCommand::Create(args)) => {
                if args.dry_run {
                    return create::dry_run(output, &args.file);
                }
                args.read()?;
            }
            Command::Run(args) => {
                standalone = standalone.or(std::mem::take(&mut args.standalone));
                if let Some(url) = args.take_older_form()? {
                    globals.url = url;
                }
                args.read()?;
            }
            Command::Timings(args) if args.before(output)? => return Ok(()),
            _ => {}
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        let result = runtime.block_on(with_server(globals, standalone, output, command));
        // A name that is still being looked up must not keep the command.
        runtime.shutdown_timeout(LAST_TASKS);
        result
    }
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "torc", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Does a command that needs a server, one of its own if that is wanted.
async fn with_server(
    globals: Globals,
    standalone: StandaloneArgs,
    output: Output,
    command: Command,
) -> Result<(), Failure> {
    let own = standalone.start().await?;
    // A server of one's own asks for no password.
    let client = match &own {
        Some(own) => Client::new(&own.url())?,
        None => {
            let (identity, trust) = globals.identity.read(&globals.url)?;
            Client::of(&globals.url, &identity, &trust)?
        }
    };
    let result = on_server(client, globals.skip_version_check, output, command).await;
    if let Some(own) = own {
        own.stop().await;
    }
    result
}

async fn on_server(
    client: Client,
    skip_version_check: bool,
    output: Output,
    command: Command,
) -> Result<(), Failure> {
    let context = Context {
        client,
        output,
        user: user_name(),
    };
    if matches!(command, Command::Run(_)) {
        context.await_server().await?;
    }
    if !skip_version_check {
        let debug = matches!(command, Command::Timings(_) | Command::Trace(_));
        context
            .check_version()
            .await
            .map_err(|failure| match debug {
                true => failure.hint(debug_pages::is_it_there(&context.client)),
                false => failure,
            })?;
    }
    dispatch(&context, command).await
}

async fn dispatch(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::Run(args) => run::run(context, args).await,
        Command::Status { id } => status::run(context, id).await,
        Command::Cancel(args) => workflows::cancel(context, args).await,
        Command::Delete(args) => workflows::delete(context, args).await,
        Command::Workflows(command) => workflows::run(context, command).await,
        Command::Jobs(command) => jobs::run(context, command).await,
        Command::Results(command) => results::run(context, command).await,
        Command::Doctor(command) => doctor::run(context, command).await,
        Command::Timings(args) => timings::run(context, args).await,
        Command::Trace(args) => trace::run(context, args).await,
        Command::Ping => ping(context).await,
        // Needs no server, and has been done.
        Command::Completions { .. } => Ok(()),
    }
}

async fn ping(context: &Context) -> Result<(), Failure> {
    let answer = context.client.ping().await?;
    context.output.done(&json!(answer), "Server is running")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }
}
