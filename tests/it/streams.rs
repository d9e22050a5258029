//! The server goes on whatever becomes of its standard output and error: closed by whoever
//! started it, or a pipe that nobody reads.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::process::{HANG, signal, torc_server, wait_bounded};

/// A server process that the test may do anything with; killed when dropped.
struct Bare(Child);

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(directory: &Path) -> Command {
    let mut command = torc_server();
    command
        .current_dir(directory)
        .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
        .args(["--log-dir", "logs"])
        .stdin(Stdio::null());
    command
}

/// Starts it, and reads the line with its port; what is left of standard output stays open
/// as long as the second part lives.
fn start(command: &mut Command) -> (Bare, impl Read + use<>, Api) {
    let mut child = Bare(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let port = line.trim().strip_prefix("TORC_SERVER_PORT=").unwrap();
    let api = Api::new(&format!("http://127.0.0.1:{port}"));
    (child, stdout, api)
}

/// Waits until the log file has a line with `part`.
fn wait_for_log(directory: &Path, part: &str) {
    let log = directory.join("logs/torc-server.log");
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        if text.contains(part) {
            return;
        }
        assert!(start.elapsed() < HANG, "no '{part}' in:\n{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The line about a snapshot cannot be printed: a warning, and snapshots go on.
#[tokio::test]
async fn nobody_reads_standard_output_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, stdout, api) = start(
        run(directory.path())
            .args(["-d", ":memory:"])
            .stderr(Stdio::null()),
    );
    drop(stdout);
    let copy = directory.path().join("torc-server-snapshot.db");
    for older in ["", ".1"] {
        signal(child.0.id(), "USR1");
        let file = directory
            .path()
            .join(format!("torc-server-snapshot.db{older}"));
        let start = Instant::now();
        while !file.exists() {
            assert!(start.elapsed() < HANG, "no {}", file.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        wait_for_log(directory.path(), "standard output did not take");
        wait_for_log(directory.path(), "timings dumped");
    }
    assert!(copy.exists());
    assert_eq!(api.get("/ping").await["status"], "ok");
    signal(child.0.id(), "TERM");
    assert_eq!(wait_bounded(&mut child.0).code(), Some(0));
}

/// A second signal ends it although its last words reach nobody.
#[tokio::test]
async fn nobody_reads_standard_error_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, _stdout, api) = start(
        run(directory.path())
            .args(["-d", "x.db"])
            .stderr(Stdio::piped()),
    );
    drop(child.0.stderr.take());
    let flow = api.workflow().await;
    let holder = rusqlite::Connection::open(directory.path().join("x.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let event = json!({"workflow_id": flow, "timestamp": 0, "data": 1});
    let url = format!("{}/events", api.url());
    // It holds the writer, so that the first signal does not end the server.
    let waits = tokio::spawn(http::client().post(url).json(&event).send());
    let report = format!("{}/debug/timings", api.root());
    let start = Instant::now();
    loop {
        let report: Value = http::get(&report).await.unwrap().json().await.unwrap();
        let holder = report["phases"]["writer"]["holder"].as_array();
        if !holder.unwrap().is_empty() {
            break;
        }
        assert!(start.elapsed() < HANG, "the writer has nothing to do");
    }
    signal(child.0.id(), "TERM");
    wait_for_log(directory.path(), "stopping after SIGTERM");
    signal(child.0.id(), "TERM");
    assert_eq!(wait_bounded(&mut child.0).code(), Some(143));
    wait_for_log(directory.path(), "ended at once by a second signal");
    let _ = waits.await;
}

/// A pipe that is full holds up no request, and not the end.
#[tokio::test]
async fn a_full_standard_error_holds_up_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = run(directory.path());
    command
        .args(["-d", "x.db"])
        .env("RUST_LOG", "debug")
        .env("TORC_TIMING_ENABLED", "1")
        .stderr(Stdio::piped());
    let (mut child, _stdout, api) = start(&mut command);
    let flow = api.workflow().await;
    let path = format!("/workflows/{flow}/claim_next_jobs?limit=1");
    // Two lines and some 200 bytes each; a pipe takes 64 KiB.
    for _ in 0..600 {
        api.post(&path, Value::Null).await;
    }
    signal(child.0.id(), "TERM");
    assert_eq!(wait_bounded(&mut child.0).code(), Some(0));
    // The file has them all.
    let log = std::fs::read_to_string(directory.path().join("logs/torc-server.log")).unwrap();
    assert_eq!(log.matches("prepare_ready_jobs{").count(), 600);
    // Standard error has the beginning.
    let mut said = String::new();
    let mut stderr = child.0.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert!(
        said.len() >= 32 * 1024 && said.len() < log.len(),
        "{}",
        said.len()
    );
}
