//! How fast our worker is against our server, on this machine, today.
//!
//! `cargo bench --bench worker [-- --json] [--keep-in DIR]` measures
//! - jobs a second: 2,000 jobs of `true` with 2 and with 16 at once, and by resources;
//! - the time from a blocker's last command to its dependent's first, over a chain of 50.
//!
//! With `--keep-in` the files of the jobs stay there: ext4 is slow to make files for some
//! minutes after thousands were deleted, which would be the next run's.
//!
//! The server is the one built beside this program, or the one that `TORC_SERVER_BIN` names.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use torc_server::client::{Client, RetryPolicy};
use torc_server::runner::{self, RunnerConfig};
use torc_server::wire::WorkflowId;
use torc_server::wire::jobs::{JobModel, JobsModel};
use torc_server::wire::workflows::{InitializeJobsQuery, WorkflowModel};

const JOBS: usize = 2000;
const SLOTS: [usize; 2] = [2, 16];
const CHAIN: usize = 50;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A server that ends with this program.
struct Server {
    process: Child,
    client: Client,
}

impl Server {
    fn start(directory: &Path) -> Outcome<Self> {
        let binary = std::env::var_os("TORC_SERVER_BIN").map_or_else(
            || PathBuf::from(env!("CARGO_BIN_EXE_torc-server")),
            PathBuf::from,
        );
        let mut process = Command::new(binary)
            .args(["run", "--host", "127.0.0.1", "--port", "0", "--database"])
            .arg(directory.join("bench.db"))
            .current_dir(directory)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let out = process.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(out).lines();
        let port = lines
            .find_map(|line| {
                line.ok()?
                    .strip_prefix("TORC_SERVER_PORT=")?
                    .parse::<u16>()
                    .ok()
            })
            .ok_or("the server ended before it named its port")?;
        let client = Client::new(&format!("http://127.0.0.1:{port}"))?;
        Ok(Self { process, client })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to lose: the database goes with its directory.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Creates and initializes a workflow of these commands; chained, each waits for the one before.
async fn workflow(client: &Client, commands: Vec<String>, chained: bool) -> Outcome<WorkflowId> {
    let described = WorkflowModel {
        name: "bench".to_owned(),
        user: "bench".to_owned(),
        ..WorkflowModel::default()
    };
    let id = client
        .create_workflow(&described)
        .await?
        .id
        .ok_or("no id")?;
    let mut before: Option<i64> = None;
    let jobs: Vec<JobModel> = commands
        .into_iter()
        .enumerate()
        .map(|(nth, command)| JobModel {
            workflow_id: id,
            name: format!("job{nth}"),
            command,
            ..JobModel::default()
        })
        .collect();
    if chained {
        for job in jobs {
            let depends_on_job_ids = before.map(|id| vec![id]);
            let job = JobModel {
                depends_on_job_ids,
                ..job
            };
            before = client.create_job(&job).await?.id;
        }
    } else {
        client.create_jobs(&JobsModel { jobs }).await?;
    }
    client
        .initialize_jobs(id, &InitializeJobsQuery::default())
        .await?;
    Ok(id)
}

/// Runs a worker on it to its end; jobs a second.
async fn drain(config: RunnerConfig, jobs: usize) -> Outcome<f64> {
    let begin = Instant::now();
    let outcome = runner::run(config).await?;
    if outcome.completed != jobs as u64 {
        return Err(format!("{jobs} jobs should have ended well: {outcome}").into());
    }
    Ok(jobs as f64 / begin.elapsed().as_secs_f64())
}

/// The gaps between the links of a chain, shortest first.
async fn chain(client: &Client, directory: &Path) -> Outcome<Vec<Duration>> {
    let commands = vec!["echo $EPOCHREALTIME".to_owned(); CHAIN];
    let id = workflow(client, commands, true).await?;
    let output_dir = directory.join("chain");
    let config = RunnerConfig {
        output_dir: output_dir.clone(),
        ..RunnerConfig::new(client.clone(), id)
    };
    drain(config, CHAIN).await?;
    let mut times = Vec::new();
    for entry in std::fs::read_dir(output_dir.join("job_stdio"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "o") {
            times.push(std::fs::read_to_string(path)?.trim().parse::<f64>()?);
        }
    }
    times.sort_by(f64::total_cmp);
    let mut gaps: Vec<_> = times
        .windows(2)
        .map(|pair| Duration::from_secs_f64(pair[1] - pair[0]))
        .collect();
    gaps.sort_unstable();
    Ok(gaps)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let kept = std::env::args().skip_while(|arg| arg != "--keep-in").nth(1);
    let directory = match kept {
        Some(parent) => tempfile::Builder::new()
            .disable_cleanup(true)
            .tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let directory = directory.path();
    let server = Server::start(directory)?;
    let client = &server.client;
    RetryPolicy::lasting(Duration::from_secs(10))
        .run(|| client.ping())
        .await?;

    let mut by_slots = Vec::new();
    for slots in SLOTS {
        let id = workflow(client, vec!["true".to_owned(); JOBS], false).await?;
        let config = RunnerConfig {
            output_dir: directory.join(format!("slots{slots}")),
            max_parallel_jobs: Some(slots),
            ..RunnerConfig::new(client.clone(), id)
        };
        by_slots.push(drain(config, JOBS).await?);
    }
    let id = workflow(client, vec!["true".to_owned(); JOBS], false).await?;
    let resources = RunnerConfig {
        output_dir: directory.join("resources"),
        ..RunnerConfig::new(client.clone(), id)
    };
    let by_resources = drain(resources, JOBS).await?;
    let gaps = chain(client, directory).await?;
    let ms = |share: usize| gaps[(gaps.len() - 1) * share / 100].as_secs_f64() * 1e3;

    if std::env::args().any(|arg| arg == "--json") {
        let figures = json!({
            "jobs": JOBS,
            "jobs_per_second_2_slots": by_slots[0],
            "jobs_per_second_16_slots": by_slots[1],
            "jobs_per_second_by_resources": by_resources,
            "dependent_start_ms": {"p50": ms(50), "p90": ms(90), "max": ms(100)},
        });
        println!("{figures}");
    } else {
        for (slots, rate) in SLOTS.iter().zip(by_slots) {
            println!("{JOBS} jobs of `true`, {slots} at once: {rate:.0} jobs/s");
        }
        println!("{JOBS} jobs of `true`, by resources: {by_resources:.0} jobs/s");
        println!(
            "blocker's end to dependent's start, chain of {CHAIN}: p50 {:.1} ms, p90 {:.1} ms, max {:.1} ms",
            ms(50),
            ms(90),
            ms(100)
        );
    }
    Ok(())
}
