//! Running under a service manager.

use std::process::Stdio;

use crate::support::process::{ServerProcess, output_bounded, torc_server};
use crate::support::root;

/// What the unit starts is a server that starts, and SIGHUP, its reload, does not end it.
#[tokio::test]
async fn the_unit_starts_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().display().to_string();
    let unit = std::fs::read_to_string(root().join("docs/torc-server.service")).unwrap();
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let mut words = start.unwrap().split_whitespace();
    assert_eq!(words.next(), Some("/usr/local/bin/torc-server"));
    let mut command = torc_server();
    command.current_dir(directory.path());
    for word in words {
        match word {
            "8080" => command.arg("0"),
            "$TORC_SERVER_FLAGS" => command.args(["--host", "127.0.0.1"]),
            path if path.starts_with("/var/lib/torc/") || path == "/var/log/torc" => {
                command.arg(path.replace("/var", &here))
            }
            path if path.starts_with('/') => panic!("the unit may not write {path}"),
            flag => command.arg(flag),
        };
    }
    std::fs::create_dir_all(directory.path().join("lib/torc")).unwrap();
    let server = ServerProcess::spawn(command);
    server.signal("HUP");
    server.wait_for_log("to read again");
    assert_eq!(server.api().get("/ping").await["status"], "ok");
    assert!(directory.path().join("lib/torc/torc.db").exists());
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn what_a_service_manager_does_is_left_to_it() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["run", "--daemon"][..],
        &["run", "--daemon", "--pid-file", "torc.pid"],
        &["run", "--pid-file", "torc.pid", "-p", "0"],
        &["service"],
        &["service", "install", "--user", "--port", "9000"],
        &["service", "status", "--help"],
    ] {
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .args(arguments)
            .stdin(Stdio::null());
        let answer = output_bounded(&mut command);
        assert_eq!(answer.code, Some(2), "{arguments:?}: {answer:?}");
        assert!(answer.err.contains("docs/deployment.md"), "{}", answer.err);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let help = output_bounded(torc_server().arg("--help").stdin(Stdio::null()));
    assert!(
        help.out.contains("docs/torc-server.service"),
        "{}",
        help.out
    );
}
