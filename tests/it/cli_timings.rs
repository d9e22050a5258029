//! `torc timings`: tables, windows and marks, the live view, and what it says when there is
//! nothing to see.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::pages::{Page, Pages};
use crate::support::process::{Answer, Worker, bare, output_bounded, wait_bounded};
use crate::support::user::{User, closed_pipe, wait_until};

const TWO_JOBS: &str =
    "name: two\njobs: [{name: a, command: 'true'}, {name: b, command: 'true'}]\n";

/// Figures that belong together somehow.
fn times(count: u64, mean: f64) -> Value {
    json!({
        "count": count, "total": count as f64 * mean, "mean": mean, "p50": mean * 0.8,
        "p90": mean * 2.0, "p99": mean * 5.0, "p99.9": mean * 7.0, "max": mean * 9.0,
    })
}

fn operation(name: &str, count: u64, mean: f64) -> Value {
    json!({
        "operation": name, "count": count, "failed": 0, "whole": times(count, mean),
        "queue_wait": times(count, mean * 0.3), "begin_latency": times(count, mean * 0.01),
        "batch_wait": times(count, mean * 0.09), "execute": times(count, mean * 0.1),
        "commit_latency": times(count, mean * 0.45),
        "unaccounted_us": count as f64 * mean * 0.05,
    })
}

/// What a server under load might answer.
fn report() -> Value {
    json!({
        "generated_at": "2026-11-26T02:30:00.000Z", "uptime_s": 3723.4, "window": "1m",
        "window_s": 60.2, "timing": false, "spans": [], "dropped_log_lines": 0,
        "phases": {
            "routes": [
                {"route": "POST /workflows/{id}/claim_jobs_based_on_resources/{limit}",
                 "failed": 2, "wall": times(123_456, 2400.0), "busy": times(123_456, 90.0),
                 "read_wait": times(0, 0.0)},
                {"route": "GET /version", "failed": 0, "wall": times(7, 110.0),
                 "busy": times(7, 100.0), "read_wait": times(0, 0.0)},
            ],
            "operations": [
                operation("claim_jobs_based_on_resources", 123_456, 2200.0),
                operation("start_job", 120_000, 1100.0),
                operation("sweep", 12, 300.0),
            ],
            "statements": [{"statement": "job.claim", "rows": 12, "share": 0.51,
                            "elapsed": times(123_456, 80.0)}],
            "tasks": [],
            "batch_size": times(20_000, 12.2),
            "writer": {
                "holder": [{"operation": "start_job", "count": 5},
                           {"operation": "claim_jobs_based_on_resources", "count": 2}],
                "held_for_us": 4100.0, "doing": {"operation": "commit", "for_us": 3900.0},
                "queued": 12, "longest_wait_us": 8200.0, "waiters": [],
                "log_pages": 100, "log_bytes": 12_900_000,
            },
        },
        "what a later server may add": [1, 2],
    })
}

fn sized(user: &User, url: &str, arguments: &[&str], columns: &str) -> String {
    let mut command = user.command(arguments);
    command.env("TORC_API_URL", url).env("COLUMNS", columns);
    let Answer { code, out, err } = output_bounded(&mut command);
    assert_eq!(code, Some(0), "{arguments:?}: {err}");
    out
}

#[test]
fn tables_fit_and_say_what_matters() {
    let user = User::alone();
    let pages = Pages::serve(vec![Page::ok("GET /debug/timings", report().to_string())]);
    let narrow = sized(&user, &pages.url, &["timings"], "80");
    insta::assert_snapshot!("timings_80", narrow);
    insta::assert_snapshot!(
        "timings_all_120",
        sized(&user, &pages.url, &["timings", "--show", "all"], "120")
    );
    for columns in [80, 100, 132] {
        let text = sized(
            &user,
            &pages.url,
            &["timings", "--show", "all"],
            &columns.to_string(),
        );
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns, "{widest} of {columns}:\n{text}");
    }
    // A pipe cuts no names.
    let piped = user.good(&["timings", "--url", &pages.url]);
    assert!(
        piped.contains("/claim_jobs_based_on_resources/{limit}"),
        "{piped}"
    );
    let asked = [
        "timings", "--sort", "count", "--filter", "JOB", "--limit", "1",
    ];
    let few = sized(&user, &pages.url, &asked, "80");
    assert!(
        !few.contains("/version") && !few.contains("start_job  "),
        "{few}"
    );
    assert!(few.contains("… 1 more"), "{few}");
}

