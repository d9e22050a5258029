//! Which database a server opens, and what it leaves beside it.

use std::process::Stdio;

use crate::support::process::{ServerProcess, torc_server, wait_bounded};

/// Runs a server that is expected not to start; answers what it said.
fn refused(directory: &std::path::Path, database: &str) -> String {
    let mut child = torc_server()
        .current_dir(directory)
        .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
        .args(["-d", database])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(wait_bounded(&mut child).code(), Some(1));
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

/// Other names of one file, by a link, a way round or the whole path, are that file.
#[test]
fn a_database_has_one_server_by_whatever_name() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    std::fs::create_dir(place.join("sub")).unwrap();
    let server = ServerProcess::start(place, &["-d", "x.db"]);
    std::os::unix::fs::symlink("x.db", place.join("y.db")).unwrap();
    let whole = place.join("x.db");
    for name in ["x.db", "y.db", "sub/../x.db", whole.to_str().unwrap()] {
        let said = refused(place, name);
        assert!(
            said.contains("in use by another torc-server"),
            "{name}: {said}"
        );
        assert!(
            said.contains(&format!("(process {})", server.pid())),
            "{said}"
        );
    }
    server.signal("TERM");
    assert!(server.wait().0.success());
    // The link leads to the same rows.
    let again = ServerProcess::start(place, &["-d", "y.db"]);
    again.signal("TERM");
    assert!(again.wait().0.success());
    assert!(!place.join("y.db.lock").exists());
}

#[test]
fn a_refused_file_gets_no_lock_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("notes"), "these are no tables at all").unwrap();
    let said = refused(directory.path(), "notes");
    assert!(said.contains("not an SQLite database"), "{said}");
    assert!(!directory.path().join("notes.lock").exists());
}

#[test]
fn no_name_is_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let said = refused(directory.path(), "");
    assert!(said.contains("--database names no file"), "{said}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// A private database goes with its process; what a killed one left goes with the next.
#[test]
fn databases_in_memory_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .env("TMPDIR", directory.path())
            .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
            .args(["-d", ":memory:"]);
        ServerProcess::spawn(command)
    };
    let left = || std::fs::read_dir(directory.path()).unwrap().count();
    let killed = start();
    killed.signal("KILL");
    killed.wait();
    assert_eq!(left(), 1, "a killed server cannot tidy up");
    let beside = start();
    let next = start();
    assert_eq!(left(), 2, "the leftover is gone, the other server's is not");
    for server in [beside, next] {
        server.signal("TERM");
        assert!(server.wait().0.success());
    }
    assert_eq!(left(), 0);
}
