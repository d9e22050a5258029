//! The flight recorder: from a list to a request to its phases, traces that hold together,
//! and what a dump carries.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::http;
use crate::support::process::{HANG, ServerProcess, torc_server};

/// A debug page's status and text.
pub(crate) async fn page(server: &ServerProcess, path: &str) -> (u16, String) {
    let url = format!("http://127.0.0.1:{}/debug/{path}", server.port());
    let answer = http::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A debug page that answers JSON.
async fn page_json(server: &ServerProcess, path: &str) -> Value {
    let (status, text) = page(server, path).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// So many jobs, each created by a request of its own, several at a time.
pub(crate) async fn create_jobs(server: &ServerProcess, count: usize) {
    let api = server.api();
    let flow = api.workflow().await;
    let each = futures_util::stream::iter(0..count).map(|n| {
        let api = &api;
        async move {
            let job = json!({"workflow_id": flow, "name": format!("j{n}"), "command": "true"});
            api.post("/jobs", job).await;
        }
    });
    each.buffer_unordered(8).collect::<Vec<()>>().await;
}

fn f64_of(value: &Value, key: &str) -> f64 {
    value[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key}: {value}"))
}

/// The list leads to a request, whose commands' phases sum to their whole; exemplars lead to
/// requests that are within their bounds.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_leads_to_a_request_and_its_phases() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    create_jobs(&server, 40).await;
    let list = page_json(&server, "requests?route=POST%20/jobs&limit=30").await;
    let requests = list["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 30);
    let ids: Vec<u64> = requests
        .iter()
        .map(|one| one["id"].as_u64().unwrap())
        .collect();
    for (listed, id) in requests.iter().zip(&ids) {
        let mut one = page_json(&server, &format!("requests/{id}")).await;
        // The clock on the wall may be read a millisecond later.
        one["time"] = listed["time"].clone();
        assert_eq!(&one, listed);
        assert_eq!(one["route"], "POST /jobs");
        let command = &one["commands"][0];
        assert_eq!(command["operation"], "create_job");
        let phases = [
            "queue_wait",
            "begin",
            "batch_wait",
            "execute",
            "commit",
            "unaccounted",
        ];
        let sum: f64 = phases
            .map(|phase| f64_of(command, &format!("{phase}_us")))
            .iter()
            .sum();
        let whole = f64_of(command, "whole_us");
        assert!(
            (sum - whole).abs() <= whole * 0.02,
            "{sum} of {whole}: {command}"
        );
        assert!(
            f64_of(command, "at_us") + whole <= f64_of(&one, "wall_us"),
            "{one}"
        );
        let statements = command["statements"].as_array().unwrap();
        assert!(
            statements
                .iter()
                .any(|one| one["statement"] == "job.insert"),
            "{command}"
        );
    }
    let (_, text) = page(&server, &format!("requests/{}?format=text", ids[0])).await;
    assert!(
        text.contains("  commit ") && text.contains("job.insert: 1 calls"),
        "{text}"
    );

    for kind in ["route=POST%20/jobs", "operation=create_job"] {
        let found = page_json(&server, &format!("exemplars?{kind}")).await;
        let exemplars = found["exemplars"].as_array().unwrap();
        assert!(!exemplars.is_empty());
        for one in exemplars {
            let took = match kind {
                "operation=create_job" => f64_of(&one["request"]["commands"][0], "whole_us"),
                _ => f64_of(&one["request"], "wall_us"),
            };
            assert!(f64_of(one, "lower_us") <= took, "{one}");
            assert!(
                one["upper_us"].as_f64().is_none_or(|upper| took < upper),
                "{one}"
            );
        }
    }
    let slowest = page_json(&server, "requests?slow=1m").await;
    assert_eq!(slowest["requests"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_answered_is_said_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    for (path, status, advice) in [
        ("requests?limit=0", 400, "from 1 to 1000"),
        ("requests?limit=many", 400, "from 1 to 1000"),
        ("requests?slow=100", 400, "write 250ms"),
        ("requests?follow=yes", 400, "neither true nor false"),
        ("requests?format=xml", 400, "json or text"),
        ("requests/first", 400, "/debug/requests lists"),
        ("requests/123456789", 404, "is forgotten"),
        ("slow?limit=201", 400, "from 1 to 200"),
        ("exemplars", 400, "?operation=complete_job"),
        ("exemplars?operation=nothing", 404, "there is: "),
        ("trace?seconds=0", 400, "from 1 to 30"),
        ("trace?seconds=31", 400, "from 1 to 30"),
        ("trace?seconds=1.5", 400, "from 1 to 30"),
        ("timings?format=xml", 400, "hlog"),
        ("timings?format=hlog&window=never", 400, "window"),
    ] {
        let (told, text) = page(&server, path).await;
        assert_eq!(told, status, "{path}: {text}");
        assert!(text.contains(advice), "{path}: {text}");
    }
}

/// Follows requests until the server stops.
#[tokio::test(flavor = "multi_thread")]
async fn requests_can_be_followed_until_the_server_stops() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let url = format!("http://127.0.0.1:{}/debug/requests", server.port());
    let url = format!("{url}?follow=true&route=/jobs");
    let answer = http::get(&url).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let mut chunks = answer.bytes_stream();
    create_jobs(&server, 20).await;
    let mut told = String::new();
    let start = Instant::now();
    while told.lines().count() < 20 {
        assert!(start.elapsed() < HANG, "{told}");
        let chunk = tokio::time::timeout(HANG, chunks.next()).await.unwrap();
        told += std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap();
    }
    for line in told.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["route"], "POST /jobs");
    }
    server.signal("TERM");
    while let Some(chunk) = tokio::time::timeout(HANG, chunks.next()).await.unwrap() {
        chunk.unwrap();
    }
    assert_eq!(server.wait().0.code(), Some(0));
}

/// What must hold in every trace: each beginning has its end, in the order of a stack;
/// nothing overlaps on a thread's track except what lies within; no negative times.
pub(crate) fn check_trace(trace: &Value) -> BTreeMap<String, usize> {
    /// Times are told to the nanosecond.
    const ROUNDING: f64 = 0.01;
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut stacks: HashMap<(String, String), Vec<(String, f64)>> = HashMap::new();
    let mut ended: Vec<(String, String)> = Vec::new();
    let mut tracks: HashMap<u64, Vec<(f64, f64)>> = HashMap::new();
    let mut named_tracks: Vec<u64> = Vec::new();
    for event in trace["traceEvents"].as_array().unwrap() {
        let text = |key: &str| {
            event[key]
                .as_str()
                .unwrap_or_else(|| panic!("{event}"))
                .to_owned()
        };
        let (ts, name) = (f64_of(event, "ts"), text("name"));
        assert!(ts >= 0.0 && event["pid"] == 1, "{event}");
        let tid = event["tid"].as_u64().unwrap();
        *names.entry(name.clone()).or_default() += 1;
        match &*text("ph") {
            "M" => named_tracks.push(tid),
            "C" => assert!(event["args"].is_object(), "{event}"),
            "X" => {
                let end = ts + f64_of(event, "dur");
                assert!(end >= ts, "{event}");
                tracks.entry(tid).or_default().push((ts, end));
            }
            "b" => {
                let stack = stacks.entry((text("cat"), text("id"))).or_default();
                assert!(
                    stack.last().is_none_or(|(_, from)| *from <= ts + ROUNDING),
                    "{event}"
                );
                stack.push((name, ts));
            }
            "e" => {
                let key = (text("cat"), text("id"));
                let stack = stacks.get_mut(&key).unwrap();
                let (begun, from) = stack.pop().unwrap();
                assert!(begun == name && ts >= from - ROUNDING, "{event}");
                if stack.is_empty() {
                    ended.push(key);
                }
            }
            other => panic!("{other}: {event}"),
        }
    }
    assert!(stacks.values().all(Vec::is_empty), "an event has no end");
    let whole = ended.len();
    ended.sort();
    ended.dedup();
    assert_eq!(ended.len(), whole, "an id was used twice");
    for (tid, events) in &mut tracks {
        assert!(named_tracks.contains(tid), "track {tid} has no name");
        events.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut around: Vec<f64> = Vec::new();
        for (from, to) in events {
            while around.last().is_some_and(|end| *end <= *from + ROUNDING) {
                around.pop();
            }
            let within = around.last().is_none_or(|end| *to <= *end + ROUNDING);
            assert!(
                within,
                "{from}..{to} on track {tid} leaves what is around it"
            );
            around.push(*to);
        }
    }
    names
}

/// Under load, both for the next second and for the last ones.
#[tokio::test(flavor = "multi_thread")]
async fn traces_hold_together_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    create_jobs(&server, 20).await;
    let (_, before) = page(&server, "requests?route=/jobs&limit=1&format=text").await;
    let (trace, ()) = tokio::join!(
        page_json(&server, "trace?seconds=2"),
        create_jobs(&server, 60)
    );
    let names = check_trace(&trace);
    for name in [
        "POST /jobs",
        "create_job",
        "batch",
        "begin",
        "execute",
        "commit",
        "queue_wait",
    ] {
        assert!(names.contains_key(name), "{name}: {names:?}");
    }
    assert_eq!(trace["otherData"]["records_left_out"], 0);
    assert_eq!(
        trace["otherData"]["about"]["version"],
        env!("CARGO_PKG_VERSION")
    );
    // What was over before it began is not in it.
    let old = before.split('#').nth(1).unwrap();
    let old: u64 = old.split_whitespace().next().unwrap().parse().unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert!(
        events
            .iter()
            .all(|event| event["args"]["path"].is_null() || event["args"]["request"] != old)
    );

    let recent = page_json(&server, "trace/recent").await;
    let names = check_trace(&recent);
    // A beginning and an end for each.
    assert_eq!(names["POST /jobs"], 2 * 80);
    // In the request's track, and on the writer's.
    assert_eq!(names["create_job"], 3 * 80);
}

