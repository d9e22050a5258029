//! Database files that others wrote: Torc's are taken over with every row, all others are
//! refused and left as they are.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

use crate::support::api::result;
use crate::support::process::{output_bounded, torc_server};
use crate::support::server::TestServer;

/// A file as Torc 1.0.0 leaves it.
fn write_torc_file(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(include_str!("data/torc_file.sql"))
        .unwrap();
}

/// Every row of every table, by the columns that `like` has.
fn contents(path: &Path, like: Option<&Tables>) -> Tables {
    let conn = Connection::open(path).unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let tables = match like {
        Some(like) => like.keys().cloned().collect(),
        None => names(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        ),
    };
    let mut all = Tables::new();
    for table in tables {
        let columns = match like {
            Some(like) => like[&table].0.clone(),
            None => {
                let mut columns = names(&format!("SELECT name FROM pragma_table_info('{table}')"));
                columns.sort();
                columns
            }
        };
        let list = columns
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let mut statement = conn
            .prepare(&format!("SELECT {list} FROM {table}"))
            .unwrap();
        let rows = statement
            .query_map((), |row| {
                (0..columns.len())
                    .map(|at| row.get(at))
                    .collect::<Result<Vec<Cell>, _>>()
            })
            .unwrap();
        let mut rows: Vec<String> = rows.map(|row| format!("{:?}", row.unwrap())).collect();
        rows.sort();
        all.insert(table, (columns, rows));
    }
    all
}

type Tables = BTreeMap<String, (Vec<String>, Vec<String>)>;

#[tokio::test]
async fn a_file_of_torcs_is_taken_over_with_every_row() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("torc.db");
    write_torc_file(&path);
    let before = contents(&path, None);
    assert_eq!(before.len(), 29);
    assert!(before.values().all(|(_, rows)| !rows.is_empty()));

    let file = path.clone();
    let server = TestServer::start_with(|config| config.database = Some(file)).await;
    let mut after = contents(&path, Some(&before));
    // A task that was going on is over: nobody carries it out any more.
    let (_, tasks) = after.remove("async_handle").unwrap();
    assert!(
        tasks[0].contains("server restarted while task was in progress"),
        "{tasks:?}"
    );
    for (table, theirs) in after {
        assert_eq!(theirs, before[&table], "{table}");
    }

    let api = &server.api;
    for (path, rows) in [
        ("/workflows", 1),
        ("/jobs?workflow_id=1", 3),
        ("/files?workflow_id=1", 1),
        ("/user_data?workflow_id=1", 1),
        ("/events?workflow_id=1", 1),
        ("/results?workflow_id=1", 1),
        ("/resource_requirements?workflow_id=1", 1),
        ("/compute_nodes?workflow_id=1", 1),
        ("/local_schedulers?workflow_id=1", 1),
        ("/slurm_schedulers?workflow_id=1", 1),
        ("/scheduled_compute_nodes?workflow_id=1", 1),
        ("/slurm_stats?workflow_id=1", 1),
        ("/workflows/1/failure_handlers", 1),
        ("/workflows/1/ro_crate_entities", 1),
        ("/workflows/1/job_dependencies", 2),
        ("/workflows/1/slurm_job_correlations", 1),
        ("/workflows/1/access_groups", 1),
        ("/access_groups", 2),
        ("/access_groups/2/members", 1),
        ("/admin/audit-log", 1),
    ] {
        let page = api.get(path).await;
        assert_eq!(page["total_count"], rows, "{path}: {page}");
    }
    assert_eq!(
        api.get("/workflows/1").await["dynamic_jobs"],
        json!({"max_iterations": 3})
    );
    assert_eq!(
        api.get("/workflows/1/actions").await[0]["job_ids"],
        json!([2])
    );
    assert_eq!(
        api.get("/workflows/1/remote_workers").await[0]["worker"],
        "ada@host"
    );
    assert_eq!(api.get("/jobs/1").await["env"], json!({"A": "1"}));
    goes_on(&server).await;
    server.stop().await;
}

/// The workflow runs to its end, and what waits for its jobs becomes due.
async fn goes_on(server: &TestServer) {
    let api = &server.api;
    for job in [2, 3] {
        let claimed = api.post("/workflows/1/claim_next_jobs", Value::Null).await;
        assert_eq!(claimed["jobs"][0]["id"], job, "{claimed}");
        let start = format!("PUT /jobs/{job}/start_job/1/1");
        api.send(&start, &Value::Null).await.ok();
        let mut ending = result(1, job, 1, "completed", 0);
        ending["run_id"] = json!(1);
        api.post(&format!("/jobs/{job}/complete_job/completed/1"), ending)
            .await;
    }
    assert_eq!(
        api.get("/workflows/1/is_complete").await["is_complete"],
        true
    );
    assert_eq!(api.get("/workflows/1/actions/pending").await[0]["id"], 1);
}

