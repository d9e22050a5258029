//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// Puts load on a server that speaks Torc's HTTP API, and says how it took it.
#[derive(Debug, Parser)]
#[command(
    name = "load",
    bin_name = "load",
    after_help = "Exit codes: 0 the run went through and every job was run once, 1 it did not go \
                  through, 2 wrong usage, 3 a job was lost or run twice."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub scenario: Scenario,
    /// What all scenarios share.
    #[command(flatten)]
    pub common: Common,
    /// Cargo says it to every bench.
    #[arg(long, hide = true, global = true)]
    pub bench: bool,
}

/// The flags of every scenario.
#[derive(Debug, Clone, ClapArgs)]
pub struct Common {
    /// Use the server that answers there, such as http://127.0.0.1:8080
    #[arg(long, global = true, value_name = "URL", conflicts_with = "server")]
    pub url: Option<String>,
    /// Process of that server, so that its CPU time and memory are measured too
    #[arg(long, global = true, value_name = "PID", requires = "url")]
    pub pid: Option<u32>,
    /// Start this server [default: the torc-server built beside this program]
    #[arg(long, global = true, value_name = "BIN")]
    pub server: Option<PathBuf>,
    /// How that server is started
    #[arg(long, global = true, value_enum, default_value_t = Kind::TorcServer)]
    pub kind: Kind,
    /// What an acknowledged write survives (Torc 1.0.0 always means `process`)
    #[arg(long, global = true, value_enum, default_value_t = Durability::Power)]
    pub durability: Durability,
    /// Worker threads of the server [default: its own]
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<u16>,
    /// Histograms of our server's functions
    #[arg(long, global = true, value_enum, default_value_t = Switch::On)]
    pub timing: Switch,
    /// Whether our server serves tokio-console, and whether one is attached to it
    #[arg(long, global = true, value_enum, default_value_t = ConsoleState::On)]
    pub console: ConsoleState,
    /// What our server logs
    #[arg(long, global = true, value_enum, default_value_t = Log::Info)]
    pub log: Log,
    /// Export this share of requests as traces, from 0 to 1, to a collector in this program
    #[arg(long, global = true, value_name = "SHARE")]
    pub otlp: Option<f64>,
    /// One more argument for the server, may be repeated
    #[arg(long, global = true, value_name = "ARG", allow_hyphen_values = true)]
    pub server_arg: Vec<String>,
    /// Where the database goes [default: a new directory, removed afterwards]
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Write our server's own table of timings there when the load is over
    #[arg(long, global = true, value_name = "FILE")]
    pub timings: Option<PathBuf>,
    /// Print one line of JSON instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// What randomness starts from
    #[arg(long, global = true, default_value_t = 1)]
    pub seed: u64,
    /// Give up after so many seconds
    #[arg(long, global = true, default_value_t = 900, value_name = "S")]
    pub max_seconds: u64,
    /// Name of the row in a table that this run counts for
    #[arg(long, global = true, default_value = "")]
    pub row: String,
    /// Name of the server in that table [default: its kind and durability]
    #[arg(long, global = true)]
    pub label: Option<String>,
}

