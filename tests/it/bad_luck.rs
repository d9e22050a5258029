//! Bad luck, through the real binaries: crashes, full disks, full queues.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::process::{ServerProcess, bare, signal, torc, torc_server, wait_bounded};
use crate::support::server::check_invariants;

/// A port that is free now. The server is started on it again and again, so it
/// cannot be chosen by the server.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn server_on(directory: &Path, port: u16) -> ServerProcess {
    let mut command = torc_server();
    command
        .current_dir(directory)
        .args(["run", "--host", "127.0.0.1", "--no-console", "-d", "x.db"])
        .args(["--port", &port.to_string()]);
    ServerProcess::spawn(command)
}

/// A workflow of `count` jobs, each of which writes one line to `ran` as it runs.
async fn appending_jobs(api: &Api, directory: &Path, count: usize) -> i64 {
    let flow = api.workflow().await;
    let ran = directory.join("ran");
    let jobs: Vec<Value> = (0..count)
        .map(|n| {
            let command = format!("echo {n} >> {}; sleep 0.02", ran.display());
            json!({"workflow_id": flow, "name": format!("j{n}"), "command": command})
        })
        .collect();
    api.post("/bulk_jobs", json!({"jobs": jobs})).await;
    api.initialize(flow).await;
    flow
}

/// The jobs of a workflow that have been completed.
async fn completed(api: &Api, flow: i64) -> HashSet<i64> {
    let page = api
        .get(&format!("/jobs?workflow_id={flow}&status=completed"))
        .await;
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|job| job["id"].as_i64().unwrap())
        .collect()
}

/// Twenty crashes under load: what was acknowledged stays, nothing runs to its
/// end twice, and the workflow ends with the workers that were there from the start.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_twenty_times_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut server = server_on(directory.path(), port);
    let api = server.api();
    let flow = appending_jobs(&api, directory.path(), 600).await;
    let mut workers: Vec<_> = (0..3)
        .map(|n| {
            torc()
                .current_dir(directory.path())
                .args(["--url", &api.url(), "run", &flow.to_string()])
                .args([
                    "--max-parallel-jobs",
                    "4",
                    "--output-dir",
                    &format!("out{n}"),
                ])
                .stdout(std::process::Stdio::null())
                .stderr(std::fs::File::create(directory.path().join(format!("w{n}"))).unwrap())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut acknowledged: HashSet<i64> = HashSet::new();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(80..250))).await;
        acknowledged.extend(completed(&api, flow).await);
        signal(server.pid(), "KILL");
        drop(server);
        server = server_on(directory.path(), port);
        let still = completed(&api, flow).await;
        let lost: Vec<_> = acknowledged.difference(&still).collect();
        assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    }
    for worker in &mut workers {
        assert!(wait_bounded(worker).success(), "a worker gave up");
    }
    let status = api.get(&format!("/workflows/{flow}/status")).await;
    assert_eq!(status["jobs_by_status"]["completed"], 600, "{status}");
    let ran = std::fs::read_to_string(directory.path().join("ran")).unwrap();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for line in ran.lines() {
        *times.entry(line).or_default() += 1;
    }
    assert_eq!(times.len(), 600);
    let twice: Vec<_> = times.iter().filter(|(_, count)| **count > 1).collect();
    assert!(
        twice.is_empty(),
        "ran to their end more than once: {twice:?}"
    );
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    check_invariants(&directory.path().join("x.db"));
}

