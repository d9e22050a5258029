//! What the operating system says of this process. Every figure may be missing: most are
//! read from `/proc`, which only Linux has.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;

/// The process and its machine.
#[derive(Debug, Default, Serialize)]
pub struct ProcessReport {
    /// Its id.
    pub pid: u32,
    /// Memory that it has in RAM, in bytes.
    pub resident_bytes: Option<u64>,
    /// The most it ever had, in bytes.
    pub peak_resident_bytes: Option<u64>,
    /// CPU time in its own code, in seconds.
    pub cpu_user_s: Option<f64>,
    /// CPU time in the kernel on its behalf, in seconds.
    pub cpu_system_s: Option<f64>,
    /// Open file descriptors.
    pub fds: Option<u64>,
    /// How many it may open; none if that is not limited.
    pub fd_limit: Option<u64>,
    /// How many processes wanted a CPU in the last 1, 5 and 15 minutes, of the machine.
    pub load: Option<[f64; 3]>,
    /// What kind of CPU it runs on.
    pub cpu: Option<String>,
    /// How many CPUs it may use.
    pub cpus: Option<usize>,
    /// How many threads it has.
    pub threads: Option<u64>,
    /// The threads by name, the busiest first.
    pub by_thread: Vec<ThreadReport>,
}

/// Threads of one name.
#[derive(Debug, Serialize)]
pub struct ThreadReport {
    /// The name.
    pub name: String,
    /// How many have it.
    pub count: u64,
    /// Their CPU time since the start, in seconds.
    pub cpu_s: f64,
}

/// Names of threads that a report lists; the rest are summed up as `(others)`.
const NAMES: usize = 40;

/// Reads all of it; takes about a millisecond. Blocks on `/proc` alone.
pub fn report() -> ProcessReport {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name| Some(field(&status, name)? << 10);
    let cpu = std::fs::read_to_string("/proc/self/stat").ok();
    let cpu = cpu.as_deref().and_then(cpu_ticks);
    ProcessReport {
        pid: std::process::id(),
        resident_bytes: kilobytes("VmRSS:"),
        peak_resident_bytes: kilobytes("VmHWM:"),
        cpu_user_s: cpu.map(|(user, _)| seconds(user)),
        cpu_system_s: cpu.map(|(_, system)| seconds(system)),
        fds: entries("/proc/self/fd"),
        fd_limit: getrlimit(Resource::Nofile).current,
        load: load(),
        cpu: cpu_model(),
        cpus: std::thread::available_parallelism().ok().map(usize::from),
        threads: field(&status, "Threads:"),
        by_thread: by_thread(),
    }
}

/// CPU time of the whole process until now.
pub fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (user, system) = cpu_ticks(&stat)?;
    Some(Duration::from_secs_f64(seconds(user + system)))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of a `stat` file. The name in it may hold anything, a closing
/// bracket included, so one counts from the last.
fn cpu_ticks(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user = fields.next()?.parse().ok()?;
    Some((user, fields.next()?.parse().ok()?))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / clock_ticks_per_second().max(1) as f64
}

fn entries(directory: &str) -> Option<u64> {
    let entries = std::fs::read_dir(directory).ok()?;
    u64::try_from(entries.count()).ok()
}

fn load() -> Option<[f64; 3]> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let mut figures = text.split_whitespace().map(str::parse::<f64>);
    let mut next = || figures.next()?.ok();
    Some([next()?, next()?, next()?])
}

fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let (_, model) = line.split_once(':')?;
    Some(model.trim().to_owned())
}

fn by_thread() -> Vec<ThreadReport> {
    let mut names: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten() {
        // A thread may be gone by now.
        let stat = thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
        let Some((name, ticks)) = stat.ok().as_deref().and_then(thread_of) else {
            continue;
        };
        let (count, sum) = names.entry(name).or_default();
        *count += 1;
        *sum += ticks;
    }
    let mut threads: Vec<_> = names
        .into_iter()
        .map(|(name, (count, ticks))| ThreadReport {
            name,
            count,
            cpu_s: seconds(ticks),
        })
        .collect();
    threads.sort_by(|a, b| b.cpu_s.total_cmp(&a.cpu_s));
    if threads.len() > NAMES {
        let others = threads.split_off(NAMES);
        threads.push(ThreadReport {
            name: "(others)".to_owned(),
            count: others.iter().map(|thread| thread.count).sum(),
            cpu_s: others.iter().map(|thread| thread.cpu_s).sum(),
        });
    }
    threads
}

fn thread_of(stat: &str) -> Option<(String, u64)> {
    let name = stat.split_once('(')?.1.rsplit_once(')')?.0;
    let (user, system) = cpu_ticks(stat)?;
    Some((name.to_owned(), user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_file_is_read_past_any_name() {
        let stat = "7 (a) (b) 1) R 1 7 7 0 -1 4194560 1 2 3 4 250 125 0 0 20 0 9 0";
        assert_eq!(thread_of(stat), Some(("a) (b) 1".to_owned(), 375)));
        assert_eq!(thread_of("7 (torn"), None);
        assert_eq!(thread_of("7 (torn) R 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_read() {
        let process = report();
        assert!(process.resident_bytes > Some(1 << 20));
        assert!(process.peak_resident_bytes >= process.resident_bytes);
        assert!(process.threads >= Some(1) && process.fds >= Some(3));
        assert!(process.load.is_some() && process.cpus >= Some(1));
        let counted: u64 = process.by_thread.iter().map(|thread| thread.count).sum();
        assert!(counted >= 1);
        assert!(cpu_time().is_some());
    }
}
