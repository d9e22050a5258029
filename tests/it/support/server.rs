//! A server in the test's own process, on a free port and a database of its own.

use std::path::PathBuf;

use tempfile::TempDir;
use torc_server::server::{RunningServer, ServerConfig, start};

use super::api::Api;

/// A running server; its directory goes with it.
pub struct TestServer {
    /// Talks to it.
    pub api: Api,
    running: RunningServer,
    database: PathBuf,
    _directory: TempDir,
}

impl TestServer {
    /// Starts with the defaults.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts with what `change` makes of the defaults.
    pub async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = ServerConfig {
            database: Some(directory.path().join("test.db")),
            ..ServerConfig::default()
        };
        change(&mut config);
        let database = config.database.clone().unwrap_or_default();
        let running = start(config, None).await.unwrap();
        let api = Api::new(&format!("http://{}", running.address()));
        Self {
            api,
            running,
            database,
            _directory: directory,
        }
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.database.clone()
    }

    /// A second opinion on the database, past the server.
    pub fn sql(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.database()).unwrap();
        conn.busy_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        conn
    }

    /// Checks what must hold in every database, then stops the server.
    pub async fn stop(self) {
        self.running.stop().await;
        check_invariants(&self.database);
    }
}

/// The maintained columns must equal what the rows say.
pub fn check_invariants(database: &std::path::Path) {
    let conn = rusqlite::Connection::open(database).unwrap();
    let wrong: i64 = conn
        .query_row(
            "SELECT count(*) FROM job j WHERE blockers <> (SELECT count(*) FROM job_depends_on d \
             JOIN job b ON b.id = d.depends_on_job_id \
             WHERE d.job_id = j.id AND b.status NOT BETWEEN 5 AND 8)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(wrong, 0, "jobs whose blockers are miscounted");
    let counted = |sql: &str| -> Vec<(i64, i64, i64)> {
        conn.prepare(sql)
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    assert_eq!(
        counted(
            "SELECT workflow_id, status, jobs FROM job_status_count WHERE jobs <> 0 ORDER BY 1, 2"
        ),
        counted("SELECT workflow_id, status, count(*) FROM job GROUP BY 1, 2 ORDER BY 1, 2"),
        "counts of jobs per status"
    );
    let broken: i64 = conn
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(broken, 0, "rows that refer to nothing");
}
