//! Bad luck, through the real binaries: crashes, full disks, full queues.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::process::{HANG, ServerProcess, Worker, bare, lasting_port, torc, torc_server};
use crate::support::server::check_invariants;

/// Creates jobs, each of which writes one line to `ran` as it runs, and answers their ids.
async fn appending_jobs(
    api: &Api,
    directory: &Path,
    flow: i64,
    numbers: Range<usize>,
    seconds: f64,
) -> Vec<i64> {
    let ran = directory.join("ran");
    let jobs: Vec<Value> = numbers
        .map(|n| {
            let command = format!("echo {n} >> {}; sleep {seconds}", ran.display());
            json!({"workflow_id": flow, "name": format!("j{n}"), "command": command})
        })
        .collect();
    let created = api.post("/bulk_jobs", json!({"jobs": jobs})).await;
    let jobs = created["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["id"].as_i64().unwrap()).collect()
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

fn worker(directory: &Path, api: &Api, flow: i64, name: &str, more: &[&str]) -> Worker {
    let mut command = torc();
    command
        .current_dir(directory)
        .args(["--url", &api.url(), "run", &flow.to_string()])
        .args(["--output-dir", name])
        .args(more);
    Worker::start(command)
}

/// Each job that began, and how often.
fn began(directory: &Path) -> BTreeMap<String, usize> {
    let ran = std::fs::read_to_string(directory.join("ran")).unwrap();
    let mut times = BTreeMap::new();
    for line in ran.lines() {
        *times.entry(line.to_owned()).or_default() += 1;
    }
    times
}

/// Every job of so many began once, and no more.
fn assert_each_ran_once(directory: &Path, jobs: usize) {
    let times = began(directory);
    assert_eq!(times.len(), jobs);
    let twice: Vec<_> = times.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "ran more than once: {twice:?}");
}

/// Twenty crashes under load: what was acknowledged stays, nothing runs to its
/// end twice, and the workflow ends with the workers that were there from the start.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_twenty_times_under_load() {
    // Twelve at once: far from all that are there end between two looks.
    const LONG: f64 = 0.1;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (port, database) = (lasting_port(), ["-d", "x.db"]);
    let mut server = ServerProcess::start_on(path, port, &database);
    let api = server.api();
    let flow = api.workflow().await;
    let mut jobs = 400;
    appending_jobs(&api, path, flow, 0..jobs, LONG).await;
    api.initialize(flow).await;
    let slots = ["--max-parallel-jobs", "4"];
    let mut workers: Vec<_> = (0..3)
        .map(|n| worker(path, &api, flow, &format!("out{n}"), &slots))
        .collect();
    let mut acknowledged: HashSet<i64> = HashSet::new();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(80..250))).await;
        acknowledged.extend(completed(&api, flow).await);
        // There must be work for every crash, on a fast machine too.
        if jobs - acknowledged.len() < 400 {
            let added = appending_jobs(&api, path, flow, jobs..jobs + 200, LONG).await;
            let made_ready = added.iter().map(|id| {
                let change = format!("PUT /jobs/{id}/manage_status_change/ready/0");
                let api = &api;
                async move { api.send(&change, &Value::Null).await.ok() }
            });
            futures_util::future::join_all(made_ready).await;
            jobs += 200;
        }
        let state = api.get(&format!("/workflows/{flow}/is_complete")).await;
        assert_eq!(state["is_complete"], false, "nothing is left to be lost");
        if let Some(gone) = workers.iter_mut().position(|it| !it.is_running()) {
            panic!("a worker gave up: {:?}", workers.remove(gone).finish());
        }
        server.signal("KILL");
        drop(server);
        server = ServerProcess::start_on(path, port, &database);
        let still = completed(&api, flow).await;
        let lost: Vec<_> = acknowledged.difference(&still).collect();
        assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    }
    for worker in workers {
        let answer = worker.finish();
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    let status = api.get(&format!("/workflows/{flow}/status")).await;
    assert_eq!(status["jobs_by_status"]["completed"], jobs, "{status}");
    assert_each_ran_once(path, jobs);
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    check_invariants(&path.join("x.db"));
}

/// A connection that keeps all others from writing, until it commits.
fn hold(directory: &Path) -> rusqlite::Connection {
    let holder = rusqlite::Connection::open(directory.join("x.db")).unwrap();
    holder.busy_timeout(HANG).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    holder
}

