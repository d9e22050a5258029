//! What the server shows when asked by a signal, an environment variable or a flag.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::process::{HANG, ServerProcess, torc_server};

fn dumps(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("torc-timings-") && name.ends_with(kind)
        })
        .collect();
    found.sort();
    found
}

/// A workflow with two jobs, claimed, one of them run to its end.
async fn some_work(api: &Api) -> i64 {
    let flow = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &["a"])]).await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;
    let offer = json!({"num_cpus": 4, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1});
    api.post(
        &format!("/workflows/{flow}/claim_jobs_based_on_resources/5"),
        offer,
    )
    .await;
    api.send(
        &format!("PUT /jobs/{}/start_job/0/{node}", jobs[0]),
        &Value::Null,
    )
    .await
    .ok();
    let result = crate::support::api::result(flow, jobs[0], node, "completed", 0);
    api.post(
        &format!("/jobs/{}/complete_job/completed/0", jobs[0]),
        result,
    )
    .await;
    flow
}

/// The histograms are there on an idle server, and signals in a burst are safe.
#[tokio::test]
async fn sigusr1_dumps_the_histograms() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    some_work(&server.api()).await;
    for _ in 0..30 {
        server.signal("USR1");
    }
    let said = server.wait_for_log("timings dumped");
    let dump = PathBuf::from(said.rsplit("path=").next().unwrap());
    assert!(dumps(directory.path(), ".txt").contains(&dump), "{said}");
    let table = std::fs::read_to_string(&dump).unwrap();
    for function in [
        "prepare_ready_jobs",
        "claim_jobs_based_on_resources",
        "update_job_status",
    ] {
        assert!(table.contains(function), "{function} is not in:\n{table}");
    }
    let json = dumps(directory.path(), ".json").pop().unwrap();
    let json: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let spans = json["spans"].as_array().unwrap();
    let completions = spans
        .iter()
        .find(|span| span["span"] == "complete_job")
        .unwrap();
    assert_eq!(completions["count"], 1, "{completions}");
    assert_eq!(server.api().get("/ping").await["status"], "ok");
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert!(dumps(directory.path(), ".txt").len() <= 20);
}

/// A database in memory is copied on SIGUSR1, older copies move on, and the line
/// that published clients wait for is printed.
#[tokio::test]
async fn sigusr1_copies_a_database_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(
        directory.path(),
        &["-d", ":memory:", "--snapshot-keep", "2"],
    );
    let flow = some_work(&server.api()).await;
    let copy = directory.path().join("torc-server-snapshot.db");
    for _ in 0..3 {
        server.signal("USR1");
        let line = server.wait_for_output("TORC_SNAPSHOT_DONE=");
        assert_eq!(line, format!("TORC_SNAPSHOT_DONE={}", copy.display()));
    }
    for file in [
        copy.clone(),
        directory.path().join("torc-server-snapshot.db.1"),
    ] {
        let jobs: i64 = rusqlite::Connection::open(&file)
            .unwrap()
            .query_row(
                "SELECT count(*) FROM job WHERE workflow_id = ?",
                [flow],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(jobs, 2);
    }
    assert!(!directory.path().join("torc-server-snapshot.db.2").exists());
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// A database in a file is copied where a path says so, with Torc's variables. It always
/// keeps one copy, and the dump comes as well.
#[tokio::test]
async fn sigusr1_copies_a_database_file_when_a_path_is_given() {
    for (keep, kept) in [("2", &["", ".1"][..]), ("0", &[""])] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
            .args(["-d", "x.db"])
            .env("TORC_SERVER_SNAPSHOT_PATH", "copies/of.db")
            .env("TORC_SERVER_SNAPSHOT_KEEP", keep);
        let server = ServerProcess::spawn(command);
        let copy = directory.path().join("copies/of.db");
        // Each copy has one workflow more than the one before.
        for _ in 0..3 {
            server.api().workflow().await;
            server.signal("USR1");
            let line = server.wait_for_output("TORC_SNAPSHOT_DONE=");
            assert_eq!(line, format!("TORC_SNAPSHOT_DONE={}", copy.display()));
        }
        server.wait_for_log("timings dumped");
        assert!(!dumps(directory.path(), ".txt").is_empty());
        let copies = std::fs::read_dir(directory.path().join("copies")).unwrap();
        assert_eq!(copies.count(), kept.len());
        for (age, suffix) in kept.iter().enumerate() {
            let file = directory.path().join(format!("copies/of.db{suffix}"));
            let workflows: i64 = rusqlite::Connection::open(file)
                .unwrap()
                .query_row("SELECT count(*) FROM workflow", [], |row| row.get(0))
                .unwrap();
            assert_eq!(workflows, 3 - age as i64);
        }
        server.signal("TERM");
        assert_eq!(server.wait().0.code(), Some(0));
    }
}

