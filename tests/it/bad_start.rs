//! A server that cannot start says why in one line, and ends with a code that is not 0.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::process::{ServerProcess, output_to, torc_server};

/// Runs a server that is expected not to start; answers its exit code and what it said.
fn refused(command: &mut Command) -> (i32, String) {
    let answer = output_to(command.stdin(Stdio::null()), Stdio::null(), Stdio::piped());
    let said = answer.err;
    assert!(
        !said.contains("panicked") && !said.contains("backtrace"),
        "{said}"
    );
    (answer.code.unwrap(), said)
}

fn run(directory: &Path) -> Command {
    let mut command = torc_server();
    command
        .current_dir(directory)
        .args(["run", "--host", "127.0.0.1", "--no-console"]);
    command
}

#[test]
fn a_port_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, said) = refused(run(directory.path()).args(["--port", &port]));
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{said}"
    );
    assert!(said.contains("--port"), "{said}");
}

#[test]
fn a_file_that_is_no_database() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("x.db"),
        "just some text, longer than a head",
    )
    .unwrap();
    let (code, said) = refused(run(directory.path()).args(["--port", "0", "-d", "x.db"]));
    assert_eq!(code, 1);
    assert!(said.contains("not an SQLite database"), "{said}");
    let kept = std::fs::read_to_string(directory.path().join("x.db")).unwrap();
    assert!(kept.starts_with("just some text"));
}

#[test]
fn a_directory_that_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = "/proc/torc/x.db";
    let (code, said) = refused(run(directory.path()).args(["--port", "0", "-d", path]));
    assert_eq!(code, 1);
    assert!(
        said.contains("cannot open the database /proc/torc/x.db"),
        "{said}"
    );
}

#[test]
fn a_filter_that_does_not_parse() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = run(directory.path());
    command
        .args(["--port", "0"])
        .env("RUST_LOG", "torc=nonsense=x");
    let (code, said) = refused(&mut command);
    assert_ne!(code, 0);
    assert!(said.contains("RUST_LOG"), "{said}");
}

#[test]
fn an_unknown_flag_gets_a_suggestion() {
    let directory = tempfile::tempdir().unwrap();
    let (code, said) = refused(run(directory.path()).arg("--databse=x"));
    assert_eq!(code, 2);
    assert!(said.contains("--database"), "{said}");
}

#[test]
fn a_second_server_on_one_database() {
    let directory = tempfile::tempdir().unwrap();
    let first = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let (code, said) = refused(run(directory.path()).args(["--port", "0", "-d", "x.db"]));
    assert_eq!(code, 1);
    assert!(said.contains("in use by another torc-server"), "{said}");
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    first.signal("TERM");
    assert_eq!(first.wait().0.code(), Some(0));
    // The lock goes with the process, not with the file beside the database.
    let second = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    second.signal("INT");
    assert_eq!(second.wait().0.code(), Some(0));
}
