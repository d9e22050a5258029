//! What a dump carries, and what is dumped without being asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::flight::{check_trace, create_jobs, page};
use crate::support::process::{HANG, ServerProcess, torc_server};
use crate::telemetry::start;

/// The names of dumps of one kind, without the directory.
fn dumps(directory: &Path, start: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(start) && !name.ends_with(".tmp")
        })
        .collect();
    found.sort();
    found
}

fn wait_for_dump(directory: &Path) -> Value {
    let start = Instant::now();
    loop {
        if let Some(path) = dumps(directory, "torc-flight-").pop() {
            return serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        }
        assert!(start.elapsed() < HANG, "no dump");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One signal, four files of one time, which say what ran where.
#[tokio::test(flavor = "multi_thread")]
async fn sigusr1_writes_everything() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db", "--write-queue", "77"]);
    create_jobs(&server, 10).await;
    server.signal("USR1");
    let said = server.wait_for_log("timings dumped");
    let table = said.rsplit("path=").next().unwrap().to_owned();
    let time = table
        .strip_suffix(".txt")
        .unwrap()
        .rsplit("timings-")
        .next()
        .unwrap();
    let read = |name: String| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let flight: Value = serde_json::from_str(&read(format!("torc-flight-{time}.json"))).unwrap();
    assert_eq!(check_trace(&flight)["POST /jobs"], 2 * 10);
    let report: Value = serde_json::from_str(&read(format!("torc-timings-{time}.json"))).unwrap();
    let about = &report["about"];
    assert_eq!(about["configuration"]["write_queue"], 77);
    assert_eq!(&flight["otherData"]["about"], about);
    assert!(about["cpus"].as_u64().unwrap() > 0);
    for key in [
        "version",
        "git_hash",
        "cpu_model",
        "kernel",
        "database_file_system",
        "sqlite",
    ] {
        assert!(!about[key].as_str().unwrap().is_empty(), "{key}: {about}");
    }
    let text = read(format!("torc-timings-{time}.txt"));
    assert!(text.contains(about["kernel"].as_str().unwrap()), "{text}");

    let log = read(format!("torc-timings-{time}.hlog"));
    check_histograms(&log, 10);
    let (_, live) = page(&server, "timings?format=hlog").await;
    check_histograms(&live, 10);
    assert_eq!(dumps(directory.path(), "torc-").len(), 4);
}

/// Reads an interval log as the tools of HdrHistogram do.
fn check_histograms(log: &str, jobs: u64) {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let LogEntry::Interval(interval) = entry.unwrap() else {
            continue;
        };
        let tag = interval.tag().unwrap().as_str().to_owned();
        let bytes = decode_base64(interval.encoded_histogram());
        let histogram: hdrhistogram::Histogram<u64> =
            Deserializer::new().deserialize(&mut &*bytes).unwrap();
        counts.insert(tag, histogram.len());
    }
    for part in ["whole", "queue_wait", "execute", "commit_latency"] {
        assert_eq!(
            counts[&format!("command/create_job/{part}")],
            jobs,
            "{counts:?}"
        );
    }
    assert_eq!(counts["route/POST_/jobs/whole"], jobs);
    assert_eq!(counts["statement/job.insert/whole"], jobs);
}

fn decode_base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|one| *one == letter).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).unwrap());
        }
    }
    bytes
}

/// Many times slower than its threshold: a dump, and only one of many in a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_far_too_slow_operation_is_dumped_once() {
    let directory = tempfile::tempdir().unwrap();
    let slow = ["-d", "x.db", "--slow", "off,create_job=1us"];
    let server = ServerProcess::start(directory.path(), &slow);
    create_jobs(&server, 10).await;
    let said = server.wait_for_log("flight recorder dumped after a slow operation");
    assert!(said.contains("torc-flight-"), "{said}");
    create_jobs(&server, 10).await;
    let dump = wait_for_dump(directory.path());
    check_trace(&dump);
    assert_eq!(
        dump["otherData"]["about"]["dumped_after"],
        "a slow operation"
    );
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(dumps(directory.path(), "torc-").len(), 1);
}

#[test]
fn a_panic_is_dumped_once() {
    let running = start(&["--no-console"], &[("TELEMETRY_CHILD_PANICS", "3")]);
    let dump = wait_for_dump(running.dir.path());
    check_trace(&dump);
    assert_eq!(dump["otherData"]["about"]["dumped_after"], "a panic");
    let ended = running.end();
    // The hook that was there before is still called.
    assert_eq!(
        ended.stderr.matches("as the test wants it").count(),
        3,
        "{}",
        ended.stderr
    );
    assert_eq!(dumps(ended.dir.path(), "torc-").len(), 1);
}

/// A task that keeps its worker thread: what led to it is dumped while it goes on, and the
/// whole of it is known when it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_worker_thread_is_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .env("TORC_FAULT", "block-worker:1s")
        .args(["run", "--port", "0", "--no-console", "-d", "x.db"])
        .args(["--stall-threshold", "200ms"]);
    let server = ServerProcess::spawn(command);
    let (status, _) = page(&server, "fault/block-worker").await;
    assert_eq!(status, 200);
    let said = server.wait_for_log("flight recorder dumped after a stalled worker thread");
    assert!(said.contains("torc-flight-"), "{said}");
    let dump = wait_for_dump(directory.path());
    check_trace(&dump);
    let about = &dump["otherData"]["about"];
    assert_eq!(about["dumped_after"], "a stalled worker thread");
    let (so_far, took) = stall(&dump, "GET /debug/fault/block-worker, so far");
    assert!(so_far && took >= 200e3, "{took} us");
    server.wait_for_log("free again");
    let trace: Value = serde_json::from_str(&page(&server, "trace/recent").await.1).unwrap();
    check_trace(&trace);
    let (whole, took) = stall(&trace, "GET /debug/fault/block-worker");
    assert!(whole && took >= 1e6, "{took} us");
}

/// Whether a trace has a stall with such an end of its name, and its microseconds.
fn stall(trace: &Value, end: &str) -> (bool, f64) {
    let events = trace["traceEvents"].as_array().unwrap();
    let at = |ph: &str| {
        let mut found = events.iter().filter(|event| {
            let name = event["name"].as_str().unwrap();
            event["ph"] == ph && event["cat"] == "stall" && name.ends_with(end)
        });
        found.next().and_then(|event| event["ts"].as_f64())
    };
    match (at("b"), at("e")) {
        (Some(from), Some(to)) => (true, to - from),
        _ => (false, 0.0),
    }
}
