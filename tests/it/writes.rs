//! The write path from outside: batches that fail, stops with work in the queue, a log
//! that stays small, bodies that do not fill the memory.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Answer, Api, result};
use crate::support::http;
use crate::support::process::{HANG, ServerProcess};
use crate::support::server::{TestServer, check_invariants};

/// Waits until so many commands, or more, wait for the writer.
async fn until_queued(api: &Api, commands: u64) {
    until(api, |writer| writer["queued"].as_u64() >= Some(commands)).await;
}

/// Waits until the writer's board shows what is expected.
async fn until(api: &Api, expected: impl Fn(&Value) -> bool) {
    let report = format!("{}/debug/timings", api.root());
    let start = std::time::Instant::now();
    while start.elapsed() < HANG {
        let text = http::get(&report).await.unwrap().text().await.unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        if expected(&report["phases"]["writer"]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the writer's board never showed it");
}

/// What a command was told rests on the batch it was in. When that is undone, nobody is
/// told of it: no "already complete" about an ending that did not happen, and no event.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_tells_nothing_of_what_it_did() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    let flow = api.workflow().await;
    let node = api.compute_node(flow).await;
    let jobs = api
        .jobs(flow, &[("a", &[]), ("b", &[]), ("after", &["a"])])
        .await;
    api.initialize(flow).await;
    let mut events = http::get(format!("{}/workflows/{flow}/events/stream", api.url()))
        .await
        .unwrap();

    let sql = rusqlite::Connection::open(directory.path().join("x.db")).unwrap();
    sql.execute_batch(&format!(
        "CREATE TRIGGER no_room BEFORE INSERT ON result WHEN NEW.job_id = {} \
         BEGIN SELECT RAISE(ROLLBACK, 'no room'); END; BEGIN IMMEDIATE",
        jobs[1]
    ))
    .unwrap();
    let complete = |job: i64| {
        let (api, body) = (api.clone(), result(flow, job, node, "completed", 0));
        let request = format!("POST /jobs/{job}/complete_job/completed/0");
        tokio::spawn(async move { api.send(&request, &body).await })
    };
    // One command waits for the lock; the others are the batch after it.
    let first = tokio::spawn({
        let api = api.clone();
        async move { api.workflow().await }
    });
    until(&api, |writer| writer["holder"][0].is_object()).await;
    let ended = complete(jobs[0]);
    until_queued(&api, 1).await;
    let again = complete(jobs[0]);
    until_queued(&api, 2).await;
    let unknown = tokio::spawn({
        let api = api.clone();
        async move { api.send("DELETE /jobs/4711", &Value::Null).await }
    });
    until_queued(&api, 3).await;
    let fatal = complete(jobs[1]);
    until_queued(&api, 4).await;
    sql.execute_batch("ROLLBACK").unwrap();

    first.await.unwrap();
    for answer in [ended, again, unknown, fatal] {
        let answer = answer.await.unwrap();
        assert!(answer.status >= 500, "{answer:?}");
    }
    assert_eq!(api.status(jobs[0]).await, "ready");
    assert_eq!(api.status(jobs[2]).await, "blocked");

    sql.execute_batch("DROP TRIGGER no_room").unwrap();
    complete(jobs[1]).await.unwrap().ok();
    complete(jobs[0]).await.unwrap().ok();
    assert_eq!(api.status(jobs[2]).await, "ready");
    let mut heard = String::new();
    while heard.matches("event: job_completed").count() < 2 {
        let chunk = events.chunk().await.unwrap().expect("the stream goes on");
        heard.push_str(&String::from_utf8_lossy(&chunk));
    }
    let b = heard.find("\"job_name\":\"b\"").expect("b ended");
    let a = heard.find("\"job_name\":\"a\"").expect("a ended");
    assert!(b < a, "an ending was told that did not happen: {heard}");
    server.signal("TERM");
    assert!(server.wait().0.success());
    check_invariants(&directory.path().join("x.db"));
}

/// The client of a task leaves before its task is stored: the task is carried out all the
/// same, and its workflow can have the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_client_left_is_carried_out() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    let flow = api.workflow().await;
    let job = api.jobs(flow, &[("a", &[])]).await[0];
    let metrics = format!("{}/metrics", api.root());
    let open = async || -> f64 {
        let page = http::get(&metrics).await.unwrap().text().await.unwrap();
        let mut lines = page.lines();
        let open = lines.find_map(|line| line.strip_prefix("torc_http_requests_open "));
        open.unwrap().parse().unwrap()
    };
    let alone = open().await;
    let sql = rusqlite::Connection::open(directory.path().join("x.db")).unwrap();
    sql.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = format!("{}/workflows/{flow}/initialize_jobs?async=true", api.url());
    let request = tokio::spawn(http::client().post(request).send());
    until(&api, |writer| writer["holder"][0].is_object()).await;
    request.abort();
    let start = std::time::Instant::now();
    while open().await > alone {
        assert!(start.elapsed() < HANG, "the server never saw it leave");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sql.execute_batch("ROLLBACK").unwrap();
    while api.status(job).await != "ready" {
        assert!(start.elapsed() < HANG, "nobody carries it out");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(api.get("/tasks/1").await["status"], "succeeded");
    server.signal("TERM");
    assert!(server.wait().0.success());
    check_invariants(&directory.path().join("x.db"));
}

/// More work is queued than can be done: the server ends in time all the same, with 0,
/// and what it had not done leaves no trace.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_long_queue() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    let flow = api.workflow().await;
    let jobs: Vec<Value> = (0..50_000)
        .map(|n| json!({"workflow_id": flow, "name": format!("j{n}"), "command": "true"}))
        .collect();
    api.post("/bulk_jobs", json!({"jobs": jobs})).await;
    let requests: Vec<_> = (0..200)
        .map(|_| {
            let api = api.clone();
            let request = format!("POST /workflows/{flow}/initialize_jobs");
            tokio::spawn(async move { api.send(&request, &Value::Null).await })
        })
        .collect();
    until_queued(&api, 150).await;
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("were not finished in time"), "{log}");
    let mut done = 0;
    for request in requests {
        // Those that were still unanswered lost their connection.
        if let Ok(answer) = request.await {
            assert!([200, 503].contains(&answer.status), "{answer:?}");
            done += usize::from(answer.status == 200);
        }
    }
    assert!(done < 200, "nothing was left to do when it stopped");
    check_invariants(&directory.path().join("x.db"));
}

