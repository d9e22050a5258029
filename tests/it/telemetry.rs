//! Telemetry from outside, each case in a process of its own: a process has one
//! subscriber, so the test program starts itself again and runs only [`child`].

#![expect(clippy::expect_used, reason = "a test may fail in a word")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use torc_server::config::telemetry::{TelemetryArgs, TelemetryConfig};
use torc_server::telemetry::{self, TelemetryHandle, resource::Resource, signal::Sigusr1, task};

/// Bounds hangs only.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[tracing::instrument(level = "debug", target = "torc_server::engine")]
async fn prepare_ready_jobs(workflow_id: i64, limit: i64) {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// What a server does with telemetry, until its standard input ends.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    let Ok(flags) = std::env::var("TELEMETRY_CHILD_FLAGS") else {
        return;
    };
    let flags: Vec<String> = serde_json::from_str(&flags).expect("a list");
    let flags = Flags::parse_from(["child".to_owned()].into_iter().chain(flags));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let inside = runtime.enter();
    let sigusr1 = Sigusr1::install().expect("installed");
    let config = TelemetryConfig::new(flags.telemetry).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    let telemetry = telemetry::init(&config).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    let twice = telemetry::init(&TelemetryConfig::default());
    assert!(twice.is_err(), "twice in one process");
    telemetry.handle().start_gathering();
    sigusr1.listen(
        telemetry.handle(),
        vec![Box::new(|| eprintln!("hook called"))],
    );

    let lines: usize =
        std::env::var("TELEMETRY_CHILD_LINES").map_or(0, |lines| lines.parse().expect("a number"));
    runtime.block_on(async {
        let writer = Resource::new("Writer", "Sync");
        let work = task::spawn("workers", async move {
            for workflow_id in 1..=20 {
                writer
                    .wait("Writer::submit", prepare_ready_jobs(workflow_id, 10))
                    .await;
            }
            for line in 0..lines {
                tracing::info!(line, "{}", "x".repeat(100));
            }
        });
        work.await.expect("no panic");
        // As a library would: without a name.
        let nameless = tokio::runtime::Handle::current().spawn(async {});
        nameless.await.expect("no panic");
        for _ in 0..std::env::var("TELEMETRY_CHILD_PANICS").map_or(0, |n| n.parse().expect("n")) {
            let panics = task::spawn("panics", async { panic!("as the test wants it") });
            panics.await.expect_err("a panic");
        }
        if let Ok(rounds) = std::env::var("TELEMETRY_CHILD_ROUNDS") {
            serve_connections(rounds.parse().expect("a number")).await;
        }
        println!("\nready");
        let handle = telemetry.handle();
        task::spawn_blocking("stdin", move || log_on_demand(&handle))
            .await
            .expect("no panic");
    });
    tracing::info!("the very last line");
    drop(inside);
    runtime.shutdown_timeout(Duration::from_secs(1));
    telemetry.shutdown();
}

/// For each number on standard input so many lines are logged, until that ends.
fn log_on_demand(telemetry: &TelemetryHandle) {
    for count in std::io::stdin().lock().lines().map_while(Result::ok) {
        for line in 0..count.parse().expect("a number") {
            tracing::info!(demanded = line, "{}", "x".repeat(100));
        }
        telemetry.flush(PATIENCE);
        println!("\nready");
    }
}

/// What a server's connections do to the console: 64 long-lived named tasks, and per
/// round a channel, a semaphore, a wait for the writer, a nameless task and a few timers.
async fn serve_connections(rounds: usize) {
    let writer = Resource::new("Writer", "Sync");
    let permits = Arc::new(tokio::sync::Semaphore::new(32));
    let (submit, mut queue) = mpsc::channel::<oneshot::Sender<()>>(64);
    let thread = std::thread::spawn(move || {
        while let Some(reply) = queue.blocking_recv() {
            let _ = reply.send(());
        }
    });
    let connections = (0..64).map(|_| {
        let (writer, permits, submit) = (writer.clone(), Arc::clone(&permits), submit.clone());
        task::spawn("http-connection", async move {
            for round in 0..rounds {
                let _permit = permits.acquire().await.expect("open");
                let (reply, answer) = oneshot::channel();
                submit.send(reply).await.expect("open");
                writer
                    .wait("Writer::submit", answer)
                    .await
                    .expect("a reply");
                let nameless = tokio::runtime::Handle::current().spawn(async {});
                nameless.await.expect("no panic");
                if round % 50 == 0 {
                    prepare_ready_jobs(1, 10).await;
                }
            }
        })
    });
    for connection in connections.collect::<Vec<_>>() {
        connection.await.expect("no panic");
    }
    drop(submit);
    thread.join().expect("no panic");
}

pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) dir: tempfile::TempDir,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stderr: String,
    pub(crate) dir: tempfile::TempDir,
}

/// Starts [`child`] in a directory of its own and waits until it has done its work.
pub(crate) fn start(flags: &[&str], env: &[(&str, &str)]) -> Running {
    let dir = tempfile::tempdir().expect("a directory");
    start_in(dir, flags, env)
}

pub(crate) fn start_in(dir: tempfile::TempDir, flags: &[&str], env: &[(&str, &str)]) -> Running {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    for name in [
        "RUST_LOG",
        "TORC_TIMING_ENABLED",
        "TORC_LOG_DIR",
        "TORC_SLOW",
        "TOKIO_CONSOLE_BIND",
    ] {
        command.env_remove(name);
    }
    let flags = serde_json::to_string(flags).expect("a list");
    let mut child = command
        .args(["--exact", "telemetry::child", "--ignored", "--nocapture"])
        .env("TELEMETRY_CHILD_FLAGS", flags)
        .envs(env.iter().copied())
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(dir.path().join("stderr")).expect("a file"))
        .spawn()
        .expect("it starts");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut running = Running {
        pid: child.id(),
        dir,
        child,
        stdout,
    };
    running.wait_until_ready();
    running
}

impl Running {
    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).expect("readable") > 0 && line != "ready\n" {
            line.clear();
        }
    }

    /// Lets it log so many lines, and waits until they are written.
    pub(crate) fn log(&mut self, lines: usize) {
        let stdin = self.child.stdin.as_mut().expect("open");
        writeln!(stdin, "{lines}").expect("it listens");
        self.wait_until_ready();
    }

    fn signal(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::USR1).expect("sent");
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).expect("text")
    }

    pub(crate) fn end(mut self) -> Ended {
        drop(self.child.stdin.take());
        self.stdout
            .read_to_string(&mut String::new())
            .expect("text");
        let status = self.child.wait().expect("it ends");
        Ended {
            status: status.code().expect("not killed"),
            stderr: self.stderr(),
            dir: self.dir,
        }
    }
}

pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "no {what} in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(ending)))
        .collect();
    files.sort();
    files
}

pub(crate) const TIMED: [(&str, &str); 2] = [("TORC_TIMING_ENABLED", "1"), ("RUST_LOG", "debug")];

/// The line that the user's guide shows, and its greps.
#[test]
fn close_lines_have_the_shape_of_the_guide() {
    let ended = start(&["--no-console"], &TIMED).end();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let shape = regex::Regex::new(
        r"(?m)^\S+Z DEBUG prepare_ready_jobs\{workflow_id=1 limit=10\}: close time\.busy=[0-9.]+ms time\.idle=[0-9.]+ms$",
    )
    .expect("a pattern");
    assert!(shape.is_match(&ended.stderr), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("close time").count(), 20);
    assert!(!ended.stderr.contains('\x1b'), "colours only on a terminal");
    // The script reads what the server writes.
    let output = Command::new("sh")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/scripts/analyze_timings.sh"
        ))
        .args(["--json", "stderr"])
        .current_dir(ended.dir.path())
        .output()
        .expect("sh runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["functions"][0]["count"], 20);
    let idle = report["functions"][0]["idle"]["min"]
        .as_f64()
        .expect("a number");
    assert!(idle > 1.0, "it sleeps for 2 ms: {idle}");
}

