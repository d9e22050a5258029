//! `torc trace`: the waterfall of a request, and traces that are saved. Where what is drawn
//! matters to the letter the pages are fixed here.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::faults::many_jobs;
use crate::support::http;
use crate::support::pages::{Page, Pages};
use crate::support::process::{Answer, output_bounded, output_to};
use crate::support::user::User;

/// A time that no clock has passed yet.
const JUST_NOW: &str = "2999-01-01T00:00:00.000Z";

fn request(id: u64, wall: f64, began: &str) -> Value {
    let commit = wall - 21_000.0;
    json!({
        "id": id, "route": "POST /workflows/{id}/batch_complete_jobs",
        "path": "/torc-service/v1/workflows/7/batch_complete_jobs", "status": 200,
        "time": began, "trace_id": "00ff", "wall_us": wall, "busy_us": 1300.0, "read_wait_us": 400.0,
        "commands": [{
            "operation": "batch_complete_jobs", "batch": 77, "batch_size": 3,
            "committed": true, "at_us": 1500.0, "queue_wait_us": 9000.0, "begin_us": 100.0,
            "batch_wait_us": 2500.0, "execute_us": 6000.0, "commit_us": commit,
            "whole_us": wall - 3200.0, "unaccounted_us": 200.0,
            "statements": [
                {"statement": "job.end", "calls": 12, "rows": 12, "elapsed_us": 3100.0},
                {"statement": "result.insert", "calls": 1, "rows": 1, "elapsed_us": 900.0}],
        }],
        "statements": [{"statement": "get_workflow", "calls": 1, "rows": 1, "elapsed_us": 700.0}],
    })
}

fn some_requests() -> Pages {
    let earlier = (chrono::Utc::now() - chrono::TimeDelta::minutes(5)).to_rfc3339();
    let all = json!({"requests": [
        request(1, 30_000.0, JUST_NOW), request(2, 61_000.0, JUST_NOW), request(3, 90_000.0, &earlier),
        {"id": 4},
    ]});
    Pages::serve(vec![
        Page::ok(
            "GET /debug/requests/2 ",
            request(2, 61_000.0, JUST_NOW).to_string(),
        ),
        Page::of(
            "GET /debug/requests/99 ",
            "404 Not Found",
            "there is no request 99\n",
        ),
        Page::ok("GET /debug/requests?", all.to_string()),
    ])
}

fn trace(user: &User, url: &str, arguments: &[&str]) -> Answer {
    let mut command = user.command(&[&["trace", "--url", url], arguments].concat());
    output_bounded(command.env("COLUMNS", "80"))
}