/// While another process holds the database the queue fills: 503 with
/// `Retry-After`, in words that make clients try again; afterwards all is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_answered_503() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db", "--write-queue", "2"]);
    let api = server.api();
    let flow = api.workflow().await;
    let holder = rusqlite::Connection::open(directory.path().join("x.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let event = json!({"workflow_id": flow, "timestamp": 0, "data": {}});
    let attempts = (0..20).map(|_| {
        let (url, event) = (format!("{}/events", api.url()), event.clone());
        async move {
            let response = reqwest::Client::new()
                .post(url)
                .json(&event)
                .send()
                .await
                .unwrap();
            let retry = response.headers().get("retry-after").cloned();
            (
                response.status().as_u16(),
                retry,
                response.text().await.unwrap(),
            )
        }
    });
    let pending = tokio::spawn(futures_util::future::join_all(attempts));
    tokio::time::sleep(Duration::from_millis(500)).await;
    holder.execute_batch("COMMIT").unwrap();
    let answers = pending.await.unwrap();
    let stored = answers.iter().filter(|(status, ..)| *status == 200).count();
    let refused: Vec<_> = answers
        .iter()
        .filter(|(status, ..)| *status == 503)
        .collect();
    assert_eq!(stored + refused.len(), 20, "{answers:?}");
    assert!(!refused.is_empty(), "nothing was refused");
    for (_, retry, body) in refused {
        assert!(retry.is_some(), "no Retry-After");
        assert!(body.contains("database is locked"), "{body}");
    }
    let events = api.get(&format!("/events?workflow_id={flow}")).await;
    assert_eq!(
        events["total_count"], stored,
        "exactly what was acknowledged is there"
    );
    api.post("/events", event).await;
}

/// A server whose working directory is a disk of 4 MiB, in a mount namespace that ends
/// with it. The root of the machine may mount; others are root of a user namespace.
fn server_on_a_small_disk(directory: &Path) -> ServerProcess {
    let mount = "mount -t tmpfs -o size=4m tmpfs \"$0\" && cd \"$0\" && exec \"$@\"";
    let inside = |flags: &str, program: &[&str]| {
        let mut command = bare("unshare");
        command
            .args([flags, "sh", "-c", mount])
            .arg(directory)
            .args(program);
        command
    };
    let flags = ["-m", "-rm"].into_iter().find(|flags| {
        let tried = inside(flags, &["true"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    });
    let flags = flags.expect(
        "this test mounts a small tmpfs: run it as root, or allow user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1; in a container --cap-add SYS_ADMIN)",
    );
    let server = torc_server();
    let program = server.get_program().to_str().unwrap();
    let mut command = inside(flags, &[program, "run", "--host", "127.0.0.1"]);
    command.args(["--port", "0", "--no-console", "-d", "x.db"]);
    ServerProcess::spawn(command)
}

/// A disk that fills up: writes say so, reads go on, and room brings writes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_heals_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_on_a_small_disk(directory.path());
    // The disk as the server sees it; from here the directory is empty.
    let small = format!("/proc/{}/root{}", server.pid(), directory.path().display());
    let small = Path::new(&small);
    assert!(small.join("x.db").exists() && !directory.path().join("x.db").exists());
    let api = server.api();
    let flow = api.workflow().await;
    // Everything but a little goes to a file that can be removed again.
    let ballast = small.join("ballast");
    let mut full = false;
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let event = json!({"workflow_id": flow, "timestamp": 0, "data": {"pad": "x".repeat(50_000)}});
    let mut stored = 0;
    for _ in 0..200 {
        let answer = api.send("POST /events", &event).await;
        if answer.status == 200 {
            stored += 1;
            continue;
        }
        full = true;
        assert_eq!(answer.status, 503, "{}", answer.body);
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("disk") || message.contains("full"),
            "{message}"
        );
        break;
    }
    assert!(full, "the disk never filled up");
    let page = api
        .get(&format!("/events?workflow_id={flow}&limit=1"))
        .await;
    assert_eq!(
        page["total_count"], stored,
        "reads go on, and show what was acknowledged"
    );
    std::fs::remove_file(&ballast).unwrap();
    api.post("/events", event).await;
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// SIGINT and SIGTERM drain: requests that were accepted are answered, and the
/// process ends with 0; standard input's end does the same where that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_drains() {
    for how in ["INT", "TERM", "EOF"] {
        let directory = tempfile::tempdir().unwrap();
        let mut server =
            ServerProcess::start(directory.path(), &["-d", "x.db", "--shutdown-on-stdin-eof"]);
        let api = server.api();
        let flow = api.workflow().await;
        let event = json!({"workflow_id": flow, "timestamp": 0, "data": {}});
        let writers = (0..50).map(|_| {
            let (api, event) = (api.clone(), event.clone());
            tokio::spawn(async move { api.send("POST /events", &event).await.status })
        });
        let answers = futures_util::future::join_all(writers).await;
        match how {
            "EOF" => server.close_stdin(),
            signal => server.signal(signal),
        }
        let (status, said) = server.wait();
        assert_eq!(status.code(), Some(0), "{how}: {said}");
        let stored: i64 = rusqlite::Connection::open(directory.path().join("x.db"))
            .unwrap()
            .query_row("SELECT count(*) FROM event", [], |row| row.get(0))
            .unwrap();
        let acknowledged = answers.iter().filter(|a| matches!(a, Ok(200))).count();
        assert_eq!(stored as usize, acknowledged, "{how}");
    }
}
