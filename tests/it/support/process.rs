//! The real binaries as processes of their own.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::api::Api;

/// How long anything may take before a test counts it as hung.
pub const HANG: Duration = Duration::from_secs(60);

/// `torc-server` with an environment that holds none of its variables.
pub fn torc_server() -> Command {
    bare(env!("CARGO_BIN_EXE_torc-server"))
}

/// `torc` with an environment that holds none of its variables.
pub fn torc() -> Command {
    bare(env!("CARGO_BIN_EXE_torc"))
}

/// Any program, with an environment that holds none of our variables.
pub fn bare(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        let ours = ["TORC_", "TOKIO_CONSOLE", "OTEL_"];
        if ours.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        .env_remove("RUST_LOG")
        .env_remove("DATABASE_URL")
        .env("NO_COLOR", "1");
    command
}

/// A server process; it is killed when dropped.
pub struct ServerProcess {
    child: Child,
    port: u16,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl ServerProcess {
    /// Starts `torc-server run` on a free loopback port in `directory`, without
    /// the console, and waits until it answers.
    pub fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = torc_server();
        command
            .current_dir(directory)
            .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
            .args(arguments);
        Self::spawn(command)
    }

    /// Starts a prepared command that prints its port.
    pub fn spawn(command: Command) -> Self {
        Self::try_spawn(command).unwrap_or_else(|said| panic!("no port was printed:\n{said}"))
    }

    /// The same on a port that is given, for a server that is to come back there. Whoever
    /// has it for a moment is waited for.
    pub fn start_on(directory: &Path, port: u16, arguments: &[&str]) -> Self {
        let start = Instant::now();
        loop {
            let mut command = torc_server();
            command
                .current_dir(directory)
                .args(["run", "--host", "127.0.0.1", "--no-console"])
                .args(["--port", &port.to_string()])
                .args(arguments);
            match Self::try_spawn(command) {
                Ok(server) => return server,
                Err(said) if said.contains("cannot listen") && start.elapsed() < HANG => {}
                Err(said) => panic!("no port was printed:\n{said}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts a prepared command; answers what it said if it ends without a port.
    fn try_spawn(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let Ok(first) = stdout.recv_timeout(HANG) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(stderr.iter().collect::<Vec<_>>().join("\n"));
        };
        let port = first
            .strip_prefix("TORC_SERVER_PORT=")
            .unwrap_or_else(|| panic!("not the port line: {first}"))
            .parse()
            .unwrap();
        Ok(Self {
            child,
            port,
            stdout,
            stderr,
        })
    }

    /// Talks to it.
    pub fn api(&self) -> Api {
        Api::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits until standard error has a line with `part`, and answers it.
    pub fn wait_for_log(&self, part: &str) -> String {
        wait_for(&self.stderr, part)
    }

    /// Waits until standard output has a line with `part`, and answers it.
    pub fn wait_for_output(&self, part: &str) -> String {
        wait_for(&self.stdout, part)
    }

    /// Waits for its end; answers how it ended and what else it said on standard error.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = wait_bounded(&mut self.child);
        (status, self.stderr.iter().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port for a server that is to come back on it: free, and below those that the system
/// gives to whoever asks for any, so that nobody takes it meanwhile by chance.
pub fn lasting_port() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let lowest = range.ok().and_then(|range| {
        let first = range.split_whitespace().next()?;
        first.parse::<u16>().ok()
    });
    let below = lowest.unwrap_or(32768).max(10_001);
    for _ in 0..1000 {
        let port = fastrand::u16(10_000..below);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port below {below}");
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a command to its end, at most as long as nothing hangs.
pub fn output_bounded(command: &mut Command) -> Answer {
    output_to(command, Stdio::piped(), Stdio::piped())
}

/// The same with standard output and standard error as given; what is no pipe to here
/// is empty in the answer.
pub fn output_to(command: &mut Command, out: impl Into<Stdio>, err: impl Into<Stdio>) -> Answer {
    let mut child = command.stdout(out).stderr(err).spawn().unwrap();
    let out = child.stdout.take().map(whole);
    let err = child.stderr.take().map(whole);
    let status = wait_bounded(&mut child);
    let text = |whole: Option<Receiver<String>>| {
        whole.map_or_else(String::new, |text| text.recv_timeout(HANG).unwrap())
    };
    Answer {
        code: status.code(),
        out: text(out),
        err: text(err),
    }
}

/// All of a stream, once it has ended.
fn whole(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        let _ = sender.send(text);
    });
    receiver
}

/// A `torc run` that goes on while the test does; it is ended when dropped.
pub struct Worker {
    child: Child,
    stderr: Receiver<String>,
    stdout: Receiver<String>,
}

impl Worker {
    /// Starts a prepared command.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self {
            child,
            stderr,
            stdout,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until standard error has a line with `part`, and answers it.
    pub fn wait_for_log(&self, part: &str) -> String {
        wait_for(&self.stderr, part)
    }

    /// Waits until standard output has a line with `part`, and answers it.
    pub fn wait_for_output(&self, part: &str) -> String {
        wait_for(&self.stdout, part)
    }

    /// Passes over what it has said until now.
    pub fn forget_log(&self) {
        self.stderr.try_iter().for_each(drop);
    }

    /// Waits for its end, and answers what it said that nobody has heard yet.
    pub fn finish(mut self) -> Answer {
        let start = Instant::now();
        while self.is_running() {
            assert!(start.elapsed() < HANG, "the worker did not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let code = self.child.wait().unwrap().code();
        let rest = |lines: &Receiver<String>| {
            let lines = std::iter::from_fn(|| lines.recv_timeout(HANG).ok());
            lines.collect::<Vec<_>>().join("\n")
        };
        Answer {
            code,
            out: rest(&self.stdout),
            err: rest(&self.stderr),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Twice: the second one kills its jobs, which would outlive it else.
        for _ in 0..2 {
            if self.is_running() {
                self.signal("TERM");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name to a process this test started.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

/// Waits for a child, at most as long as nothing hangs.
pub fn wait_bounded(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > HANG {
            let _ = child.kill();
            panic!("the process did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lines of a stream as they come, until it ends.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn wait_for(lines: &Receiver<String>, part: &str) -> String {
    let start = Instant::now();
    let mut seen = Vec::new();
    while start.elapsed() < HANG {
        let Ok(line) = lines.recv_timeout(HANG.saturating_sub(start.elapsed())) else {
            break;
        };
        if line.contains(part) {
            return line;
        }
        seen.push(line);
    }
    panic!("no line with '{part}' in:\n{}", seen.join("\n"));
}
