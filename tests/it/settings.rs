//! Settings in the environment, as the real server takes them.

use crate::support::process::{ServerProcess, torc_server};

/// Set but empty means not set, as in unit files and shells that cannot unset.
#[test]
fn empty_variables_count_as_not_set() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = torc_server();
    command.current_dir(directory.path()).args([
        "run",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-console",
    ]);
    for name in [
        "RUST_LOG",
        "DATABASE_URL",
        "TORC_TIMING_ENABLED",
        "TORC_LOG_DIR",
        "TORC_SLOW",
        "TOKIO_CONSOLE_BIND",
        "TORC_SERVER_SNAPSHOT_PATH",
        "TORC_SERVER_SNAPSHOT_KEEP",
        "TORC_MAX_REQUEST_BODY_MB",
        "TORC_COMPLETION_CHECK_INTERVAL_SECS",
        "TORC_AUTH_FILE",
        "TORC_ADMIN_USERS",
        "TORC_CREDENTIAL_CACHE_TTL_SECS",
        "TORC_TLS_CERT",
        "TORC_TLS_KEY",
    ] {
        command.env(name, "");
    }
    let server = ServerProcess::spawn(command);
    assert!(directory.path().join("torc-server.db").exists());
    // No snapshot is wanted of a file, so the dump is all that happens.
    server.signal("USR1");
    server.wait_for_log("timings dumped");
    server.signal("TERM");
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    let snapshots = std::fs::read_dir(directory.path()).unwrap();
    let names = snapshots.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.contains("snapshot")));
}