/// The server's own words, with nothing left out but what is not asked for.
#[test]
fn json_is_a_dump() {
    let user = User::with_server();
    user.create(TWO_JOBS);
    let report = user.json(&["timings"]);
    let created = &report["phases"]["operations"].as_array().unwrap();
    let whole = &created
        .iter()
        .find(|one| one["operation"] == "create_jobs")
        .unwrap()["whole"];
    let buckets = whole["buckets"].as_array().unwrap();
    let counts: u64 = buckets.iter().map(|pair| pair[1].as_u64().unwrap()).sum();
    assert_eq!(Some(counts), whole["count"].as_u64());
    let functions = report["spans"].as_array().unwrap();
    assert!(
        functions.iter().all(|one| one["buckets"].is_array()),
        "{functions:?}"
    );
    let some = user.json(&["timings", "--filter", "create_jobs", "--sort", "max"]);
    assert_eq!(some["phases"]["operations"].as_array().unwrap().len(), 1);
    assert!(
        some["phases"]["operations"][0]["begin_cost"].is_object(),
        "{some}"
    );
    assert!(some["recorder_bytes"].is_number(), "{some}");
}

#[test]
fn marks_and_resets_begin_windows() {
    let user = User::with_server();
    user.create(TWO_JOBS);
    user.good(&["timings", "reset"]);
    user.good(&["timings", "mark", "before.1"]);
    let marks = user.json(&["timings", "marks"]);
    let names: Vec<_> = marks["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["before.1", "reset"]);
    assert!(user.good(&["timings", "marks"]).starts_with("NAME"));
    for window in ["reset", "mark:before.1"] {
        let empty = user.good(&["timings", "--window", window]);
        assert!(!empty.contains("create_jobs"), "{empty}");
    }
    user.create(TWO_JOBS);
    for (window, expected) in [("reset", 1), ("mark:before.1", 1), ("start", 2)] {
        let some = user.json(&["timings", "--window", window, "--filter", "create_jobs"]);
        let count = &some["phases"]["operations"][0]["count"];
        assert_eq!(*count, expected, "{window}");
    }
    assert_eq!(user.json(&["timings", "--window", "10s"])["window"], "10s");
    user.good(&["timings", "unmark", "before.1"]);
    let gone = user.torc(&["timings", "--window", "mark:before.1"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("torc timings mark NAME"), "{}", gone.err);
    assert_eq!(user.torc(&["timings", "unmark", "before.1"]).code, Some(1));
    for n in 0..7 {
        user.good(&["timings", "mark", &format!("m{n}")]);
    }
    let full = user.torc(&["timings", "mark", "one-too-many"]);
    assert_eq!(full.code, Some(1));
    assert!(
        full.err.contains("torc timings unmark NAME"),
        "{}",
        full.err
    );
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let user = User::with_server();
    for (arguments, code, told) in [
        (
            &["--window", "yesterday"][..],
            1,
            "unknown window 'yesterday'",
        ),
        (&["--window", "2h"], 1, "up to 1h"),
        (&["--watch", "-1"], 2, "from 0.2 to 3600"),
        (&["--watch", "soon"], 2, "from 0.2 to 3600"),
        (&["--limit", "0"], 2, "0 is not in 1.."),
        (&["--sort", "size"], 2, "total, count, mean, p50, p99, max"),
        (
            &["--show", "x"],
            2,
            "routes, operations, functions, statements, tasks or all",
        ),
        (&["--format", "csv"], 2, "only lists"),
        (&["--limit", "3", "reset"], 2, "do not go with a command"),
        (&["mark", ".."], 2, "1 to 40 letters"),
        (&["mark", "a b"], 2, "1 to 40 letters"),
        (&["--slow", "x", "--watch"], 2, "cannot be used with"),
    ] {
        let Answer { code: got, err, .. } = user.torc(&[&["timings"], arguments].concat());
        assert_eq!(got, Some(code), "{arguments:?}: {err}");
        assert!(err.contains(told), "{arguments:?}: {err}");
    }
}

#[test]
fn a_server_that_does_not_tell_is_explained() {
    let user = User::alone();
    let nobody = user.torc(&["timings"]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("ssh -L 1:localhost:1"), "{nobody:?}");
    let unchecked = user.torc(&["timings", "--skip-version-check"]);
    assert_eq!(unchecked.code, Some(1));
    assert!(
        unchecked.err.contains("ssh -L 1:localhost:1"),
        "{unchecked:?}"
    );
    assert!(
        nobody.err.contains("cannot reach the server"),
        "{}",
        nobody.err
    );
    let refusal = "debug pages answer on loopback only: ask from the server's own machine\n";
    for (page, told) in [
        (Page::of("GET /debug", "403 Forbidden", refusal), "ssh -L"),
        (
            Page::of("GET /nothing", "200 OK", ""),
            "does not show its timings",
        ),
        (Page::ok("GET /debug", "{\"a\": 1}"), "no timings"),
        (Page::ok("GET /debug", "[[["), "cannot be read"),
        (
            Page::of(
                "GET /debug",
                "404 Not Found",
                "this server runs without telemetry\n",
            ),
            "without telemetry",
        ),
    ] {
        let pages = Pages::serve(vec![page]);
        let answer = user.torc(&["timings", "--url", &pages.url]);
        assert_eq!(answer.code, Some(1), "{told}: {answer:?}");
        assert!(answer.err.contains(told), "{told}: {answer:?}");
    }
    // A server within the command has nothing to show.
    let own = user.torc(&["-s", "timings"]);
    assert_eq!(own.code, Some(1), "{own:?}");
    assert!(own.err.contains("not a standalone one"), "{own:?}");
}

/// With a fixed answer, so that every column is known.
#[test]
fn the_slowest_are_told_with_their_phases() {
    let user = User::alone();
    let request = |id: u64, wall: f64| {
        json!({"lower_us": wall, "upper_us": wall * 1.1, "request": {
            "id": id, "route": "POST /workflows/{id}/batch_complete_jobs",
            "path": "/torc-service/v1/workflows/7/batch_complete_jobs", "status": 200,
            "began_ago_us": 3e6, "wall_us": wall, "busy_us": 100.0, "read_wait_us": 0.0,
            "commands": [{"operation": "batch_complete_jobs", "batch": 4, "batch_size": 2,
                "queue_wait_us": 5.0, "begin_us": 6.0, "batch_wait_us": 7.0,
                "execute_us": 8.0, "commit_us": wall - 40.0, "whole_us": wall - 10.0,
                "unaccounted_us": 4.0, "statements": []}],
            "statements": []}})
    };
    let buckets = json!({"exemplars": [request(3, 900.0), request(8, 41_000.0)]});
    let pages = Pages::serve(vec![
        Page::ok(
            "GET /debug/exemplars?operation=batch_complete_jobs ",
            buckets.to_string(),
        ),
        Page::ok("GET /debug/exemplars?route=", "{\"exemplars\": []}"),
    ]);
    let text = sized(
        &user,
        &pages.url,
        &["timings", "--slow", "batch_complete_jobs"],
        "80",
    );
    insta::assert_snapshot!("timings_slow", text);
    let none = sized(&user, &pages.url, &["timings", "--slow", "GET /a b"], "80");
    assert!(none.contains("No request for the route GET /a b"), "{none}");
    let asked = pages.asked().pop().unwrap();
    assert!(
        asked.contains("route=GET+%2Fa+b") || asked.contains("route=GET%20"),
        "{asked}"
    );
    let old = Pages::serve(Vec::new());
    let answer = user.torc(&["timings", "--slow", "x", "--url", &old.url]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.err.contains("this server keeps no exemplars"),
        "{answer:?}"
    );
}

#[test]
fn a_live_view_in_a_pipe_is_one_picture_after_the_other() {
    let user = User::with_server();
    for (signal, json) in [("INT", false), ("TERM", true)] {
        let mut arguments = vec!["timings", "--watch", "0.2"];
        arguments.extend(json.then_some("--json"));
        let view = Worker::start(user.command(&arguments));
        let part = if json {
            "\"window\":\"10s\""
        } else {
            "requests/s"
        };
        for _ in 0..3 {
            view.wait_for_output(part);
        }
        view.signal(signal);
        let Answer { code, out, err } = view.finish();
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(!out.contains('\x1b'), "{out:?}");
    }
    let left = user.torc_to(&["timings", "--watch", "0.2"], closed_pipe());
    assert_eq!((left.code, left.err.as_str()), (Some(0), ""));
}

/// A terminal of 24 rows by 80 columns around a command, by util-linux's `script`.
fn in_terminal(user: &User, term: &str) -> Command {
    let mut command = bare("script");
    command
        .current_dir(user.path())
        .env("TORC_API_URL", user.url())
        .env("TERM", term)
        .args(["-q", "-e", "-c"])
        .arg(format!(
            "stty rows 24 cols 80; '{}' timings --watch 0.2; code=$?; stty -a; exit $code",
            env!("CARGO_BIN_EXE_torc")
        ))
        .arg("/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

#[test]
fn a_live_view_leaves_the_terminal_as_it_was() {
    let user = User::with_server();
    user.create(TWO_JOBS);
    for (term, redraws) in [("xterm", true), ("dumb", false)] {
        let mut child = in_terminal(&user, term).spawn().unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        let mut screen = child.stdout.take().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                *shown.lock().unwrap() += &String::from_utf8_lossy(&piece[..count]);
            }
        });
        wait_until("three pictures", || {
            seen.lock().unwrap().matches("requests/s").count() >= 3
        });
        keyboard.write_all(b"xq").unwrap();
        keyboard.flush().unwrap();
        assert!(
            wait_bounded(&mut child).success(),
            "{}",
            seen.lock().unwrap()
        );
        drop(keyboard);
        reader.join().unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(seen.contains("\x1b[?1049h"), redraws, "{seen:?}");
        assert_eq!(seen.contains('\x1b'), redraws, "{seen:?}");
        let after = seen.rsplit("\x1b[?1049l").next().unwrap();
        for setting in [" icanon", " echo ", "susp = ^Z"] {
            assert!(after.contains(setting), "{setting}: {after}");
        }
        if redraws {
            let frame = seen.split("\x1b[H").nth(2).unwrap();
            let frame = frame.split("\x1b[J").next().unwrap();
            assert!(frame.split("\r\n").count() <= 24, "{frame:?}");
        }
    }
}
