//! The report of the runtime as text, for people at a terminal.

use std::fmt;

use super::process::ProcessReport;
use super::report::{RuntimeReport, SlowReport, StallsReport, WindowReport, WorkerReport};

/// Slow polls that the text lists; the JSON has all that are kept.
const LISTED: usize = 20;

impl fmt::Display for RuntimeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "torc-server runtime at {}", self.generated_at)?;
        for missing in &self.lacks {
            writeln!(f, "not here: {missing}")?;
        }
        stalls(f, &self.stalls)?;
        writeln!(f)?;
        workers(f, &self.workers)?;
        writeln!(f)?;
        lately(f, &self.lately)?;
        let tasks = &self.tasks;
        writeln!(
            f,
            "Tasks: {} alive, {} spawned since the start, {} in the global queue",
            tasks.alive,
            count(tasks.spawned),
            tasks.global_queue,
        )?;
        writeln!(
            f,
            "  {} wakes from outside of the workers, {} forced yields (a task's budget was used up)",
            count(tasks.remote_schedules),
            count(tasks.budget_forced_yields),
        )?;
        writeln!(
            f,
            "Blocking pool: {} threads, {} of them idle, {} functions queued\n",
            count(tasks.blocking_threads),
            count(tasks.blocking_idle),
            count(tasks.blocking_queue),
        )?;
        polls(f, self)?;
        process(f, &self.process)
    }
}

fn stalls(f: &mut fmt::Formatter<'_>, stalls: &StallsReport) -> fmt::Result {
    let Some(threshold) = stalls.threshold_ms else {
        return writeln!(f, "\nNobody watches for stalls in this process.");
    };
    for stall in &stalls.now {
        write!(
            f,
            "\nSTUCK NOW: a worker is kept for {:.1} s by ",
            stall.ms / 1e3
        )?;
        one(f, stall)?;
    }
    writeln!(
        f,
        "\nStalls (a worker inside one poll for {threshold:.0} ms and more): {}",
        stalls.count
    )?;
    if stalls.standstills > 0 {
        let times = stalls.standstills;
        writeln!(f, "  the whole process stood still {times} times besides")?;
    }
    for stall in &stalls.past {
        write!(f, "  {:>9.1} ms  ", stall.ms)?;
        one(f, stall)?;
    }
    Ok(())
}

/// Who it was.
fn one(f: &mut fmt::Formatter<'_>, slow: &SlowReport) -> fmt::Result {
    write!(f, "{} (task {})", slow.name, slow.task)?;
    if let (Some(id), Some(route)) = (slow.request, slow.route) {
        write!(f, ", request {id}, {route}")?;
    }
    writeln!(f)
}

fn workers(f: &mut fmt::Formatter<'_>, workers: &[WorkerReport]) -> fmt::Result {
    writeln!(
        f,
        "{:>6} {:>6} {:>10} {:>11} {:>11} {:>9} {:>9} {:>6}  now",
        "worker", "busy", "busy s", "polls", "parks", "steals", "overflows", "queue"
    )?;
    for worker in workers {
        write!(
            f,
            "{:>6} {:>6} {:>10.2} {:>11} {:>11} {:>9} {:>9} {:>6}  ",
            worker.worker,
            worker.busy.map_or_else(|| "-".to_owned(), percent),
            worker.busy_s,
            count(worker.polls),
            worker.parks,
            count(worker.steals),
            count(worker.overflows),
            count(worker.local_queue),
        )?;
        match &worker.polling {
            Some(polling) => {
                write!(f, "{} for {:.1} ms", polling.name, polling.for_ms)?;
                if let Some(route) = polling.route {
                    write!(f, ", {route}")?;
                }
                writeln!(f)?;
            }
            None => writeln!(f, "-")?,
        }
    }
    Ok(())
}

fn lately(f: &mut fmt::Formatter<'_>, windows: &[WindowReport]) -> fmt::Result {
    for window in windows {
        let busy: Vec<_> = window.busy.iter().copied().map(percent).collect();
        write!(f, "{:>4}: workers busy {}", window.window, busy.join(" "))?;
        if let Some(cpus) = window.cpus {
            write!(f, "; the process used {cpus:.2} CPUs")?;
        }
        if let Some(spawned) = window.spawned_per_s {
            write!(f, "; {spawned:.1} tasks/s spawned")?;
        }
        if let Some(polls) = &window.polls_per_s {
            write!(f, "; {:.0} polls/s", polls.iter().sum::<f64>())?;
        }
        writeln!(f, " ({:.0} s)", window.span_s)?;
    }
    if windows.is_empty() {
        writeln!(f, "no figures over time yet")?;
    }
    writeln!(f)
}

fn polls(f: &mut fmt::Formatter<'_>, report: &RuntimeReport) -> fmt::Result {
    let polls = &report.polls;
    writeln!(
        f,
        "Polls: {} in {:.2} s of work, {} of them slow ({:.0} ms and more)",
        polls.count, polls.total_s, polls.slow, polls.slow_from_ms
    )?;
    for bucket in &polls.buckets {
        let share = bucket.count as f64 / polls.count.max(1) as f64;
        match bucket.below_us {
            Some(below) => write!(f, "  below {below:>9} µs"),
            None => write!(f, "  longer            "),
        }?;
        writeln!(f, " {:>11} {:>7.3} %", bucket.count, share * 100.0)?;
    }
    for slow in polls.newest_slow.iter().take(LISTED) {
        write!(f, "  slow: {:>9.1} ms  ", slow.ms)?;
        one(f, slow)?;
    }
    writeln!(f)
}

fn process(f: &mut fmt::Formatter<'_>, process: &ProcessReport) -> fmt::Result {
    let mib = |bytes: Option<u64>| count(bytes.map(|bytes| bytes >> 20));
    writeln!(
        f,
        "Process {}: {} MiB in RAM (at most {}), {} threads, {} of {} file descriptors",
        process.pid,
        mib(process.resident_bytes),
        mib(process.peak_resident_bytes),
        count(process.threads),
        count(process.fds),
        count(process.fd_limit),
    )?;
    if let (Some(user), Some(system)) = (process.cpu_user_s, process.cpu_system_s) {
        writeln!(
            f,
            "  CPU: {user:.2} s of its own, {system:.2} s in the kernel"
        )?;
    }
    for thread in process.by_thread.iter().take(LISTED) {
        writeln!(
            f,
            "  {:>9.2} s  {} × {}",
            thread.cpu_s, thread.count, thread.name
        )?;
    }
    let model = process.cpu.as_deref().unwrap_or("unknown");
    writeln!(f, "Machine: {} CPUs ({model})", count(process.cpus))?;
    if let Some([one, five, fifteen]) = process.load {
        writeln!(f, "  load {one:.2} {five:.2} {fifteen:.2}")?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// A figure, or a dash for what is not known.
fn count<T: fmt::Display>(figure: Option<T>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}
