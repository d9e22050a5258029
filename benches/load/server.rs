//! The server under load: started here, or found where `--url` says.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process};
use tempfile::TempDir;

use super::Outcome;
use super::args::{Common, ConsoleState, Durability, Kind, Log, Switch};
use super::meter;
use super::report::Report;

/// How long a server may take to answer, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// The database's name in its directory.
const DATABASE: &str = "load.db";
/// Open files that a thousand pollers and as many streams need, on either side.
const OPEN_FILES: u64 = 16_384;

/// A server that answers.
pub struct Server {
    host: String,
    pid: Option<u32>,
    name: String,
    own: Option<Own>,
}

/// What belongs to a server that was started here.
struct Own {
    process: Child,
    directory: PathBuf,
    _temporary: Option<TempDir>,
}

impl Drop for Own {
    fn drop(&mut self) {
        // Only where a run failed: otherwise it has stopped already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// The server that the flags name, started if it is not there already.
    pub fn start(flags: &Common) -> Outcome<Self> {
        if let Some(url) = &flags.url {
            let host = url
                .strip_prefix("http://")
                .ok_or_else(|| format!("--url {url}: it looks like http://127.0.0.1:8080"))?;
            let host = host.split('/').next().unwrap_or_default().to_owned();
            return Ok(Self {
                host,
                pid: flags.pid,
                name: flags.label.clone().unwrap_or_else(|| url.clone()),
                own: None,
            });
        }
        let temporary = match &flags.dir {
            Some(_) => None,
            None => Some(TempDir::with_prefix("torc-load-")?),
        };
        let directory = match (&flags.dir, &temporary) {
            (Some(directory), _) => directory.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => PathBuf::from("."),
        };
        let directory = directory
            .canonicalize()
            .map_err(|error| format!("--dir {}: {error}", directory.display()))?;
        if directory.join(DATABASE).exists() {
            let path = directory.join(DATABASE);
            return Err(format!("{} is there already", path.display()).into());
        }
        let mut command = command(flags, &directory);
        let mut process = command
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.join("server.log"))?)
            .spawn()
            .map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let output = process.stdout.take();
        let mut own = Own {
            process,
            directory,
            _temporary: temporary,
        };
        let Some(port) = output.and_then(|output| port(BufReader::new(output))) else {
            let _ = own.process.kill();
            let words = last_words(&own.directory);
            return Err(format!("the server named no port{words}").into());
        };
        Ok(Self {
            host: format!("127.0.0.1:{port}"),
            pid: Some(own.process.id()),
            name: flags.label.clone().unwrap_or_else(|| name(flags)),
            own: Some(own),
        })
    }

    /// Name and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its process, if it is known.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// What a table calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has logged so far, if it was started here.
    pub fn log(&self) -> String {
        let path = self
            .own
            .as_ref()
            .map(|own| own.directory.join("server.log"));
        path.and_then(|path| std::fs::read(path).ok())
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// The end of its log, to go with an error.
    pub fn last_words(&self) -> String {
        self.own
            .as_ref()
            .map(|own| last_words(&own.directory))
            .unwrap_or_default()
    }

    /// Notes its memory, stops it, and notes the size of the database.
    pub fn finish(mut self, report: &mut Report) -> Outcome<()> {
        let peak = self.pid.and_then(|pid| meter::memory_kib(pid, "VmHWM:"));
        report.peak_memory_mb = peak.map(|kib| kib as f64 * 1024.0 / 1e6);
        let Some(own) = &mut self.own else {
            return Ok(());
        };
        stop(&mut own.process)?;
        let mut bytes = 0;
        for entry in std::fs::read_dir(&own.directory)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(DATABASE) {
                bytes += entry.metadata()?.len();
            }
        }
        report.database_bytes_per_job = Some(bytes as f64 / report.jobs.max(1) as f64);
        Ok(())
    }
}

/// How each kind of server is started: with its own defaults where nothing else is said.
fn command(flags: &Common, directory: &Path) -> Command {
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_torc-server"));
    let program = flags.server.as_ref().unwrap_or(&ours);
    // It starts in another directory; a name without one is looked for in PATH.
    let mut command = Command::new(program.canonicalize().unwrap_or_else(|_| program.clone()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("TORC_") || matches!(&*name, "RUST_LOG" | "DATABASE_URL") {
            command.env_remove(&*name);
        }
    }
    command.args(["run", "--host", "127.0.0.1", "--port", "0", "--database"]);
    command.arg(directory.join(DATABASE));
    if let Some(threads) = flags.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    match flags.kind {
        Kind::TorcServer => {
            let durability = match flags.durability {
                Durability::Power => "power",
                Durability::Process => "process",
            };
            let timing = match flags.timing {
                Switch::On => "on",
                Switch::Off => "off",
            };
            command.args(["--durability", durability, "--timing", timing]);
            match flags.console {
                ConsoleState::Off => command.arg("--no-console"),
                // Not the usual port: somebody may be there.
                _ => command.args(["--console-bind", "127.0.0.1:0"]),
            };
            if flags.log == Log::Lines {
                command.env("TORC_TIMING_ENABLED", "1");
            }
            if flags.log != Log::Info {
                command.args(["--log-level", "debug", "--log-dir"]);
                command.arg(directory.join("logs"));
            }
        }
        // Dependents become claimable at this tick; its default of 30 s would only
        // show how long 30 s are.
        Kind::Torc => {
            command.args(["--completion-check-interval-secs", "0.1"]);
        }
    }
    command.args(&flags.server_arg);
    command
}

fn name(flags: &Common) -> String {
    match (flags.kind, flags.durability) {
        (Kind::Torc, _) => "torc",
        (Kind::TorcServer, Durability::Power) => "power",
        (Kind::TorcServer, Durability::Process) => "process",
    }
    .to_owned()
}

/// The port that a server names in its first line. A thread reads on, or the server
/// would fail when it says more.
fn port(mut output: impl BufRead + Send + 'static) -> Option<u16> {
    let (sender, first) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            let _ = sender.send(std::mem::take(&mut line));
        }
    });
    let line = first.recv_timeout(PATIENCE).ok()?;
    line.trim().strip_prefix("TORC_SERVER_PORT=")?.parse().ok()
}

/// Stops a server as Ctrl-C does, and waits until it has ended.
fn stop(process: &mut Child) -> Outcome<()> {
    kill_process(Pid::from_child(process), Signal::INT)?;
    let asked = Instant::now();
    while asked.elapsed() < PATIENCE {
        if let Some(status) = process.try_wait()? {
            return match status.success() {
                true => Ok(()),
                false => Err(format!("the server ended with {status}").into()),
            };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    process.kill()?;
    Err("the server did not stop within a minute".into())
}

fn last_words(directory: &Path) -> String {
    let log = std::fs::read(directory.join("server.log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    let last = &lines[lines.len().saturating_sub(10)..];
    match last.is_empty() {
        true => String::new(),
        false => format!("; its log ends with\n{}", last.join("\n")),
    }
}

/// Lets this process and the server, which inherits it, hold many connections.
pub fn raise_open_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = limit
        .maximum
        .map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    // A smaller limit shows as a failed connection, with a clear enough text.
    let _ = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        },
    );
}
