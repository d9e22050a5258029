//! A server with something wrong, load on it, and the doctor who must name it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::api::Api;
use super::process::{Answer, ServerProcess, output_bounded, torc, torc_server};
use super::root;

/// How long the doctor may take to see what is wrong; a fault shows within seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server process that is examined.
pub struct Patient {
    directory: TempDir,
    server: ServerProcess,
}

impl Patient {
    /// With its database in memory where that is possible, so that the disk of whatever
    /// machine runs the tests has no say in what is slow.
    pub fn in_memory() -> Self {
        Self::in_memory_with(|_| {})
    }

    /// The same with what `change` makes of its command.
    pub fn in_memory_with(change: impl FnOnce(&mut Command)) -> Self {
        let memory = tempfile::tempdir_in("/dev/shm");
        let directory = memory.unwrap_or_else(|_| tempfile::tempdir().unwrap());
        Self::of(directory, change)
    }

    /// With its database on the disk, and what `change` makes of its command.
    pub fn on_disk(change: impl FnOnce(&mut Command)) -> Self {
        Self::of(tempfile::tempdir().unwrap(), change)
    }

    fn of(directory: TempDir, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
            .args(["-d", "patient.db", "-l", "off"]);
        change(&mut command);
        let server = ServerProcess::spawn(command);
        Self { directory, server }
    }

    /// Talks to it.
    pub fn api(&self) -> Api {
        self.server.api()
    }

    /// Another connection to its database, past the server.
    pub fn sql(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.directory.path().join("patient.db")).unwrap();
        conn.busy_timeout(Duration::from_secs(30)).unwrap();
        conn
    }

    /// Runs `torc doctor server` with further arguments.
    pub fn doctor(&self, arguments: &[&str]) -> Answer {
        let mut command = torc();
        command
            .args(["doctor", "server", "--url", self.api().root()])
            .args(arguments);
        output_bounded(&mut command)
    }

    /// What the doctor says now, and its exit code.
    pub fn examined(&self) -> (Value, i32) {
        let answer = self.doctor(&["--json"]);
        let diagnosis =
            serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        (diagnosis, answer.code.unwrap())
    }

    /// Waits until the doctor names this cause before all others; answers its diagnosis.
    #[track_caller]
    pub fn must_have(&self, name: &str) -> Value {
        let start = Instant::now();
        loop {
            let (diagnosis, code) = self.examined();
            if diagnosis["findings"][0]["name"] == name {
                assert_eq!((code, &diagnosis["state"]), (4, &json!("sick")));
                assert_eq!(diagnosis["verdict"], diagnosis["findings"][0]["verdict"]);
                // With --nocapture this is what docs/diagnosing.md shows.
                println!("{}", self.doctor(&[]).out);
                return diagnosis;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the doctor does not name {name}: {diagnosis:#}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Clients that go on until this is dropped.
pub struct Load(Vec<JoinHandle<()>>);

impl Load {
    /// Starts `clients` that do something again and again, each with its number and how
    /// often it has done it.
    pub fn of<F>(clients: usize, round: impl Fn(usize, usize) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let client = |number| {
            let round = round.clone();
            tokio::spawn(async move {
                for turn in 0.. {
                    round(number, turn).await;
                }
            })
        };
        Self((0..clients).map(client).collect())
    }

    /// Clients that create a job and look at it, with a little time in between. Refusals
    /// are part of what goes wrong, so none is minded.
    pub async fn small(clients: usize, api: &Api) -> Self {
        let workflow = api.workflow().await;
        let api = api.clone();
        Self::of(clients, move |client, turn| {
            let api = api.clone();
            async move {
                let job = json!({
                    "workflow_id": workflow, "name": format!("{client}.{turn}"), "command": "true",
                });
                let made = api.send("POST /jobs", &job).await;
                if let Some(id) = made.body["id"].as_i64() {
                    api.send(&format!("GET /jobs/{id}"), &Value::Null).await;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// A list of so many jobs for `POST /bulk_jobs`.
pub fn many_jobs(workflow: i64, count: usize, prefix: &str) -> Value {
    let job = |number| {
        json!({
            "workflow_id": workflow, "name": format!("{prefix}{number}"), "command": "true",
        })
    };
    json!({"jobs": (0..count).map(job).collect::<Vec<_>>()})
}

/// Compiles a fault that is preloaded; answers the library.
pub fn compiled(source: &str, directory: &Path) -> PathBuf {
    let library = directory.join("fault.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(root().join("tests/it/faults").join(source))
        .arg("-ldl")
        .output()
        .expect("cc is there: scripts/test.sh installs gcc");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    library
}
