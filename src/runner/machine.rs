//! What this machine has to offer.

use std::num::NonZero;

/// One gibibyte, the unit of memory on the wire.
pub(super) const GIB: f64 = (1_u64 << 30) as f64;

/// The name of this machine.
pub(super) fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// CPUs that this process may use; counts the affinity mask and the control group's quota.
pub(super) fn num_cpus() -> i64 {
    let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
    i64::try_from(cpus).unwrap_or(i64::MAX)
}

/// Memory of this machine in GiB; a modest guess where it cannot be read.
pub(super) fn memory_gb() -> f64 {
    std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total_kib(&text))
        .map_or(1.0, |kib| kib as f64 * 1024.0 / GIB)
}

fn total_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{memory_gb, num_cpus, total_kib};

    #[test]
    fn the_total_is_found_among_the_lines() {
        let text = "MemFree: 5 kB\nMemTotal:       24576000 kB\nBuffers: 1 kB\n";
        assert_eq!(total_kib(text), Some(24_576_000));
        assert_eq!(total_kib("MemFree: 5 kB\n"), None);
        assert_eq!(total_kib("MemTotal: many\n"), None);
    }

    #[test]
    fn this_machine_has_something() {
        assert!(num_cpus() >= 1);
        assert!(memory_gb() > 0.0);
    }
}
