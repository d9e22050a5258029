//! The process as the system sees it, under the names that all exporters use.

use std::fmt;
use std::sync::OnceLock;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use super::family::Page;

/// What `/proc/self/stat` says, in seconds and bytes.
struct Stat {
    cpu: f64,
    threads: u64,
    /// Since the machine started.
    started: f64,
    virtual_bytes: u64,
    resident_bytes: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The program's name is in parentheses and may hold anything.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // proc(5) counts from 1 and the name is the second one.
        let field = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
        Some(Self {
            cpu: seconds(field(14)? + field(15)?),
            threads: field(20)?,
            started: seconds(field(22)?),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_size() as u64,
        })
    }
}

/// When the machine started, seconds since the epoch. Read once: a clock that is set
/// moves it.
fn boot() -> Option<f64> {
    static BOOT: OnceLock<Option<f64>> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
        line.trim().parse().ok()
    })
}

/// Writes what there is; what the system does not tell is left out.
pub fn tell(page: &mut Page<'_, '_>) -> fmt::Result {
    if let Some(stat) = Stat::read() {
        page.counter(
            "process_cpu_seconds",
            "User and system CPU time in seconds.",
            stat.cpu,
        )?;
        page.gauge(
            "process_resident_memory_bytes",
            "Resident memory in bytes.",
            stat.resident_bytes,
        )?;
        page.gauge(
            "process_virtual_memory_bytes",
            "Virtual memory in bytes.",
            stat.virtual_bytes,
        )?;
        page.gauge("process_threads", "Threads of the process.", stat.threads)?;
        if let Some(boot) = boot() {
            let help = "When the process started, in seconds since the epoch.";
            page.gauge("process_start_time_seconds", help, boot + stat.started)?;
        }
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // One of them reads the directory.
        let open = open.count().saturating_sub(1);
        page.gauge("process_open_fds", "Open file descriptors.", open)?;
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        page.gauge(
            "process_max_fds",
            "File descriptors that may be open.",
            most,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 7 0 300 4096 2 99";
        let stat = Stat::parse(&format!("12 (a) b) ) {rest}")).unwrap();
        let ticks = clock_ticks_per_second() as f64;
        assert_eq!((stat.threads, stat.virtual_bytes), (7, 4096));
        assert_eq!(stat.cpu, 150.0 / ticks);
        assert_eq!(stat.started, 300.0 / ticks);
        assert_eq!(stat.resident_bytes, 2 * page_size() as u64);
        assert!(Stat::parse("12 (a").is_none());
        assert!(Stat::parse("12 (a) S 1").is_none());
    }
}
