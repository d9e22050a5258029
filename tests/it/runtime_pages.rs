//! The pages about the runtime, its tasks and its CPU time, of a real server: what they
//! show under load, when a worker is stuck, and what they say to bad input.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::http;
use crate::support::process::{HANG, ServerProcess, torc_server};

/// A server that blocks a worker thread when asked to.
fn server(fault: Option<&str>, arguments: &[&str]) -> (ServerProcess, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
        .args(["-d", "x.db"])
        .args(arguments);
    if let Some(fault) = fault {
        command.env("TORC_FAULT", fault);
    }
    (ServerProcess::spawn(command), directory)
}

struct Page {
    status: u16,
    kind: String,
    text: String,
}

impl Page {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

async fn get(server: &ServerProcess, path: &str) -> Page {
    let url = format!("http://127.0.0.1:{}{path}", server.port());
    let asked = tokio::time::timeout(HANG, http::get(&url)).await;
    let answer = asked
        .unwrap_or_else(|_| panic!("no answer: {url}"))
        .unwrap();
    let kind = answer.headers().get("content-type");
    Page {
        status: answer.status().as_u16(),
        kind: kind.map_or_else(String::new, |kind| kind.to_str().unwrap().to_owned()),
        text: answer.text().await.unwrap(),
    }
}

/// Asks until a page is as it should be, at most as long as nothing hangs.
async fn wait_for(server: &ServerProcess, path: &str, mut good: impl FnMut(&Page) -> bool) -> Page {
    let start = Instant::now();
    loop {
        let page = get(server, path).await;
        if good(&page) {
            return page;
        }
        assert!(
            start.elapsed() < HANG,
            "still {}: {}",
            page.status,
            page.text
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// What the runtime and the process do, as JSON and as text.
#[tokio::test]
async fn the_runtime_shows_workers_polls_and_the_process() {
    let (server, _directory) = server(None, &["--threads", "2"]);
    let page = wait_for(&server, "/debug/runtime", |page| {
        page.json()["lately"].as_array().unwrap().len() == 4
    })
    .await;
    let report = page.json();
    let workers = report["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 2);
    assert_eq!(report["lacks"], json!([]));
    for worker in workers {
        let busy = worker["busy"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&busy), "{worker}");
        assert!(
            worker["parks"].is_u64() && worker["steals"].is_u64(),
            "{worker}"
        );
        assert!(worker["local_queue"].is_u64(), "{worker}");
    }
    // The page is made by a task, which shows as the one that is polled now or waits.
    let tasks = &report["tasks"];
    assert!(tasks["alive"].as_u64() >= Some(3), "{tasks}");
    assert!(
        tasks["spawned"].as_u64() >= tasks["alive"].as_u64(),
        "{tasks}"
    );
    assert!(tasks["blocking_threads"].as_u64() >= Some(1), "{tasks}");
    for name in ["global_queue", "blocking_queue", "budget_forced_yields"] {
        assert!(tasks[name].is_u64(), "{name}: {tasks}");
    }
    let windows: Vec<_> = report["lately"].as_array().unwrap().iter().collect();
    assert_eq!(windows[0]["window"], "last");
    assert_eq!(windows[3]["window"], "5m");
    assert_eq!(windows[1]["busy"].as_array().unwrap().len(), 2);
    let polls = &report["polls"];
    let in_buckets: u64 = polls["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["count"].as_u64().unwrap())
        .sum();
    assert_eq!(polls["count"].as_u64(), Some(in_buckets));
    assert!(in_buckets > 0, "{polls}");
    let process = &report["process"];
    assert_eq!(process["pid"].as_u64(), Some(u64::from(server.pid())));
    assert!(
        process["resident_bytes"].as_u64() > Some(1 << 20),
        "{process}"
    );
    assert!(process["fds"].as_u64() > Some(3), "{process}");
    assert_eq!(process["load"].as_array().unwrap().len(), 3);
    let threads = process["by_thread"].as_array().unwrap();
    let has = |name: &str| threads.iter().any(|thread| thread["name"] == name);
    assert!(has("torc-runtime") && has("torc-watchdog"), "{threads:?}");

    let text = get(&server, "/debug/runtime?format=text").await.text;
    for part in [
        "Stalls (a worker inside",
        "worker   busy",
        "Blocking pool:",
        "Machine:",
    ] {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
}

/// A handler that blocks its thread is named by the log while it does, and on the page.
#[tokio::test]
async fn a_blocked_worker_is_named_with_the_request_it_answers() {
    let (server, _directory) = server(Some("block-worker:2s"), &[]);
    server.wait_for_log("this server fails on demand");
    let blocked = get(&server, "/debug/fault/block-worker").await;
    assert_eq!(blocked.status, 200);

    let stuck = server.wait_for_log("a worker thread is stuck");
    let route = "GET /debug/fault/block-worker";
    assert!(stuck.contains("http-connection (task "), "{stuck}");
    assert!(stuck.contains(route), "{stuck}");
    let free = server.wait_for_log("a worker thread is free again");
    assert!(
        free.contains("http-connection") && free.contains(route),
        "{free}"
    );

    let report = wait_for(&server, "/debug/runtime", |page| {
        page.json()["stalls"]["past"].as_array().unwrap().len() == 1
    })
    .await
    .json();
    let stalls = &report["stalls"];
    assert_eq!((&stalls["count"], &stalls["now"]), (&json!(1), &json!([])));
    assert_eq!(stalls["threshold_ms"], 1000.0);
    let slow = report["polls"]["newest_slow"].as_array().unwrap();
    let longest = slow.iter().find(|poll| poll["route"] == route).unwrap();
    for one in [&stalls["past"][0], longest] {
        assert_eq!(one["name"], "http-connection");
        assert_eq!(one["route"], route);
        assert!(one["ms"].as_f64() >= Some(2000.0), "{one}");
        assert!(one["worker"].is_u64() && one["request"].is_u64(), "{one}");
    }
    assert!(report["polls"]["slow"].as_u64() >= Some(1));
    let text = get(&server, "/debug/runtime?format=text").await.text;
    assert!(text.contains(route), "{text}");
}

/// What is shorter than the threshold is a slow poll and no stall; faults exist only where
/// they were asked for.
#[tokio::test]
async fn the_threshold_is_a_flag_and_faults_are_not_there_by_default() {
    let (lenient, _directory) = server(Some("block-worker:500ms"), &["--stall-threshold", "60m"]);
    assert_eq!(get(&lenient, "/debug/fault/block-worker").await.status, 200);
    let report = get(&lenient, "/debug/runtime").await.json();
    assert_eq!(report["stalls"]["count"], 0);
    assert_eq!(report["stalls"]["threshold_ms"], 3_600_000.0);
    assert!(report["polls"]["slow"].as_u64() >= Some(1), "{report}");

    let (plain, _directory) = server(None, &[]);
    assert_eq!(get(&plain, "/debug/fault/block-worker").await.status, 404);

    let (wrong, _directory) = server(Some("block-worker:soon,nonsense"), &[]);
    let said = wrong.wait_for_log("'soon' is no time");
    assert!(said.contains("TORC_FAULT is left out"), "{said}");
    wrong.wait_for_log("no fault 'nonsense'; there is block-worker:TIME");
    assert_eq!(get(&wrong, "/debug/fault/block-worker").await.status, 404);
}

/// A stack of one of the tasks that have this name has a frame with this part.
fn parked(report: &Value, name: &str, part: &str) -> bool {
    let tasks = report["tasks"].as_array().unwrap();
    let of_name = tasks.iter().filter(|task| task["name"] == name);
    let mut stacks = of_name.flat_map(|task| task["stacks"].as_array().unwrap());
    stacks.any(|stack| {
        let mut frames = stack.as_array().unwrap().iter();
        frames.any(|frame| frame.as_str().unwrap().contains(part))
    })
}

#[tokio::test]
async fn tasks_are_shown_with_where_they_are_parked() {
    let (server, _directory) = server(None, &[]);
    let page = get(&server, "/debug/tasks").await;
    let report = page.json();
    if !report["without_stacks"].is_null() {
        // Not on this machine: then the page says so, and has the names all the same.
        assert_eq!(page.status, 501);
        assert!(page.text.contains("repair-sweep"), "{}", page.text);
        return;
    }
    assert_eq!(page.status, 200);
    assert!(
        parked(&report, "repair-sweep", "src/engine/sweep.rs"),
        "{report:#}"
    );
    assert!(parked(&report, "repair-sweep", "tokio"), "{report:#}");
    assert!(
        parked(&report, "http-listener", "src/server/http.rs"),
        "{report:#}"
    );
    // The one that asks waits for this very page.
    assert!(
        parked(&report, "http-connection", "src/server/debug/tasks.rs"),
        "{report:#}"
    );
    for task in report["tasks"].as_array().unwrap() {
        assert!(task["id"].is_u64(), "{task}");
        if task["name"] == "repair-sweep" {
            assert!(task["age_s"].as_f64() >= Some(0.0), "{task}");
            let place = task["spawned_at"].as_str().unwrap();
            assert!(place.starts_with("src/server.rs:"), "{place}");
        }
    }
    let counts = report["counts"].as_array().unwrap();
    assert!(
        counts
            .iter()
            .any(|one| one["name"] == "http-listener" && one["count"] == 1)
    );
    // Nothing of the machine that built it.
    assert!(
        !page.text.contains(env!("CARGO_MANIFEST_DIR")),
        "{}",
        page.text
    );

    let one = get(&server, "/debug/tasks?name=repair-sweep").await.json();
    assert_eq!(one["tasks"].as_array().unwrap().len(), 1);
    let text = get(&server, "/debug/tasks?format=text").await.text;
    assert!(text.contains("\nrepair-sweep (task "), "{text}");
    assert!(text.contains("waits in"), "{text}");

    // Many who ask at once take turns or are told to come again, and it works afterwards.
    let asking = (0..20).map(|_| get(&server, "/debug/tasks?format=text"));
    for page in futures_util::future::join_all(asking).await {
        assert!(
            [200, 429].contains(&page.status),
            "{}: {}",
            page.status,
            page.text
        );
    }
    wait_for(&server, "/debug/tasks", |page| page.status == 200).await;
}

/// A worker that is stuck takes nothing away from the page: what it keeps is silent, the
/// others tell where they are, and afterwards all do.
#[tokio::test]
async fn tasks_are_shown_while_a_worker_is_blocked() {
    let (server, _directory) = server(Some("block-worker:2500ms"), &["--threads", "4"]);
    if get(&server, "/debug/tasks").await.status == 501 {
        return;
    }
    // A blocked worker may be the one that listens to the network for all. Others that are
    // awake at that moment take over, so there is work for them.
    let api = server.api();
    let load = futures_util::future::join_all((0..4).map(|_| async {
        loop {
            api.get("/workflows").await;
        }
    }));
    let blocking = async {
        loop {
            get(&server, "/debug/fault/block-worker").await;
        }
    };
    let silent = |page: &Page| {
        let report = page.json();
        let mut tasks = report["tasks"].as_array().unwrap().iter();
        tasks.any(|task| task["name"] == "http-connection" && task["state"] == "silent")
            && parked(&report, "http-connection", "src/server/debug/tasks.rs")
    };
    let asked = wait_for(&server, "/debug/tasks", silent);
    tokio::select! {
        _ = load => unreachable!("it goes on for ever"),
        () = blocking => unreachable!("it goes on for ever"),
        _ = asked => {}
    }
    wait_for(&server, "/debug/tasks", |page| {
        let report = page.json();
        let mut tasks = report["tasks"].as_array().unwrap().iter();
        tasks.all(|task| task["state"] == "parked")
    })
    .await;
}

/// The flame graph names what the server does, and one is taken at a time.
#[tokio::test]
async fn a_profile_names_functions_of_ours_under_load() {
    let (server, _directory) = server(None, &[]);
    let api = server.api();
    let load = async {
        loop {
            api.workflow().await;
            api.get("/workflows").await;
        }
    };
    let seen = async {
        let svg = wait_for(&server, "/debug/profile?seconds=1&frequency=999", |page| {
            page.status == 200 && page.text.contains("torc_server::")
        })
        .await;
        assert_eq!(svg.kind, "image/svg+xml");
        assert!(svg.text.starts_with("<?xml") && svg.text.trim_end().ends_with("</svg>"));
        assert!(svg.text.contains("samples"));

        let folded = wait_for(
            &server,
            "/debug/profile?seconds=1&format=collapsed",
            |page| page.status == 200 && page.text.contains("torc_server::"),
        )
        .await;
        for line in folded.text.lines() {
            let (stack, count) = line.rsplit_once(' ').unwrap();
            assert!(
                !stack.is_empty() && count.parse::<u64>().unwrap() >= 1,
                "{line}"
            );
            assert!(!stack.contains("perf_signal_handler"), "{line}");
        }

        // Of two at one time one is refused, and the other is not disturbed.
        let path = "/debug/profile?seconds=2&format=collapsed";
        let (one, other) = futures_util::future::join(get(&server, path), get(&server, path)).await;
        let (taken, refused) = if one.status == 200 {
            (one, other)
        } else {
            (other, one)
        };
        assert_eq!((taken.status, refused.status), (200, 429), "{}", taken.text);
        assert!(
            refused.text.contains("another CPU profile"),
            "{}",
            refused.text
        );
    };
    tokio::select! {
        () = load => unreachable!("it goes on for ever"),
        () = seen => {}
    }
}

#[tokio::test]
async fn bad_input_is_told_what_would_be_right() {
    let (server, _directory) = server(None, &[]);
    for (path, told) in [
        (
            "/debug/runtime?format=xml",
            "unknown format 'xml'; it is json or text",
        ),
        (
            "/debug/tasks?format=svg",
            "unknown format 'svg'; it is json or text",
        ),
        (
            "/debug/profile?format=png",
            "unknown format 'png'; it is svg or collapsed",
        ),
        (
            "/debug/profile?seconds=0",
            "seconds is a whole number from 1 to 60, not '0'",
        ),
        (
            "/debug/profile?seconds=61",
            "seconds is a whole number from 1 to 60, not '61'",
        ),
        (
            "/debug/profile?seconds=1.5",
            "seconds is a whole number from 1 to 60, not '1.5'",
        ),
        (
            "/debug/profile?seconds=",
            "seconds is a whole number from 1 to 60, not ''",
        ),
        (
            "/debug/profile?frequency=1000",
            "frequency is a whole number from 1 to 999, not '1000'",
        ),
    ] {
        let page = get(&server, path).await;
        assert_eq!((page.status, page.text.trim_end()), (400, told), "{path}");
    }
    for path in ["/debug/runtime", "/debug/tasks", "/debug/profile"] {
        let url = format!("http://127.0.0.1:{}{path}", server.port());
        let client = http::client();
        let proxied = client.get(&url).header("x-forwarded-for", "10.0.0.1");
        assert_eq!(proxied.send().await.unwrap().status().as_u16(), 403);
        let changed = client.post(&url).send().await.unwrap();
        assert_eq!(changed.status().as_u16(), 405, "{path}");
    }
}
