//! What tokio-console costs in memory: the same load on two servers, one with it and
//! one without, and the difference of their resident memory.
//!
//! `cargo bench --bench console_memory -- [--requests N] [--connections N] [--json]`
//! (200,000 requests over 64 kept-alive connections unless told otherwise). Two in
//! three requests read, the third writes; memory is read while the server idles after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench that panics has failed, and its tasks need no names"
)]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(directory: &std::path::Path, console: bool) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_torc-server"));
        command
            .args([
                "run",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--durability",
                "process",
            ])
            .arg("--database")
            .arg(directory.join(format!("console-{console}.db")))
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if console {
            command.args(["--console-bind", "127.0.0.1:17669"]);
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
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

#[tokio::main]
async fn main() {
    let requests = argument("--requests", 200_000);
    let connections = argument("--connections", 64);
    let directory = tempfile::tempdir().unwrap();
    let mut resident = Vec::new();
    for console in [false, true] {
        let server = Server::start(directory.path(), console);
        let before = server.resident();
        let seconds = load(&server.url, requests, connections).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let after = server.resident();
        resident.push(after);
        let rate = requests as f64 / seconds;
        if std::env::args().any(|argument| argument == "--json") {
            println!(
                "{}",
                json!({"console": console, "requests": requests, "connections": connections,
                       "seconds": seconds, "requests_per_second": rate,
                       "resident_kib_before": before, "resident_kib_after": after})
            );
        } else {
            println!(
                "console {:3}: {requests} requests in {seconds:.1} s ({rate:.0}/s), resident \
                 {:.1} MiB before, {:.1} MiB after",
                if console { "on" } else { "off" },
                before as f64 / 1024.0,
                after as f64 / 1024.0
            );
        }
    }
    println!(
        "difference: {:.1} MiB",
        (resident[1] as f64 - resident[0] as f64) / 1024.0
    );
}
