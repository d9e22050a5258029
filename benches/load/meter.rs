//! What a phase of a run costs: CPU time of the server, of this client and of the rest
//! of the machine, and instructions where the machine counts them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::report::Phase;

/// Ticks a second in `/proc`; Linux has shown the same to every program for decades.
const TICKS: f64 = 100.0;
/// How long `perf` may take to attach.
const ATTACH: Duration = Duration::from_millis(150);

/// Measures phases.
pub struct Meter {
    server: Option<u32>,
    counts_instructions: bool,
}

/// A phase that has begun.
pub struct Measuring {
    perf: Option<Child>,
    begun: Instant,
    server: Option<f64>,
    client: f64,
    machine: f64,
    pid: Option<u32>,
}

impl Meter {
    /// Measures the server of this process id, if it is known.
    pub fn new(server: Option<u32>) -> Self {
        Self {
            server,
            counts_instructions: server.is_some() && perf_counts(),
        }
    }

    /// Begins a phase.
    pub fn begin(&self) -> Measuring {
        let perf = self
            .server
            .filter(|_| self.counts_instructions)
            .and_then(|pid| {
                let child = perf(&["-p", &pid.to_string()]).spawn().ok();
                std::thread::sleep(ATTACH);
                child
            });
        Measuring {
            perf,
            server: self.server.and_then(cpu_seconds),
            client: own_cpu_seconds(),
            machine: machine_seconds(),
            pid: self.server,
            begun: Instant::now(),
        }
    }
}

impl Measuring {
    /// Ends the phase, in which `count` jobs were dealt with in `took`, or else in all
    /// the time since it began.
    pub fn end(self, name: &str, count: usize, took: Option<Duration>) -> Phase {
        let elapsed = self.begun.elapsed();
        let server = self.pid.and_then(cpu_seconds);
        let server = server
            .zip(self.server)
            .map(|(after, before)| after - before);
        let client = own_cpu_seconds() - self.client;
        let machine = machine_seconds() - self.machine;
        let instructions = self.perf.and_then(counted);
        let seconds = took.unwrap_or(elapsed).as_secs_f64();
        let per_job = |total: f64| total / count.max(1) as f64;
        Phase {
            name: name.to_owned(),
            count,
            seconds,
            per_second: count as f64 / seconds.max(1e-9),
            server_cpu_s: server,
            server_cpu_us_per_job: server.map(|total| per_job(total * 1e6)),
            server_instructions_per_job: instructions.map(|total| per_job(total as f64)),
            client_cpu_s: client,
            other_cores: ((machine - client - server.unwrap_or_default())
                / elapsed.as_secs_f64().max(1e-9))
            .max(0.0),
        }
    }
}

/// CPU seconds of a process, all its threads together.
fn cpu_seconds(pid: u32) -> Option<f64> {
    cpu_of(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn own_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    cpu_of(&stat).unwrap_or_default()
}

/// User and system time of a line of `/proc/PID/stat`: the 14th and 15th field, counted
/// behind the name, which may hold anything.
fn cpu_of(stat: &str) -> Option<f64> {
    let fields = stat.get(stat.rfind(')')? + 1..)?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// CPU seconds that the whole machine has spent on anything.
fn machine_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = stat.lines().next().unwrap_or_default();
    let fields: Vec<f64> = all
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // User, nice, system; then idle and waiting, which do not count; then interrupts.
    let busy = |at: usize| fields.get(at).copied().unwrap_or_default();
    (busy(0) + busy(1) + busy(2) + busy(5) + busy(6)) / TICKS
}

fn perf(target: &[&str]) -> Command {
    let mut command = Command::new("perf");
    command
        .args(["stat", "-x", ",", "-e", "instructions:u"])
        .args(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Whether `perf stat` is there and the machine lets it count; virtual ones often do not.
fn perf_counts() -> bool {
    let tried = perf(&["true"]).output();
    tried.is_ok_and(|output| count_in(&output.stderr).is_some())
}

/// Ends `perf` and answers what it counted.
fn counted(perf: Child) -> Option<u64> {
    let pid = rustix::process::Pid::from_child(&perf);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).ok()?;
    count_in(&perf.wait_with_output().ok()?.stderr)
}

/// The first field of the first line that has a number there.
fn count_in(text: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .find_map(|line| line.split(',').next()?.trim().parse().ok())
}

/// A value in KiB of `/proc/PID/status`, such as `VmHWM`.
pub fn memory_kib(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
