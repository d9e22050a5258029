//! What a run found: for people as text, for `table` and other programs as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Outcome;

/// A run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Which scenario.
    pub scenario: String,
    /// Which row of a table it counts for.
    pub row: String,
    /// Which server it was.
    pub server: String,
    /// The scenario's flags.
    pub flags: Value,
    /// Its phases, in order.
    pub phases: Vec<Phase>,
    /// How long each kind of call took, in microseconds.
    pub calls: BTreeMap<String, Latency>,
    /// Most memory the server has had, in MB.
    pub peak_memory_mb: Option<f64>,
    /// Bytes of the database after the stop, for each job.
    pub database_bytes_per_job: Option<f64>,
    /// What only this scenario has.
    pub extras: BTreeMap<String, f64>,
    /// Jobs created.
    pub jobs: usize,
    /// What should not have happened.
    pub violations: Vec<String>,
}

/// A part of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Jobs dealt with.
    pub count: usize,
    /// How long it took.
    pub seconds: f64,
    /// Jobs a second.
    pub per_second: f64,
    /// CPU seconds of the server, user and system.
    pub server_cpu_s: Option<f64>,
    /// The same in microseconds for each job.
    pub server_cpu_us_per_job: Option<f64>,
    /// Instructions of the server outside of the kernel, for each job.
    pub server_instructions_per_job: Option<f64>,
    /// CPU seconds of this client.
    pub client_cpu_s: f64,
    /// CPUs that other processes used meanwhile, on average.
    pub other_cores: f64,
}

/// How long calls of one kind took, in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// Half of them took at most this.
    pub p50: f64,
    /// 99 in 100 did.
    pub p99: f64,
    /// 999 in 1,000 did.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// Kinds of calls, and other times that are worth a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A claim that was answered with jobs.
    Claim,
    /// A claim that was answered with none.
    EmptyClaim,
    /// The start of a job.
    Start,
    /// The completion of a job, or of a batch.
    Complete,
    /// A page of jobs.
    ListJobs,
    /// One job.
    GetJob,
    /// The status of a workflow.
    Status,
    /// Whether a workflow is over.
    IsComplete,
    /// From the answer to the last completion of a layer to the first claim of the next.
    Release,
    /// How late this client was with a call that was due; counted to no server.
    ClientLate,
}

/// Longer calls count as this long, in nanoseconds: ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// In the order of [`Call`].
const NAMES: [&str; 10] = [
    "claim",
    "claim_empty",
    "start",
    "complete",
    "list_jobs",
    "get_job",
    "status",
    "is_complete",
    "release",
    "client_late",
];

/// A histogram for each kind of call.
pub struct Calls(Vec<Histogram<u64>>);

impl Calls {
    /// Empty ones.
    pub fn new() -> Outcome<Self> {
        let histogram = Histogram::new_with_bounds(100, LONGEST, 3)?;
        Ok(Self(vec![histogram; NAMES.len()]))
    }

    /// Counts a call.
    pub fn record(&mut self, call: Call, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.0[call as usize].saturating_record(nanoseconds);
    }

    /// Counts the calls of others with these.
    pub fn add(&mut self, others: &Self) -> Outcome<()> {
        for (ours, theirs) in self.0.iter_mut().zip(&others.0) {
            ours.add(theirs)?;
        }
        Ok(())
    }

    /// The figures of all kinds that occurred.
    pub fn figures(&self) -> BTreeMap<String, Latency> {
        let mut figures = BTreeMap::new();
        for (name, histogram) in NAMES.iter().zip(&self.0) {
            if histogram.is_empty() {
                continue;
            }
            let at = |share: f64| histogram.value_at_quantile(share) as f64 / 1e3;
            let latency = Latency {
                count: histogram.len(),
                p50: at(0.5),
                p99: at(0.99),
                p999: at(0.999),
                max: histogram.max() as f64 / 1e3,
            };
            figures.insert((*name).to_owned(), latency);
        }
        figures
    }
}

impl Report {
    /// The report as one line.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with text for keys have no other outcome.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A phase by name.
    pub fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} on {}, {} jobs",
            self.scenario, self.server, self.jobs
        )?;
        writeln!(
            f,
            "\n{:<12} {:>9} {:>9} {:>10} {:>13} {:>13} {:>12} {:>12}",
            "phase",
            "jobs",
            "seconds",
            "jobs/s",
            "server us/job",
            "instr/job",
            "client CPU s",
            "other cores"
        )?;
        let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.0}"));
        for phase in &self.phases {
            writeln!(
                f,
                "{:<12} {:>9} {:>9.3} {:>10.0} {:>13} {:>13} {:>12.2} {:>12.2}",
                phase.name,
                phase.count,
                phase.seconds,
                phase.per_second,
                or_dash(phase.server_cpu_us_per_job),
                or_dash(phase.server_instructions_per_job),
                phase.client_cpu_s,
                phase.other_cores
            )?;
        }
        if !self.calls.is_empty() {
            writeln!(
                f,
                "\n{:<12} {:>9} {:>10} {:>10} {:>10} {:>10}",
                "call (ms)", "count", "p50", "p99", "p99.9", "max"
            )?;
        }
        for (name, call) in &self.calls {
            writeln!(
                f,
                "{name:<12} {:>9} {:>10.3} {:>10.3} {:>10.3} {:>10.3}",
                call.count,
                call.p50 / 1e3,
                call.p99 / 1e3,
                call.p999 / 1e3,
                call.max / 1e3
            )?;
        }
        writeln!(f)?;
        if let Some(memory) = self.peak_memory_mb {
            writeln!(f, "peak memory of the server: {memory:.0} MB")?;
        }
        if let Some(bytes) = self.database_bytes_per_job {
            writeln!(f, "database after the stop: {bytes:.0} bytes per job")?;
        }
        for (name, value) in &self.extras {
            writeln!(f, "{}: {value:.2}", name.replace('_', " "))?;
        }
        Ok(())
    }
}
