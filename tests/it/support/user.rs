//! A user with a directory of their own, who runs `torc` and perhaps a server.

use std::io::PipeWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Answer, HANG, ServerProcess, Worker, output_bounded, output_to, torc};

/// Somebody at a shell.
pub struct User {
    directory: TempDir,
    /// The server, if there is one.
    pub server: Option<ServerProcess>,
}

impl User {
    /// Without a server.
    pub fn alone() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            server: None,
        }
    }

    /// With a server in the same directory.
    pub fn with_server() -> Self {
        Self::with_server_of(&[])
    }

    /// With a server that got these arguments.
    pub fn with_server_of(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let server = ServerProcess::start(directory.path(), arguments);
        Self {
            directory,
            server: Some(server),
        }
    }

    /// Where the commands are run.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The server's address; without one, a port that nobody serves.
    pub fn url(&self) -> String {
        let port = self.server.as_ref().map_or(1, ServerProcess::port);
        format!("http://127.0.0.1:{port}")
    }

    /// A command, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = torc();
        command
            .current_dir(self.path())
            .env("TORC_API_URL", self.url())
            .env("USER", "ada")
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn torc(&self, arguments: &[&str]) -> Answer {
        output_bounded(&mut self.command(arguments))
    }

    /// Runs a command to its end, with its standard output there.
    pub fn torc_to(&self, arguments: &[&str], out: impl Into<Stdio>) -> Answer {
        output_to(&mut self.command(arguments), out, Stdio::piped())
    }

    /// Runs a command that must succeed, and answers what it printed.
    #[track_caller]
    pub fn good(&self, arguments: &[&str]) -> String {
        let Answer { code, out, err } = self.torc(arguments);
        assert_eq!(code, Some(0), "torc {arguments:?}\n{out}\n{err}");
        out
    }

    /// The same, as JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.good(&[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Writes a file and answers its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Creates the workflow of a spec and answers its id.
    pub fn create(&self, spec: &str) -> String {
        let file = self.write("spec.yaml", spec);
        self.json(&["create", &file])["workflow_id"].to_string()
    }

    /// Starts a worker.
    pub fn worker(&self, arguments: &[&str]) -> Worker {
        Worker::start(self.command(&[&["run"], arguments].concat()))
    }

    /// The count of jobs in one status.
    pub fn jobs(&self, workflow: &str, status: &str) -> i64 {
        let answer = self.json(&["status", workflow]);
        answer["jobs_by_status"][status].as_i64().unwrap()
    }

    /// Waits until so many jobs are in this status.
    #[track_caller]
    pub fn wait_for_jobs(&self, workflow: &str, status: &str, count: i64) {
        wait_until(&format!("{count} jobs {status}"), || {
            self.jobs(workflow, status) == count
        });
    }

    /// Waits until a file is there.
    #[track_caller]
    pub fn wait_for_file(&self, name: &str) {
        wait_until(name, || self.path().join(name).exists());
    }

    /// What a file holds; nothing if it is not there.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }
}

/// Waits until something holds, at most as long as nothing hangs.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < HANG, "still waiting for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A pipe whose reader has left, as after `| head -1`.
pub fn closed_pipe() -> PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}
