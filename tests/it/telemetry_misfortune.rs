//! What may befall telemetry: clocks that jump, signals by the thousand, a console whose
//! client stops reading. The server goes on serving.

use std::time::{Duration, Instant};

use console_api::instrument::InstrumentRequest;
use console_api::instrument::instrument_client::InstrumentClient;
use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::faults::compiled;
use crate::support::http;
use crate::support::process::{HANG, ServerProcess, torc_server};

async fn timings(api: &Api, window: &str) -> Value {
    let url = format!("{}/debug/timings?window={window}", api.root());
    http::get(url).await.unwrap().json().await.unwrap()
}

fn count(report: &Value, operation: &str) -> u64 {
    let rows = report["phases"]["operations"].as_array().unwrap();
    let row = rows.iter().find(|row| row["operation"] == operation);
    row.map_or(0, |row| row["count"].as_u64().unwrap())
}

/// A job from its creation to its end.
async fn one_job(api: &Api) {
    let (flow, job, node) = api.running_job().await;
    let ended = result(flow, job, node, "completed", 0);
    api.post(&format!("/jobs/{job}/complete_job/completed/0"), ended)
        .await;
}

/// Durations are measured by a clock that does not jump, so no window loses anything and no
/// time is absurd, whichever way the wall clock goes.
#[tokio::test]
async fn a_wall_clock_that_jumps_moves_no_duration() {
    let directory = tempfile::tempdir().unwrap();
    let jump = directory.path().join("jump");
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args(["run", "--port", "0", "--no-console", "-d", "x.db"])
        .args(["--log-dir", "logs"])
        .env("LD_PRELOAD", compiled("jumping_clock.c", directory.path()))
        .env("JUMP_FILE", &jump);
    let server = ServerProcess::spawn(command);
    let api = server.api();
    one_job(&api).await;
    let date = async || {
        let report = timings(&api, "start").await;
        report["generated_at"].as_str().unwrap()[..10].to_owned()
    };
    let mut before = date().await;
    let day = 86_400;
    for (nth, seconds) in [day, -day, 30 * day, -400 * day].into_iter().enumerate() {
        std::fs::write(&jump, seconds.to_string()).unwrap();
        one_job(&api).await;
        let now = date().await;
        assert_ne!(now, before, "the clock did not jump");
        before = now;
        for window in ["start", "1m", "1h"] {
            let report = timings(&api, window).await;
            assert_eq!(count(&report, "complete_job"), nth as u64 + 2, "{window}");
            let rows = report["phases"]["operations"].as_array().unwrap();
            for row in rows {
                let longest = row["whole"]["max"].as_f64().unwrap();
                assert!((0.0..60e6).contains(&longest), "{row}");
            }
            let covered = report["window_s"].as_f64().unwrap();
            assert!((0.0..600.0).contains(&covered), "{covered} s");
        }
    }
    server.signal("USR1");
    server.wait_for_log("timings dumped");
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

/// Signals that come while a dump is written are one more dump; requests go on.
#[tokio::test]
async fn a_thousand_signals_are_some_dumps() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    for nth in 0..1_000 {
        server.signal("USR1");
        if nth % 50 == 0 {
            api.get("/ping").await;
        }
    }
    server.wait_for_log("timings dumped");
    one_job(&api).await;
    let dumps = || {
        let entries = std::fs::read_dir(directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(".txt"))
            .count()
    };
    assert!((1..=20).contains(&dumps()), "{} dumps", dumps());
    server.signal("TERM");
    assert!(server.wait().0.success());
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() >> 10
}

/// A console that asks for everything and reads nothing costs neither requests nor, beyond
/// a bound, memory.
#[tokio::test]
async fn a_console_that_stops_reading_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args(["run", "--port", "0", "-d", "x.db"])
        .args(["--console-bind", "127.0.0.1:0"]);
    let server = ServerProcess::spawn(command);
    let line = server.wait_for_log("tokio-console can connect");
    let (_, address) = line.split_once("address=").unwrap();
    let mut client = InstrumentClient::connect(format!("http://{}", address.trim()))
        .await
        .unwrap();
    let updates = client.watch_updates(InstrumentRequest {}).await.unwrap();
    let api = server.api();
    let begin = Instant::now();
    let mut asked = 0;
    // For as long as it takes the console to publish some times, and at least so often.
    while begin.elapsed() < Duration::from_secs(5) || asked < 2_000 {
        api.post("/workflows", json!({"name": "a", "user": "b"}))
            .await;
        asked += 1;
        assert!(begin.elapsed() < HANG, "{asked} requests in a minute");
    }
    let resident = resident_mib(server.pid());
    assert!(resident < 300, "{resident} MiB after {asked} requests");
    drop(updates);
    server.signal("TERM");
    assert!(server.wait().0.success());
}
