//! The slow-operation log: what stands in it, how much of it there is, and that nobody waits
//! for it.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::DateTime;
use serde_json::{Value, json};

use crate::bad_luck::server_on_a_small_disk;
use crate::support::http;
use crate::support::process::{HANG, ServerProcess, torc_server};

/// The lines so far; each is whole.
fn lines(directory: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.join("torc-slow.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Waits until the lines are as wanted.
fn wait_for(directory: &Path, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let lines = lines(directory);
        if wanted(&lines) {
            return lines;
        }
        assert!(start.elapsed() < HANG, "{lines:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn last_id(lines: &[Value]) -> u64 {
    lines.last().map_or(0, |line| line["id"].as_u64().unwrap())
}

/// Everything is slow: ten lines in a second, and each of the others is counted.
#[tokio::test(flavor = "multi_thread")]
async fn ten_lines_a_second_and_the_rest_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["-d", "x.db", "--log-dir", "logs", "--slow", "0ms"];
    let server = ServerProcess::start(directory.path(), &flags);
    let logs = directory.path().join("logs");
    let api = server.api();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let headers = [
        ("traceparent", &*parent),
        ("authorization", "Bearer hidden1"),
    ];
    for n in 0..150 {
        let asked = format!("GET /workflows?offset={n}&name=hidden2");
        api.send_raw(&asked, None, &headers).await.ok();
        let body = json!({"name": "hidden3", "user": "u"}).to_string();
        let headers = [("content-type", "application/json")];
        api.send_raw("POST /workflows", Some(body), &headers)
            .await
            .ok();
    }
    // The next second's first line tells how many had none.
    let start = Instant::now();
    let told = loop {
        api.get("/ping").await;
        let told = lines(&logs);
        let suppressed: u64 = told
            .iter()
            .filter_map(|line| line["suppressed"].as_u64())
            .sum();
        let all = told.len() as u64 + suppressed;
        if suppressed > 0 && last_id(&told) >= 301 && all == last_id(&told) {
            break told;
        }
        assert!(
            start.elapsed() < HANG,
            "{all} lines for {} requests",
            last_id(&told)
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    let mut ends: Vec<f64> = told
        .iter()
        .map(|line| {
            let began = DateTime::parse_from_rfc3339(line["time"].as_str().unwrap()).unwrap();
            began.timestamp_millis() as f64 + line["wall_us"].as_f64().unwrap() / 1e3
        })
        .collect();
    ends.sort_by(f64::total_cmp);
    for pair in ends.windows(11) {
        // A request's end is known to a few milliseconds.
        assert!(pair[10] - pair[0] > 900.0, "eleven lines in {pair:?}");
    }
    let text = std::fs::read_to_string(logs.join("torc-slow.jsonl")).unwrap();
    assert!(!text.contains("hidden"), "a secret: {text}");
    let read = told
        .iter()
        .find(|line| line["route"] == "GET /workflows")
        .unwrap();
    assert_eq!(read["trace_id"], trace);
    assert_eq!(read["path"], "/torc-service/v1/workflows");
    assert_eq!(
        (&read["status"], &read["threshold_us"]),
        (&json!(200), &json!(0.0))
    );
    assert!(!read["statements"].as_array().unwrap().is_empty(), "{read}");
    let write = told
        .iter()
        .find(|line| line["route"] == "POST /workflows")
        .unwrap();
    let command = &write["commands"][0];
    assert_eq!(command["operation"], "create_workflow");
    for key in [
        "batch",
        "batch_size",
        "queue_wait_us",
        "commit_us",
        "unaccounted_us",
    ] {
        assert!(command[key].is_number(), "{key}: {command}");
    }
    // The page has those that got no line, too; the normal log has a word of it.
    let page = format!("http://127.0.0.1:{}/debug/slow", server.port());
    let shown: Value = http::get(&page).await.unwrap().json().await.unwrap();
    let shown = shown["slow"].as_array().unwrap();
    assert_eq!(shown.len(), 200);
    let ids: Vec<_> = shown
        .iter()
        .map(|one| one["id"].as_u64().unwrap())
        .collect();
    assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "{ids:?}");
    let some = http::get(format!("{page}?limit=3&operation=create_workflow"));
    let some: Value = some.await.unwrap().json().await.unwrap();
    let some = some["slow"].as_array().unwrap();
    assert!(some.len() == 3 && some.iter().all(|one| one["route"] == "POST /workflows"));
    server.wait_for_log("slow request");
}

/// One operation is slow earlier than others, or never; a debug page that waits is not.
#[tokio::test(flavor = "multi_thread")]
async fn thresholds_are_by_operation() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
        .args(["-d", "x.db", "--log-dir", "logs"])
        .env("TORC_SLOW", "1m,create_event=0ms,GET /ping=0ms");
    let server = ServerProcess::spawn(command);
    let logs = directory.path().join("logs");
    let api = server.api();
    let flow = api.workflow().await;
    api.get("/version").await;
    api.get("/ping").await;
    let event = json!({"workflow_id": flow, "timestamp": 0, "data": {}});
    api.post("/events", event).await;
    let told = wait_for(&logs, |lines| lines.len() >= 2);
    let of: Vec<_> = told
        .iter()
        .map(|line| {
            (
                line["operation"].as_str().unwrap(),
                line["route"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        of,
        [("GET /ping", "GET /ping"), ("create_event", "POST /events")]
    );
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(lines(&logs).len(), 2);
}

async fn lost_lines(server: &ServerProcess) -> u64 {
    let url = format!("http://127.0.0.1:{}/debug/timings", server.port());
    let report: Value = http::get(url).await.unwrap().json().await.unwrap();
    report["dropped_log_lines"].as_u64().unwrap()
}

/// A disk without room for the log: said once, counted, and requests go on. With room, lines
/// come again, and none of them is torn.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_disk_is_said_once() {
    let (small, large) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = large.path().join("x.db");
    let database = database.to_str().unwrap();
    let flags = ["-d", database, "--log-dir", ".", "--slow", "0ms"];
    let server = server_on_a_small_disk(small.path(), &flags);
    let disk = format!("/proc/{}/root{}", server.pid(), small.path().display());
    let disk = Path::new(&disk);
    let ballast = disk.join("ballast");
    let mut filler = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|written| written > 0) {}
    let api = server.api();
    let start = Instant::now();
    while lost_lines(&server).await < 5 {
        assert!(start.elapsed() < HANG);
        api.get("/ping").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A dump has no room either.
    server.signal("USR1");
    server.wait_for_log("cannot write the timings");
    std::fs::remove_file(&ballast).unwrap();
    drop(filler);
    let before = lines(disk).len();
    let start = Instant::now();
    while lines(disk).len() < before + 5 {
        assert!(start.elapsed() < HANG);
        api.get("/ping").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal("USR1");
    server.wait_for_log("timings dumped");
    server.signal("TERM");
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("log lines were lost"), "{said}");
}

/// A log directory that is gone, and cannot be made again for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_directory_that_is_gone_is_said_once() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["-d", "x.db", "--log-dir", "logs", "--slow", "0ms"];
    let server = ServerProcess::start(directory.path(), &flags);
    let logs = directory.path().join("logs");
    let api = server.api();
    std::fs::remove_dir_all(&logs).unwrap();
    std::fs::write(&logs, "in the way").unwrap();
    let start = Instant::now();
    while lost_lines(&server).await < 20 {
        assert!(start.elapsed() < HANG);
        api.get("/ping").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.wait_for_log("the slow-operation log cannot be written");
    std::fs::remove_file(&logs).unwrap();
    api.get("/ping").await;
    let start = Instant::now();
    while lines(&logs).is_empty() {
        assert!(start.elapsed() < HANG);
        api.get("/ping").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal("TERM");
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(
        !said.contains("the slow-operation log cannot be written"),
        "twice: {said}"
    );
}
