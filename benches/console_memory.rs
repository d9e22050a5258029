//! What tokio-console costs in memory: the same load on two servers, one with it and
//! one without, and the difference of their resident memory. Ends with 1 when that is
//! above the limit, or when the console is not there.
//!
//! `cargo bench --bench console_memory -- [--requests N] [--connections N] [--json]`
//! (200,000 requests over 64 kept-alive connections unless told otherwise; the dev
//! profile with `--profile dev`). Two in three requests read, the third writes; memory
//! is read while the server idles after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench that panics has failed, its tasks need no names, and it prints figures"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use console_api::instrument::InstrumentRequest;
use console_api::instrument::instrument_client::InstrumentClient;
use serde_json::json;

/// How much more memory the server may hold with the console, in KiB.
const LIMIT: u64 = 64 * 1024;

struct Server {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Server {
    fn start(directory: &Path, console: bool) -> Self {
        let log = directory.join(format!("console-{console}.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_torc-server"));
        command
            .args(["run", "--host", "127.0.0.1", "--port", "0"])
            .args(["--durability", "process"])
            .arg("--database")
            .arg(directory.join(format!("console-{console}.db")))
            .env_remove("RUST_LOG")
            .env_remove("TOKIO_CONSOLE_BIND")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap());
        if console {
            command.args(["--console-bind", "127.0.0.1:0"]);
        } else {
            command.arg("--no-console");
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .trim()
            .strip_prefix("TORC_SERVER_PORT=")
            .unwrap()
            .to_owned();
        Self {
            child,
            url: format!("http://127.0.0.1:{port}/torc-service/v1"),
            log,
        }
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Where the server says that tokio-console can connect, if it does.
    fn console(&self) -> Option<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let line = log
            .lines()
            .find(|line| line.contains("tokio-console can connect"))?;
        Some(line.split("address=").nth(1)?.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many tasks a console that connects now is told of.
async fn tasks_in_console(address: &str) -> usize {
    let mut client = InstrumentClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let updates = client.watch_updates(InstrumentRequest {}).await.unwrap();
    let update = updates.into_inner().message().await.unwrap().unwrap();
    update.task_update.unwrap().new_tasks.len()
}

/// Sends the requests; each connection is a client of its own, so none is shared.
async fn load(url: &str, requests: usize, connections: usize) -> f64 {
    let setup = reqwest::Client::new();
    let flow = setup
        .post(format!("{url}/workflows"))
        .json(&json!({"name": "w", "user": "u"}))
        .send()
        .await
        .unwrap()
        .json::<serde_json::Value>()
        .await
        .unwrap()["id"]
        .as_i64()
        .unwrap();
    let start = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let url = url.to_owned();
            tokio::spawn(async move {
                let client = reqwest::Client::builder()
                    .pool_max_idle_per_host(1)
                    .build()
                    .unwrap();
                for n in 0..requests / connections {
                    let request = match n % 3 {
                        0 => client.get(format!("{url}/workflows/{flow}/is_complete")),
                        1 => client.post(format!("{url}/workflows/{flow}/claim_next_jobs?limit=1")),
                        _ => client.get(format!("{url}/workflows/{flow}")),
                    };
                    let answer = request.send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed().as_secs_f64()
}

fn argument(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args();
    while let Some(argument) = arguments.next() {
        if argument == name {
            return arguments.next().unwrap().parse().unwrap();
        }
    }
    default
}

/// Puts a server under load; answers its resident memory after, in KiB.
async fn measure(directory: &Path, console: bool, as_json: bool) -> u64 {
    let requests = argument("--requests", 200_000);
    let connections = argument("--connections", 64);
    let server = Server::start(directory, console);
    let before = server.resident();
    let seconds = load(&server.url, requests, connections).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = server.resident();
    // Asked only now, since the answer takes memory. Without a console the comparison
    // would be one of equals.
    let tasks = match server.console() {
        Some(address) => tasks_in_console(&address).await,
        None => 0,
    };
    assert_eq!(tasks > 0, console, "the console is not there, or always is");
    let rate = requests as f64 / seconds;
    if as_json {
        println!(
            "{}",
            json!({"console": console, "requests": requests, "connections": connections,
                   "seconds": seconds, "requests_per_second": rate, "console_tasks": tasks,
                   "resident_kib_before": before, "resident_kib_after": after})
        );
    } else {
        println!(
            "console {:3}: {requests} requests in {seconds:.1} s ({rate:.0}/s), resident \
             {:.1} MiB before, {:.1} MiB after, {tasks} tasks seen",
            if console { "on" } else { "off" },
            before as f64 / 1024.0,
            after as f64 / 1024.0
        );
    }
    after
}

#[tokio::main]
async fn main() -> ExitCode {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let directory = tempfile::tempdir().unwrap();
    let without = measure(directory.path(), false, as_json).await;
    let with = measure(directory.path(), true, as_json).await;
    let difference = with as f64 - without as f64;
    let small = with <= without + LIMIT;
    if as_json {
        println!(
            "{}",
            json!({"difference_kib": difference, "limit_kib": LIMIT, "within_limit": small})
        );
    } else {
        println!(
            "difference: {:.1} MiB, of at most {}",
            difference / 1024.0,
            LIMIT / 1024
        );
    }
    if small {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