#[test]
fn the_slowest_request_is_drawn_to_scale() {
    let user = User::alone();
    let pages = some_requests();
    let Answer { code, out, err } = trace(&user, &pages.url, &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    insta::assert_snapshot!("trace", out);
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert_eq!(trace(&user, &pages.url, &["--request", "2"]).out, out);
    let older = trace(&user, &pages.url, &["--seconds", "600"]).out;
    assert!(older.starts_with("Request 3:"), "{older}");
    let slow = trace(&user, &pages.url, &["--slow", "50ms"]).out;
    let ids: Vec<_> = slow
        .lines()
        .filter(|line| line.starts_with("Request "))
        .collect();
    assert_eq!(ids.len(), 2, "{slow}");
    assert!(ids[0].starts_with("Request 3:"), "{slow}");
    let asked = pages.asked().pop().unwrap();
    assert!(asked.contains("slow=50000us"), "{asked}");
    let none = trace(&user, &pages.url, &["--slow", "2s", "--seconds", "9"]);
    assert_eq!(
        (none.code, none.out.as_str()),
        (Some(0), "No such request in the last 9 seconds\n")
    );
    let json = trace(
        &user,
        &pages.url,
        &["--slow", "50ms", "--limit", "1", "--json"],
    );
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["items"][0]["id"], 3);
    assert_eq!(json["items"][0]["trace_id"], "00ff");
    assert_eq!(json["items"][0]["commands"][0]["committed"], true);
    assert_eq!(json["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let user = User::alone();
    let pages = some_requests();
    for (arguments, code, told) in [
        (&["--seconds", "-3"][..], 2, "-3 is not in 1..=3600"),
        (&["--slow", "100"], 2, "such as 100ms"),
        (&["--request", "x"], 2, "invalid digit"),
        (
            &["--request", "2", "--slow", "1s"],
            2,
            "cannot be used with",
        ),
        (&["--recent"], 2, "--perfetto"),
        (&["--request", "99"], 1, "there is no request 99"),
        (
            &["--perfetto", "x.json"],
            1,
            "this server records no traces",
        ),
        (
            &["--perfetto", "nowhere/x.json"],
            1,
            "No such file or directory",
        ),
        (&["--perfetto", "."], 1, "is a directory"),
    ] {
        let answer = trace(&user, &pages.url, arguments);
        assert_eq!(answer.code, Some(code), "{arguments:?}: {answer:?}");
        assert!(answer.err.contains(told), "{arguments:?}: {answer:?}");
    }
    let old = Pages::serve(Vec::new());
    let answer = trace(&user, &old.url, &[]);
    assert!(
        answer.err.contains("this server keeps no requests"),
        "{answer:?}"
    );
    let files = std::fs::read_dir(user.path()).unwrap().count();
    assert_eq!(files, 0, "no part of a trace is left");
}

#[test]
fn a_trace_is_saved_whole_or_not_at_all() {
    let user = User::alone();
    let trace_json = "{\"traceEvents\": []}";
    let pages = Pages::serve(vec![
        Page::ok("GET /debug/trace?seconds=3 ", trace_json),
        Page::ok("GET /debug/trace/recent ", "[]"),
        Page {
            torn: true,
            ..Page::ok("GET /debug/trace?seconds=4 ", trace_json)
        },
        Page::of(
            "GET /debug/trace?",
            "429 Too Many Requests",
            "a trace is being recorded\n",
        ),
    ]);
    let save =
        |arguments: &[&str]| trace(&user, &pages.url, &[&["--perfetto"], arguments].concat());
    let saved = save(&["t.json", "--seconds", "3"]);
    assert_eq!(saved.code, Some(0), "{saved:?}");
    assert!(saved.out.contains("ui.perfetto.dev"), "{saved:?}");
    assert_eq!(user.read("t.json"), trace_json);
    // What went wrong leaves what was there.
    let torn = save(&["t.json", "--seconds", "4"]);
    assert_eq!(torn.code, Some(1), "{torn:?}");
    assert!(torn.err.contains("the connection broke"), "{torn:?}");
    let busy = save(&["t.json"]);
    assert_eq!(busy.code, Some(1), "{busy:?}");
    assert!(busy.err.contains("a trace is being recorded"), "{busy:?}");
    assert_eq!(user.read("t.json"), trace_json);
    let recent = save(&["t.json", "--recent", "--json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&recent.out).unwrap()["bytes"],
        2
    );
    assert_eq!(user.read("t.json"), "[]");
    let piped = save(&["-", "--recent"]);
    assert_eq!((piped.code, piped.out.as_str()), (Some(0), "[]"));
    let mut command = user.command(&[
        "trace",
        "--url",
        &pages.url,
        "--perfetto",
        "/dev/stdout",
        "--recent",
    ]);
    let device = output_to(&mut command, Stdio::piped(), Stdio::piped());
    assert!(device.out.starts_with("[]"), "{device:?}");
    let files = std::fs::read_dir(user.path()).unwrap().count();
    assert_eq!(files, 1, "no part of a trace is left");
}

/// A request that took long is found though a thousand quick ones came after it, by each of
/// the ways to look, and in what is saved.
#[tokio::test]
async fn the_slowest_is_found_behind_a_thousand_quick_ones() {
    let user = User::with_server();
    let api = Api::new(&user.url());
    let workflow = api.workflow().await;
    api.post("/bulk_jobs", many_jobs(workflow, 5_000, "job"))
        .await;
    for _ in 0..1_200 {
        api.get("/ping").await;
    }
    let slow = "POST /bulk_jobs";
    let found = user.json(&["trace"]);
    let [found] = found["items"].as_array().unwrap().as_slice() else {
        panic!("{found:#}");
    };
    assert_eq!(found["route"], slow, "{found:#}");
    let id = found["id"].to_string();
    assert_eq!(user.json(&["trace", "--request", &id])["id"], found["id"]);
    let drawn = user.good(&["trace"]);
    assert!(
        drawn.contains(slow) && drawn.contains("create_jobs"),
        "{drawn}"
    );
    let exemplars = user.good(&["timings", "--slow", slow]);
    assert!(exemplars.contains(&id), "{exemplars}");
    user.good(&["trace", "--perfetto", "trace.json", "--recent"]);
    let saved: Value = serde_json::from_str(&user.read("trace.json")).unwrap();
    let events = saved["traceEvents"].as_array().unwrap();
    assert!(events.iter().any(|event| event["name"] == slow));
    // Those that follow get them as they come: there is nothing to sort.
    let url = format!("{}/debug/requests?follow=true&sort=slowest", api.root());
    assert_eq!(http::get(url).await.unwrap().status(), 400);
}