/// While another process holds the database the queue fills: 503 with
/// `Retry-After`, in words that make clients try again; afterwards all is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_answered_503() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db", "--write-queue", "2"]);
    let api = server.api();
    let flow = api.workflow().await;
    let mut holder = Some(hold(directory.path()));
    let event = json!({"workflow_id": flow, "timestamp": 0, "data": {}});
    let mut attempts: FuturesUnordered<_> = (0..20)
        .map(|_| {
            let (url, event) = (format!("{}/events", api.url()), event.clone());
            async move {
                let request = http::client().post(url).json(&event);
                let response = request.send().await.unwrap();
                let retry = response.headers().contains_key("retry-after");
                let status = response.status().as_u16();
                (status, retry, response.text().await.unwrap())
            }
        })
        .collect();
    let (mut stored, mut refused) = (0, 0);
    while let Some((status, retry, body)) = attempts.next().await {
        if status == 200 {
            stored += 1;
            continue;
        }
        refused += 1;
        assert_eq!(status, 503, "{body}");
        assert!(retry, "no Retry-After");
        assert!(body.contains("database is locked"), "{body}");
        // The first refusal shows that the queue is full, and waiting would add nothing.
        if let Some(holder) = holder.take() {
            holder.execute_batch("COMMIT").unwrap();
        }
    }
    assert!(refused > 0, "nothing was refused");
    assert_eq!(stored + refused, 20);
    let events = api.get(&format!("/events?workflow_id={flow}")).await;
    assert_eq!(
        events["total_count"], stored,
        "exactly what was acknowledged is there"
    );
    api.post("/events", event).await;
}

/// Workers that are sent away by a full queue come back, again and again, and nothing is
/// lost or done twice.
#[tokio::test(flavor = "multi_thread")]
async fn workers_back_off_from_a_full_queue() {
    const JOBS: usize = 60;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let server = ServerProcess::start(path, &["-d", "x.db", "--write-queue", "1"]);
    let api = server.api();
    let flow = api.workflow().await;
    appending_jobs(&api, path, flow, 0..JOBS, 0.02).await;
    api.initialize(flow).await;
    let options = ["--max-parallel-jobs", "8", "--log-level", "debug"];
    let workers: Vec<_> = (0..2)
        .map(|n| worker(path, &api, flow, &format!("out{n}"), &options))
        .collect();
    for worker in &workers {
        worker.wait_for_log("claimed jobs=");
        let holder = hold(path);
        worker.forget_log();
        // It was sent away while nobody else could write, and will try again.
        worker.wait_for_log("writes are waiting already");
        holder.execute_batch("COMMIT").unwrap();
    }
    for worker in workers {
        let answer = worker.finish();
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    let status = api.get(&format!("/workflows/{flow}/status")).await;
    assert_eq!(status["jobs_by_status"]["completed"], JOBS, "{status}");
    assert_each_ran_once(path, JOBS);
}

/// A server whose working directory is a disk of 4 MiB, in a mount namespace that ends
/// with it. The root of the machine may mount; others are root of a user namespace.
pub(crate) fn server_on_a_small_disk(directory: &Path, arguments: &[&str]) -> ServerProcess {
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
    command
        .args(["--port", "0", "--no-console"])
        .args(arguments);
    ServerProcess::spawn(command)
}

/// A disk that fills up: writes say so, reads go on, and room brings writes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_heals_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_on_a_small_disk(directory.path(), &["-d", "x.db"]);
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

/// How long a server may take to stop: the ten seconds it promises, twice over for a
/// machine that does much else.
const STOP: Duration = Duration::from_secs(20);

/// SIGINT, SIGTERM and, where that is asked for, the end of standard input drain while
/// writers are at it: the server ends with 0, and what it acknowledged is there after.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_drains() {
    for how in ["INT", "TERM", "EOF"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut server = ServerProcess::start(path, &["-d", "x.db", "--shutdown-on-stdin-eof"]);
        let api = server.api();
        let flow = api.workflow().await;
        let acknowledged = Arc::new(Mutex::new(HashSet::new()));
        let writers: Vec<_> = (0..20)
            .map(|_| tokio::spawn(write_until_refused(api.clone(), flow, acknowledged.clone())))
            .collect();
        let before = Instant::now();
        while acknowledged.lock().unwrap().len() < 100 {
            assert!(before.elapsed() < HANG, "nothing is written");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match how {
            "EOF" => server.close_stdin(),
            signal => server.signal(signal),
        }
        let stop = tokio::task::spawn_blocking(|| server.wait());
        let (status, said) = tokio::time::timeout(STOP, stop).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(0), "{how}: {said}");
        for writer in writers {
            writer.await.unwrap();
        }
        let server = ServerProcess::start(path, &["-d", "x.db"]);
        let events = server
            .api()
            .get(&format!("/events?workflow_id={flow}"))
            .await;
        let ids = events["items"].as_array().unwrap().iter();
        let there: HashSet<i64> = ids.map(|event| event["id"].as_i64().unwrap()).collect();
        let acknowledged = acknowledged.lock().unwrap();
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "{how}: acknowledged and gone: {lost:?}");
    }
}

/// Stores events, one after another, and notes each that was acknowledged.
async fn write_until_refused(api: Api, flow: i64, acknowledged: Arc<Mutex<HashSet<i64>>>) {
    let http = http::client();
    let url = format!("{}/events", api.url());
    let event = json!({"workflow_id": flow, "timestamp": 0, "data": {}});
    loop {
        let Ok(response) = http.post(&url).json(&event).send().await else {
            return;
        };
        if response.status() != 200 {
            return;
        }
        // An answer that breaks off acknowledges nothing.
        let Ok(stored) = response.json::<Value>().await else {
            return;
        };
        let id = stored["id"].as_i64().unwrap();
        acknowledged.lock().unwrap().insert(id);
    }
}