/// Readers that overlap without a pause never let SQLite start its log anew by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_small_under_readers_without_a_pause() {
    let server = TestServer::start().await;
    let flow = server.api.workflow().await;
    let stop = AtomicBool::new(false);
    let readers = [server.sql(), server.sql()];
    let wal = server.database().with_extension("db-wal");
    let body = json!({"workflow_id": flow, "timestamp": 0, "data": "x".repeat(1_900_000)});
    std::thread::scope(|threads| {
        let stop = &stop;
        threads.spawn(move || {
            let begin = "BEGIN; SELECT count(*) FROM workflow";
            readers[0].execute_batch(begin).unwrap();
            let mut held = 0;
            while !stop.load(Ordering::Relaxed) {
                readers[1 - held].execute_batch(begin).unwrap();
                std::thread::sleep(Duration::from_millis(20));
                readers[held].execute_batch("COMMIT").unwrap();
                held = 1 - held;
            }
            readers[held].execute_batch("COMMIT").unwrap();
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..70 {
                    server.api.post("/events", body.clone()).await;
                }
            });
        });
        stop.store(true, Ordering::Relaxed);
    });
    // 70 times 1.9 MB were written; 64 MiB is the limit, and a try takes a second.
    let left = std::fs::metadata(&wal).unwrap().len();
    assert!(left < 110 << 20, "the log has {left} bytes");
    server.stop().await;
}

/// Requests that promise large bodies and send nothing hold their room; others with
/// large bodies are put off meanwhile, small ones are not.
#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_share_a_limit() {
    let server = TestServer::start().await;
    let flow = server.api.workflow().await;
    let address = server
        .api
        .root()
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let mut promises: Vec<TcpStream> = (0..130)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            write!(
                stream,
                "POST /torc-service/v1/events HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ncontent-length: 2090000\r\n\r\n"
            )
            .unwrap();
            stream
        })
        .collect();
    let event =
        |bytes: usize| json!({"workflow_id": flow, "timestamp": 0, "data": "x".repeat(bytes)});
    let large = event(1_900_000);
    let refused = until_answered(&server.api, &large, 503).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("database is locked:"), "{message}");
    // On a connection of its own.
    until_answered(&server.api, &event(100), 200).await;

    promises.clear();
    until_answered(&server.api, &large, 200).await;
    server.stop().await;
}

/// Sends an event until it is answered so. The connection of a refused body ends, perhaps
/// before its client has read the answer; that is not the answer waited for.
async fn until_answered(api: &Api, event: &Value, status: u16) -> Answer {
    for _ in 0..1_000 {
        let sent = http::client()
            .post(format!("{}/events", api.url()))
            .header("content-type", "application/json")
            .body(event.to_string())
            .send();
        if let Ok(response) = sent.await
            && response.status() == status
            && let Ok(text) = response.text().await
        {
            let body = serde_json::from_str(&text).unwrap();
            return Answer { status, body };
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never answered with {status}");
}