/// A program that was killed leaves a log beside its database.
#[test]
fn a_log_beside_the_file_makes_it_no_database_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("theirs.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    // As if it were killed: the connection is not closed.
    let copies = ["theirs.db", "theirs.db-wal"].map(|name| {
        let copy = directory.path().join(format!("copy-{name}"));
        std::fs::copy(directory.path().join(name), &copy).unwrap();
        (std::fs::read(&copy).unwrap(), copy)
    });
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .args([
            "run",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-console",
            "-d",
        ])
        .arg(directory.path().join("copy-theirs.db"));
    let answer = output_bounded(&mut command);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(
        answer.err.contains("another program's database"),
        "{answer:?}"
    );
    for (before, copy) in copies {
        assert!(
            std::fs::read(&copy).unwrap() == before,
            "{copy:?} was changed"
        );
    }
}

/// What a server says that refuses to start on this file, which it leaves as it is.
fn refused(path: &Path) -> String {
    let before = std::fs::read(path).unwrap();
    let mut command = torc_server();
    command
        .current_dir(path.parent().unwrap())
        .args([
            "run",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-console",
            "-d",
        ])
        .arg(path);
    let answer = output_bounded(&mut command);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(
        std::fs::read(path).unwrap() == before,
        "the file was changed"
    );
    let mut left: Vec<String> = std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.retain(|name| name != path.file_name().unwrap().to_str().unwrap());
    assert_eq!(left, Vec::<String>::new(), "beside the file");
    let lines: Vec<&str> = answer.err.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].to_owned()
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some file.db");
    let torc = {
        write_torc_file(&path);
        std::fs::read(&path).unwrap()
    };

    std::fs::write(&path, &torc[..torc.len() / 2]).unwrap();
    let said = refused(&path);
    assert!(said.contains("some file.db: the file is damaged"), "{said}");

    let mut scrambled = torc.clone();
    scrambled[100..4000].fill(0xa5);
    std::fs::write(&path, &scrambled).unwrap();
    let said = refused(&path);
    assert!(said.contains("damaged"), "{said}");

    std::fs::write(&path, &torc[..60]).unwrap();
    assert!(refused(&path).contains("it ends within its head"));

    std::fs::write(&path, "plain text, and quite a lot of it").unwrap();
    assert!(refused(&path).contains("the file is not an SQLite database"));

    std::fs::remove_file(&path).unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE bookmarks (url TEXT); CREATE TABLE job (id INTEGER)")
        .unwrap();
    drop(conn);
    let said = refused(&path);
    assert!(
        said.contains("another program's database (there is no table workflow)"),
        "{said}"
    );

    std::fs::write(&path, &torc).unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "CREATE TABLE seaql_migrations (version TEXT PRIMARY KEY, applied_at INTEGER NOT NULL); \
         INSERT INTO seaql_migrations VALUES ('m9999_from_tomorrow', 0)",
    )
    .unwrap();
    drop(conn);
    let said = refused(&path);
    assert!(said.contains("a newer torc-server wrote it"), "{said}");
    assert!(said.contains("m9999_from_tomorrow"), "{said}");
}

/// Torc counts an ending for actions when it records it, and releases what waited on it
/// later: what was left to release is released here, and nothing is counted again.
#[tokio::test]
async fn what_torc_counted_is_not_counted_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("torc.db");
    write_torc_file(&path);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "UPDATE job SET status = 5 WHERE id = 2; \
             INSERT INTO result (workflow_id, job_id, run_id, compute_node_id, return_code, \
               exec_time_minutes, completion_time, status) \
             VALUES (1, 2, 1, 1, 0, 0.1, '2026-01-01T00:00:00Z', 5); \
             UPDATE workflow_action \
             SET job_ids = '[2,3]', required_triggers = 2, trigger_count = 1",
        )
        .unwrap();
    let server = TestServer::start_with(|config| config.database = Some(path)).await;
    let api = &server.api;
    for _ in 0..200 {
        if api.status(3).await == "ready" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(api.status(3).await, "ready");
    assert_eq!(api.get("/workflows/1/actions/pending").await, json!([]));
    let mut ending = result(1, 3, 1, "completed", 0);
    ending["run_id"] = json!(1);
    api.post("/jobs/3/complete_job/completed/1", ending).await;
    assert_eq!(api.get("/workflows/1/actions/pending").await[0]["id"], 1);
    server.stop().await;
}
