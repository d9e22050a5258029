//! A load generator for any server that speaks the contract: ours, Torc 1.0.0, or one
//! that runs already.
//!
//! `cargo bench --bench load -- SCENARIO [OPTIONS]`; `--help` lists both, and
//! `docs/performance.md` says what the figures mean. `scripts/bench.sh` runs the
//! standard set and lets `table` print it.
//!
//! The client shares the machine with the server, so it is made to be cheap: one
//! thread, one kept connection per worker, bodies built beforehand or into a reused
//! buffer, answers read no further than needed. What it costs is in every report.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are what it is for"
)]

mod api;
mod args;
mod collector;
mod console;
mod flow;
mod http;
mod idle;
mod ledger;
mod meter;
mod open_loop;
mod readers;
mod report;
mod scenario;
mod server;
mod table;
mod workers;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::args::{Args, Scenario};
use self::collector::Collector;
use self::report::Report;
use self::scenario::Run;
use self::server::Server;

/// What may end a run: a server that fails, a connection that breaks, a wrong answer.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The run could not be made, or not to its end.
const FAILED: u8 = 1;
/// The run was made, and a job was lost or run twice.
const WRONG: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Scenario::Table(table) = &args.scenario {
        return match table::print(table) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&*error),
        };
    }
    match measure(&args) {
        Ok(report) => {
            if args.common.json {
                println!("{}", report.to_json());
            } else {
                print!("{report}");
            }
            if report.violations.is_empty() {
                return ExitCode::SUCCESS;
            }
            for violation in &report.violations {
                eprintln!("load: {violation}");
            }
            ExitCode::from(WRONG)
        }
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("load: {error}");
    ExitCode::from(FAILED)
}

/// Runs the scenario against the server that the arguments name or start.
fn measure(args: &Args) -> Outcome<Report> {
    server::raise_open_files();
    // One thread: it is cheaper than two that hand work to each other, and it leaves
    // the server a CPU of its own where there are two.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut flags = args.common.clone();
    let collector = args.common.otlp.map(|_| Collector::start()).transpose()?;
    if let (Some(collector), Some(share)) = (&collector, args.common.otlp) {
        flags.server_arg.extend(collector.flags(share));
    }
    let server = Server::start(&flags)?;
    match runtime.block_on(under_load(args, &server)) {
        Ok(mut report) => {
            // It exports to its end.
            server.finish(&mut report)?;
            match collector {
                Some(collector) => collector.noted(report),
                None => Ok(report),
            }
        }
        Err(error) => Err(format!("{error}{}", server.last_words()).into()),
    }
}

async fn under_load(args: &Args, server: &Server) -> Outcome<Report> {
    let console = console::attach(server, &args.common)?;
    let seconds = args.common.max_seconds;
    let run = scenario::run(Run::new(args, server));
    let report = tokio::time::timeout(Duration::from_secs(seconds), run)
        .await
        .map_err(|_elapsed| format!("not over after {seconds} s; see --max-seconds"))??;
    match console {
        Some(console) => console.noted(report),
        None => Ok(report),
    }
}