#[test]
fn without_the_variable_or_the_level_there_are_no_close_lines() {
    for env in [
        &[("RUST_LOG", "trace")][..],
        &[("TORC_TIMING_ENABLED", "true")],
        &[("TORC_TIMING_ENABLED", "0"), ("RUST_LOG", "debug")],
    ] {
        let ended = start(&["--console-bind", "127.0.0.1:0"], env).end();
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(!ended.stderr.contains("close"), "{}", ended.stderr);
        // tokio's own events are the console's, at any level.
        assert!(!ended.stderr.contains("tokio::"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("runtime.spawn"), "{}", ended.stderr);
    }
}

#[test]
fn rust_log_wins_over_the_flag() {
    let ended = start(&["--no-console", "-l", "info"], &[("RUST_LOG", "error")]).end();
    assert!(
        !ended.stderr.contains("the very last line"),
        "{}",
        ended.stderr
    );
    let ended = start(&["--no-console", "-l", "error"], &[("RUST_LOG", "")]).end();
    assert!(
        !ended.stderr.contains("the very last line"),
        "{}",
        ended.stderr
    );
    let ended = start(&["--no-console"], &[]).end();
    assert!(
        ended.stderr.contains("the very last line"),
        "{}",
        ended.stderr
    );
}

/// One clear line and no server.
#[test]
fn settings_that_mean_nothing_are_refused() {
    for (env, advice) in [
        (
            ("RUST_LOG", "a=b=c"),
            "the log filter `a=b=c`, from RUST_LOG or --log-level, is not valid",
        ),
        (("RUST_LOG", "debgu"), "did you mean `debug`?"),
        (("RUST_LOG", "warning"), "did you mean `warn`?"),
        (
            ("TORC_TIMING_ENABLED", "maybe"),
            "TORC_TIMING_ENABLED=\"maybe\" is not understood",
        ),
        (
            ("TOKIO_CONSOLE_BIND", "nowhere"),
            "invalid value 'nowhere' for '--console-bind",
        ),
        (
            ("TORC_LOG_DIR", "/proc/nowhere"),
            "cannot write logs to /proc/nowhere",
        ),
    ] {
        let ended = start(&[], &[env]).end();
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(advice), "{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

/// An idle server, a burst, old dumps in the way, no close lines needed.
#[test]
fn sigusr1_dumps_promptly_and_keeps_the_newest() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..25 {
        for (start, ending) in [("timings", "txt"), ("timings", "json"), ("flight", "json")] {
            let name = format!("torc-{start}-20200101T0000{n:02}.000Z.{ending}");
            std::fs::write(dir.path().join(name), "old").expect("written");
        }
    }
    let running = start_in(dir, &["--no-console"], &[]);
    for _ in 0..50 {
        running.signal();
    }
    let dumped = wait_for("line about the dump", || {
        let stderr = running.stderr();
        let line = stderr
            .lines()
            .find(|line| line.contains("timings dumped"))?;
        Some(line.split("path=").nth(1)?.trim().to_owned())
    });
    let table = std::fs::read_to_string(running.dir.path().join(&dumped)).expect("a table");
    assert!(table.contains("prepare_ready_jobs"), "{table}");
    let json = dumped.replace(".txt", ".json");
    let json = std::fs::read(running.dir.path().join(json)).expect("beside it");
    let report: Value = serde_json::from_slice(&json).expect("JSON");
    let span = &report["spans"][0];
    assert_eq!(span["span"], "prepare_ready_jobs");
    assert_eq!(span["count"], 20);
    for key in ["mean", "p50", "p90", "p99", "p99.9", "max"] {
        assert!(span[key].as_f64().expect(key) >= 2_000.0, "{key}: {span}");
    }
    assert!(report["phases"]["writer"]["queued"].is_u64());

    // Another one, of the same samples: looking takes nothing away.
    let before = running.stderr().matches("timings dumped").count();
    running.signal();
    wait_for("second dump", || {
        (running.stderr().matches("timings dumped").count() > before).then_some(())
    });
    let (flights, kept): (Vec<_>, Vec<_>) = files(running.dir.path(), ".json")
        .into_iter()
        .partition(|path| path.to_string_lossy().contains("torc-flight-"));
    assert_eq!((flights.len(), kept.len()), (20, 20));
    let newest = std::fs::read(kept.last().expect("20")).expect("readable");
    let newest: Value = serde_json::from_slice(&newest).expect("JSON");
    assert_eq!(newest["spans"][0]["count"], 20);
    assert_eq!(files(running.dir.path(), ".tmp").len(), 0);
    let ended = running.end();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("hook called"));
    let dumps = ended.stderr.matches("timings dumped").count();
    assert!(dumps < 20, "51 signals, {dumps} dumps");
}

#[test]
fn a_dump_of_a_server_that_records_nothing_says_so() {
    let running = start(&["--no-console", "--timing", "off"], &[]);
    running.signal();
    let dump = wait_for("dump", || files(running.dir.path(), ".txt").pop());
    let table = std::fs::read_to_string(dump).expect("a table");
    assert!(table.contains("--timing off"), "{table}");
    assert_eq!(running.end().status, 0);
}

#[test]
fn a_taken_console_port_is_a_warning() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let ended = start(&["--console-bind", &address], &[]).end();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(
        ended.stderr.matches("tokio-console is off").count(),
        1,
        "{}",
        ended.stderr
    );
}