/// How a server is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Ours.
    TorcServer,
    /// Torc 1.0.0's.
    Torc,
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// The loss of power.
    Power,
    /// The end of the process.
    Process,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Whether there is a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConsoleState {
    /// None is served.
    Off,
    /// One is served, as by default, and nobody looks.
    On,
    /// One is served, and this program listens to it as tokio-console does.
    Attached,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Log {
    /// As by default: level info, to standard error.
    Info,
    /// Level debug, also to a file.
    Debug,
    /// The same with a line for each call of an instrumented function.
    Lines,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Scenario {
    /// Create jobs in bulk and initialise them
    Submit(Submit),
    /// Workers claim, start and complete independent jobs
    Drain(Drain),
    /// Claims alone; each claimed job is made ready again
    ClaimNext(ClaimNext),
    /// Job after job: from a completion to the dependent being claimable
    Chain(Chain),
    /// 1 → N → 1, layers with barriers, and layers that all wait on all
    Fan(Fan),
    /// A drain beside readers that come at fixed times (open loop)
    Mixed(Mixed),
    /// Connected pollers and event streams, with hardly anything going on (open loop)
    Idle(Idle),
    /// Print the table of runs that were written with --json
    Table(Table),
}

/// Which jobs there are.
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct Submit {
    /// Jobs
    #[arg(long, default_value_t = 10_000)]
    pub jobs: usize,
    /// Jobs to a bulk request
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    pub chunk: usize,
    /// Different resource requirements and priorities among them
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    pub kinds: usize,
}

/// How workers go about it.
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct Workers {
    /// Workers, each with a connection
    #[arg(long, default_value_t = 32, value_parser = at_least_one)]
    pub workers: usize,
    /// By resources, or just the next
    #[arg(long, value_enum, default_value_t = Claim::Resources)]
    pub claim: Claim,
    /// Jobs to a claim at most
    #[arg(long, default_value_t = 10, value_parser = at_least_one)]
    pub claim_limit: usize,
    /// Complete all claimed jobs in one request
    #[arg(long)]
    pub batch: bool,
    /// Stop after so many cycles (claim, start, complete)
    #[arg(long, value_name = "N")]
    pub cycles: Option<u64>,
    /// Stop after so many seconds
    #[arg(long, value_name = "S", value_parser = positive)]
    pub seconds: Option<f64>,
}

/// How to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// claim_next_jobs
    Next,
    /// claim_jobs_based_on_resources
    Resources,
}

/// See [`Scenario::Drain`].
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct Drain {
    #[command(flatten)]
    #[serde(flatten)]
    pub submit: Submit,
    #[command(flatten)]
    #[serde(flatten)]
    pub workers: Workers,
    /// Readers beside them that list and get jobs
    #[arg(long, default_value_t = 0)]
    pub readers: usize,
    /// Reads a second of each reader; without it, one follows the other's answer
    #[arg(long, value_name = "R", value_parser = positive)]
    pub reader_rate: Option<f64>,
}

/// See [`Scenario::ClaimNext`].
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct ClaimNext {
    #[command(flatten)]
    #[serde(flatten)]
    pub submit: Submit,
    /// Workers, each with a connection
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    pub workers: usize,
    /// By resources, or just the next
    #[arg(long, value_enum, default_value_t = Claim::Next)]
    pub claim: Claim,
    /// Jobs to a claim at most
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    pub claim_limit: usize,
    /// Claims in all
    #[arg(long, default_value_t = 2_000)]
    pub claims: u64,
    /// Leave claimed jobs claimed
    #[arg(long)]
    pub consume: bool,
}

/// See [`Scenario::Chain`].
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct Chain {
    /// Jobs of a chain
    #[arg(long, default_value_t = 200, value_parser = at_least_one)]
    pub links: usize,
    /// Chains beside each other, each a workflow with a worker
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    pub chains: usize,
}

/// See [`Scenario::Fan`].
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct Fan {
    /// What waits on what
    #[arg(long, value_enum, default_value_t = Shape::Barriers)]
    pub shape: Shape,
    /// Jobs of a layer
    #[arg(long, default_value_t = 1_000, value_parser = at_least_one)]
    pub width: usize,
    /// Layers
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    pub layers: usize,
    /// Say it by jobs, or by files that one layer writes and the next reads
    #[arg(long, value_enum, default_value_t = Via::Jobs)]
    pub via: Via,
    /// Only create and initialise
    #[arg(long)]
    pub no_drain: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub workers: Workers,
}

/// What waits on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One job, a layer, one job
    Star,
    /// Layers with one job between them that waits on all before and holds all behind
    Barriers,
    /// Layers of which each job waits on every job of the one before
    Full,
}

/// How a dependency is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// depends_on_job_ids
    Jobs,
    /// output_file_ids and input_file_ids
    Files,
}

/// See [`Scenario::Mixed`].
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct Mixed {
    #[command(flatten)]
    #[serde(flatten)]
    pub submit: Submit,
    #[command(flatten)]
    #[serde(flatten)]
    pub workers: Workers,
    /// Connections of the readers
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    pub readers: usize,
    /// Reads a second of all readers together
    #[arg(long, default_value_t = 200.0, value_name = "R", value_parser = positive)]
    pub rate: f64,
}

/// See [`Scenario::Idle`].
#[derive(Debug, Clone, ClapArgs, Serialize)]
pub struct Idle {
    /// Connections that poll
    #[arg(long, default_value_t = 1_000)]
    pub pollers: usize,
    /// Seconds between the polls of one of them
    #[arg(long, default_value_t = 5.0, value_name = "S", value_parser = positive)]
    pub interval: f64,
    /// Connections that listen to the workflow's events
    #[arg(long, default_value_t = 0)]
    pub streams: usize,
    /// Cycles a second that one worker makes beside them, and events with them
    #[arg(long, default_value_t = 5.0, value_name = "R", value_parser = positive)]
    pub cycle_rate: f64,
    /// How long
    #[arg(long, default_value_t = 15.0, value_name = "S", value_parser = positive)]
    pub seconds: f64,
}

/// See [`Scenario::Table`].
#[derive(Debug, Clone, ClapArgs)]
pub struct Table {
    /// Files of JSON lines
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it takes at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err(format!("'{text}' is no whole number")),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (1e-6..=1e6).contains(&number) => Ok(number),
        Ok(_) => Err("it takes a millionth to a million".to_owned()),
        Err(_) => Err(format!("'{text}' is no number")),
    }
}