/// One trace at a time: the others hear so while it is made, also when they are many, and
/// one whose asker goes away makes room.
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_askers_of_a_trace_one_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let first = tokio::spawn(long_trace(server.port()));
    wait_until_busy(&server).await;
    let others: Vec<(u16, String)> = futures_util::stream::iter(0..49)
        .map(|_| page(&server, "trace?seconds=5"))
        .buffer_unordered(49)
        .collect()
        .await;
    for (status, text) in others {
        assert_eq!(status, 429, "{text}");
        assert!(text.contains("one at a time"), "{text}");
    }
    first.abort();
    let start = Instant::now();
    while page(&server, "trace/recent").await.0 != 200 {
        assert!(start.elapsed() < HANG);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    check_trace(&page_json(&server, "trace?seconds=1").await);
    // Those who go before they have read it leave no one waiting either.
    for path in ["trace/recent", "trace?seconds=1"] {
        for _ in 0..5 {
            let mut asker = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
            write!(
                asker,
                "GET /debug/{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"
            )
            .unwrap();
            drop(asker);
        }
        let start = Instant::now();
        while page(&server, "trace/recent").await.0 != 200 {
            assert!(start.elapsed() < HANG, "{path}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A trace of the longest time that there is.
async fn long_trace(port: u16) -> String {
    let url = format!("http://127.0.0.1:{port}/debug/trace?seconds=30");
    loop {
        let answer = http::get(&url).await.unwrap();
        // Whoever looks whether one is being made gets in the way.
        if answer.status() != 429 {
            return answer.text().await.unwrap();
        }
    }
}

/// Waits until a trace is being made: then another one is refused.
async fn wait_until_busy(server: &ServerProcess) {
    let start = Instant::now();
    while page(server, "trace/recent").await.0 != 429 {
        assert!(start.elapsed() < HANG);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A trace that is asked for does not keep the server from stopping.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_a_trace_early() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let traced = tokio::spawn(long_trace(server.port()));
    wait_until_busy(&server).await;
    server.signal("TERM");
    let trace = tokio::time::timeout(HANG, traced).await.unwrap().unwrap();
    check_trace(&serde_json::from_str(&trace).unwrap());
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("still open"), "{said}");
}

/// Without the recorder there are no traces, and the rest works.
#[tokio::test]
async fn it_can_be_switched_off() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(
        directory.path(),
        &["-d", "x.db", "--flight-recorder", "off"],
    );
    server.api().workflow().await;
    for path in ["requests", "trace/recent", "trace?seconds=1"] {
        let (status, text) = page(&server, path).await;
        assert_eq!(status, 404, "{text}");
        assert!(text.contains("--flight-recorder"), "{text}");
    }
    let found = page_json(&server, "exemplars?operation=create_workflow").await;
    let id = found["exemplars"][0]["request"]["id"].as_u64().unwrap();
    page_json(&server, &format!("requests/{id}")).await;
    server.signal("USR1");
    server.wait_for_log("timings dumped");
    let mut files = std::fs::read_dir(directory.path()).unwrap();
    assert!(!files.any(|file| {
        file.unwrap()
            .file_name()
            .to_string_lossy()
            .contains("flight")
    }));
}

/// A small recorder stays small and keeps the newest.
#[tokio::test(flavor = "multi_thread")]
async fn it_stays_within_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(
        directory.path(),
        &["-d", "x.db", "--flight-recorder", "32K"],
    );
    create_jobs(&server, 100).await;
    let list = page_json(&server, "requests?limit=1000").await;
    assert!(list["flight_bytes"].as_u64().unwrap() <= 32 << 10, "{list}");
    let kept = list["requests"].as_array().unwrap().len();
    assert!((5..100).contains(&kept), "{kept}");
}

#[test]
fn senseless_flags_are_refused() {
    for (flags, advice) in [
        (["--flight-recorder", "much"], "64M, or off"),
        (["--slow", "250"], "write 250ms"),
        (["--slow", "a=b=c"], "write 250ms"),
        (["--dump-max-total-size", "x"], "500M"),
    ] {
        let mut command = torc_server();
        let answer = command.arg("run").args(flags).output().unwrap();
        let said = String::from_utf8(answer.stderr).unwrap();
        assert_eq!(answer.status.code(), Some(2), "{said}");
        assert!(said.contains(advice), "{said}");
    }
}
