//! `torc doctor server` as a command: what it prints, how it exits, and what it says when it
//! cannot ask. What it finds stands in the `culprit_` tests.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::support::process::{Answer, ServerProcess};
use crate::support::server::TestServer;
use crate::support::user::{User, wait_until};

fn doctor(user: &User, arguments: &[&str]) -> Answer {
    user.torc(&[&["doctor", "server"], arguments].concat())
}

#[test]
fn an_idle_server_is_called_idle_in_words_and_in_json() {
    let user = User::with_server();
    let answer = doctor(&user, &[]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.out.starts_with("idle: "), "{}", answer.out);
    assert!(!answer.out.contains('\x1b'), "{}", answer.out);

    let answer = doctor(&user, &["--json", "--window", "10s"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let diagnosis: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(diagnosis["state"], "idle");
    assert_eq!(diagnosis["findings"], serde_json::json!([]));
    // Looking is no load. What counts is `GET /version`, which each command asks, and pages
    // that are not there.
    assert!(diagnosis["requests"].as_u64().unwrap() < 10, "{diagnosis}");
    assert!(diagnosis["window_s"].as_f64().unwrap() <= 11.0);
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let user = User::with_server();
    for (arguments, why) in [
        (&["--window", "2d"][..], "unknown window '2d'; it is start"),
        (&["--window", "mark:never"], "there is no mark 'never'"),
        (&["--format", "csv"], "`--format json` or `table`"),
        (&["--window"], "a value is required"),
    ] {
        let answer = doctor(&user, arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?}: {answer:?}");
        assert!(answer.err.contains(why), "{arguments:?}: {answer:?}");
        assert_eq!(answer.out, "");
    }
    let answer = user.torc(&["doctor", "--help"]);
    assert!(answer.out.contains("makes a server slow"), "{answer:?}");
}

#[test]
fn a_server_that_is_not_there_is_no_sick_server() {
    let answer = doctor(&User::alone(), &[]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.err.contains("cannot reach the server at"));
}

/// The pages refuse whoever asks from elsewhere; the doctor says where to go.
#[test]
fn a_server_on_another_machine_sends_the_doctor_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let refusal = "debug pages answer on loopback only: ask from the server's own machine\n";
        for stream in listener.incoming().flatten() {
            let (mut stream, mut request) = (stream, [0; 4096]);
            let _ = stream.read(&mut request);
            let length = refusal.len();
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{refusal}"
            );
        }
    });
    let answer = doctor(&User::alone(), &["--url", &url]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.err.contains("loopback only"), "{answer:?}");
    assert!(answer.err.contains("run `torc doctor` there"), "{answer:?}");
}

/// A server within another program has no histograms to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_telemetry_is_told() {
    let server = TestServer::start().await;
    let answer = doctor(&User::alone(), &["--url", server.api.root()]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.err.contains("runs without telemetry"), "{answer:?}");
    assert!(answer.err.contains("hint:"), "{answer:?}");
    server.stop().await;
}

/// A server that records nothing says so, and so do the tools that read it.
#[test]
fn a_server_that_records_nothing_is_not_called_healthy() {
    let directory = tempfile::tempdir().unwrap();
    let blind = [
        "-d",
        "x.db",
        "--timing",
        "off",
        "--slow",
        "create_job=1ms",
        "--otlp",
        "http://127.0.0.1:9",
    ];
    let server = ServerProcess::start(directory.path(), &blind);
    for effect in [
        "no traces are exported (--otlp)",
        "no request is known to be slow",
    ] {
        let said = server.wait_for_log(effect);
        assert!(said.contains("--timing off records nothing"), "{said}");
    }
    let url = format!("http://127.0.0.1:{}", server.port());
    let user = User::alone();
    let answer = doctor(&user, &["--url", &url]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(
        answer
            .out
            .starts_with("nothing is recorded: the server runs with --timing off"),
        "{answer:?}"
    );
    let answer = doctor(&user, &["--url", &url, "--json"]);
    let diagnosis: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(diagnosis["state"], "blind");
    let timings = user.good(&["timings", "--url", &url]);
    assert!(timings.contains("Nothing is recorded"), "{timings}");
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// Each look is one line of JSON, also while the server is away, and it goes on by itself.
#[test]
fn watching_goes_on() {
    let mut user = User::with_server();
    let out = std::fs::File::create(user.path().join("watched")).unwrap();
    let mut watching = user
        .command(&["doctor", "server", "--watch", "--json"])
        .stdout(out)
        .spawn()
        .unwrap();
    let looks = |user: &User| user.read("watched").lines().count();
    wait_until("two looks", || looks(&user) >= 2);
    for line in user.read("watched").lines() {
        let look: Value = serde_json::from_str(line).unwrap();
        assert_eq!(look["state"], "idle");
    }
    drop(user.server.take());
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(watching.try_wait().unwrap().is_none(), "it waits");
    watching.kill().unwrap();
    watching.wait().unwrap();
}