/// With `TORC_TIMING_ENABLED` each instrumented function leaves a line of the
/// guide's shape; without it there is none, at the same log level.
#[tokio::test]
async fn timing_lines_come_when_asked_for() {
    for enabled in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .args([
                "run",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-console",
                "-d",
                "x.db",
            ])
            .env("RUST_LOG", "debug");
        if enabled {
            command.env("TORC_TIMING_ENABLED", "1");
        }
        let server = ServerProcess::spawn(command);
        let flow = some_work(&server.api()).await;
        server.signal("TERM");
        let (_, said) = server.wait();
        assert_eq!(said.contains("close time.busy"), enabled, "{said}");
        if enabled {
            let start =
                format!("DEBUG prepare_ready_jobs{{workflow_id={flow} limit=5}}: close time.busy=");
            assert!(said.contains(&start), "{start} is not in\n{said}");
            assert!(!said.contains('\u{1b}'), "colours off a terminal");
        }
    }
}

/// The debug page answers the same report, live, as JSON and as a table.
#[tokio::test]
async fn the_report_is_served_live() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    some_work(&server.api()).await;
    let url = format!("http://127.0.0.1:{}/debug/timings", server.port());
    let report: Value = http::get(&url).await.unwrap().json().await.unwrap();
    let operations = report["phases"]["operations"].as_array().unwrap();
    let claim = operations
        .iter()
        .find(|operation| operation["operation"] == "claim_jobs_based_on_resources")
        .unwrap();
    for phase in [
        "queue_wait",
        "begin_latency",
        "begin_cost",
        "execute",
        "commit_latency",
    ] {
        assert_eq!(claim[phase]["count"], 1, "{phase}: {claim}");
    }
    let text = http::get(format!("{url}?format=text"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("prepare_ready_jobs"), "{text}");
    let refused = http::get(format!("{url}?format=xml")).await.unwrap();
    assert_eq!(refused.status(), 400);
}

/// A server with every layer on works, logs to a file, and loses none of its last lines.
#[tokio::test]
async fn everything_on_works_and_is_flushed() {
    let directory = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let console = free.local_addr().unwrap().to_string();
    drop(free);
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args([
            "run",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "-d",
            "x.db",
            "--log-dir",
            "logs",
        ])
        .args(["--json-logs", "--console-bind", &console])
        .env("RUST_LOG", "debug")
        .env("TORC_TIMING_ENABLED", "true");
    let server = ServerProcess::spawn(command);
    some_work(&server.api()).await;
    server.signal("INT");
    assert_eq!(server.wait().0.code(), Some(0));
    let log = std::fs::read_dir(directory.path().join("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|kind| kind == "log"))
        .unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line.to_string().contains("prepare_ready_jobs"))
    );
    assert!(
        lines.last().unwrap().to_string().contains("stopped"),
        "{:?}",
        lines.last()
    );
}

/// A console port that is taken costs a warning, not the server.
#[tokio::test]
async fn a_taken_console_port_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args(["run", "--host", "127.0.0.1", "--port", "0", "-d", "x.db"])
        .args(["--console-bind", &taken.local_addr().unwrap().to_string()]);
    let server = ServerProcess::spawn(command);
    server.wait_for_log("WARN");
    assert_eq!(server.api().get("/ping").await["status"], "ok");
}

/// A second signal ends the server at once, whatever it waits for.
#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let flow = server.api().workflow().await;
    let holder = rusqlite::Connection::open(directory.path().join("x.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (api, event) = (
        server.api(),
        json!({"workflow_id": flow, "timestamp": 0, "data": 1}),
    );
    let waits = tokio::spawn(async move {
        let request = http::client()
            .post(format!("{}/events", api.url()))
            .json(&event);
        request.send().await.map(|answer| answer.status())
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.signal("TERM");
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(143));
    assert!(start.elapsed() < HANG);
    let _ = waits.await;
}
