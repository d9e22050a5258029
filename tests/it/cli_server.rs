//! Commands and the way to their server: late, busy, behind a proxy, or no torc at all.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;
use torc_server::wire::files::FileModel;

use crate::runner_fake::Fake;
use crate::support::process::{HANG, ServerProcess, Worker, lasting_port, output_bounded};
use crate::support::user::{User, wait_until};

const ONE_JOB: &str = "name: one\njobs: [{name: a, command: 'true'}]\n";

/// Answers every request alike.
fn web_server(status: &str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(body.as_bytes());
        }
    });
    url
}

#[test]
fn a_server_that_is_no_torc_is_suspected_and_not_quoted() {
    let user = User::alone();
    let page = "<!doctype html><html><head><title>Printer</title></head><body>toner</body></html>";
    for status in ["404 Not Found", "200 OK"] {
        let url = web_server(status, page);
        let answer = user.torc(&["ping", "--url", &url]);
        assert_eq!(answer.code, Some(1));
        assert!(answer.err.contains("torc server"), "{answer:?}");
        assert!(!answer.err.contains("toner"), "{answer:?}");
        assert!(!answer.err.contains("workflows list"), "{answer:?}");
    }
}

/// A proxy could not reach this machine's own addresses, so none is asked.
#[test]
fn a_proxy_is_left_out_where_it_cannot_help_and_named_where_it_does_not() {
    let user = User::with_server();
    let by_proxy = |url: &str| {
        let mut command = user.command(&["ping", "--url", url]);
        command.env("http_proxy", "http://me:secret@127.0.0.1:1");
        command.env_remove("no_proxy").env_remove("NO_PROXY");
        output_bounded(&mut command)
    };
    let port = user.server.as_ref().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        let answer = by_proxy(&format!("http://{host}:{port}"));
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    let answer = by_proxy("http://torc.example.org:8080");
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.err.contains("through the proxy http://127.0.0.1:1"),
        "{answer:?}"
    );
    assert!(!answer.err.contains("secret"), "{answer:?}");
}

/// Workers are often started together with their server.
#[test]
fn a_worker_waits_for_a_server_that_is_just_starting() {
    let mut user = User::alone();
    let port = lasting_port();
    let start = |user: &User| ServerProcess::start_on(user.path(), port, &["-d", "x.db"]);
    user.server = Some(start(&user));
    user.create(ONE_JOB);
    let mut worker = user.command(&["run", "1"]);
    let server = user.server.take().unwrap();
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    worker.env("TORC_API_URL", format!("http://127.0.0.1:{port}"));
    let worker = Worker::start(worker);
    worker.wait_for_log("waiting for the server at");
    user.server = Some(start(&user));
    let answer = worker.finish();
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.out.contains("1 completed"), "{answer:?}");
}

#[test]
fn hints_fit_what_was_asked_for() {
    let user = User::with_server();
    for (arguments, told) in [
        (
            &["workflows", "get", "9"][..],
            "`torc workflows list --all-users`",
        ),
        (&["jobs", "get", "9"], "`torc jobs list WORKFLOW`"),
        (
            &["run", "http://localhost:8080"],
            "torc run ID --url http://localhost:8080",
        ),
    ] {
        let answer = user.torc(arguments);
        assert_ne!(answer.code, Some(0));
        assert!(answer.err.contains(told), "{arguments:?}: {}", answer.err);
        assert_eq!(answer.err.matches("hint").count(), 1, "{}", answer.err);
    }
}

/// The server within `torc run` lives in a process that people may take for a server.
#[test]
fn a_standalone_server_survives_the_signal_for_servers() {
    let user = User::alone();
    let file = user.write(
        "slow.yaml",
        "name: slow\njobs: [{name: a, command: 'touch on; while [ ! -e off ]; do sleep 0.05; done'}]\n",
    );
    let worker = user.worker(&[&file, "--standalone"]);
    user.wait_for_file("on");
    for _ in 0..3 {
        worker.signal("USR1");
    }
    user.write("off", "");
    let answer = worker.finish();
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

/// SIGINT and SIGTERM while a large workflow is being made, and between that and its run.
#[test]
fn a_signal_takes_back_what_was_half_made() {
    let spec = "name: large\nparameters: {i: '1:150000'}\njobs:\n\
        - {name: 'j{i}', command: 'true', use_parameters: [i]}\n";
    for (command, signal, code) in [
        ("create", "TERM", 143),
        ("create", "INT", 130),
        ("run", "TERM", 143),
    ] {
        let user = User::with_server();
        let file = user.write("large.yaml", spec);
        let maker = Worker::start(user.command(&[command, &file]));
        maker.wait_for_log("created 10000 of 150000 jobs");
        maker.signal(signal);
        let answer = maker.finish();
        assert_eq!(answer.code, Some(code), "{answer:?}");
        let left = user.json(&["workflows", "list", "-a"]);
        assert_eq!(left["items"], json!([]), "{command} {signal}");
    }
}

/// Between the creation and the run, too, a signal is heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_the_work_begins() {
    let user = User::alone();
    let (fake, client) = Fake::unstarted(Vec::new()).await;
    fake.world().slow_to_say = HANG * 10;
    let url = client.base_url().to_owned();
    let ended = tokio::task::spawn_blocking(move || {
        let worker = user.worker(&["1", "--url", &url]);
        wait_until("the first question", || fake.world().asked > 0);
        worker.signal("INT");
        worker.finish()
    });
    assert_eq!(ended.await.unwrap().code, Some(130));
}

/// However many pages of files there are: what is missing is told before the start.
#[tokio::test(flavor = "multi_thread")]
async fn missing_files_are_found_on_every_page() {
    let user = User::alone();
    let (fake, client) = Fake::unstarted(Vec::new()).await;
    fake.world().files = (1..=3)
        .map(|id| FileModel {
            id: Some(id),
            workflow_id: 1,
            name: format!("f{id}"),
            path: format!("missing{id}.txt"),
            ..FileModel::default()
        })
        .collect();
    let url = client.base_url().to_owned();
    let answer = tokio::task::spawn_blocking(move || user.torc(&["run", "1", "--url", &url]));
    let answer = answer.await.unwrap();
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let told = "do not exist: f1 (missing1.txt), f2 (missing2.txt), f3 (missing3.txt)";
    assert!(answer.err.contains(told), "{answer:?}");
}
