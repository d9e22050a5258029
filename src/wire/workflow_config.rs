//! The nested settings of a workflow; some refuse unknown keys, as the contract does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How workers run jobs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionConfig {
    /// Directly, or through the scheduler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ExecutionMode>,
    /// Seconds before the end at which jobs are killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigkill_headroom_seconds: Option<i64>,
    /// Return code of a job that ran out of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_exit_code: Option<i32>,
    /// Start jobs one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staggered_start: Option<bool>,
    /// Kill jobs that use more than they asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_resources: Option<bool>,
    /// Signal before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_signal: Option<String>,
    /// Seconds between that signal and the kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigterm_lead_seconds: Option<i64>,
    /// Return code of a job that used too much memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_exit_code: Option<i32>,
    /// Signal that srun sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srun_termination_signal: Option<String>,
    /// Kind of MPI for srun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srun_mpi: Option<String>,
    /// Let srun bind CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_cpu_bind: Option<bool>,
    /// Where the output of jobs goes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::option"
    )]
    pub stdio: Option<StdioConfig>,
    /// The same for single jobs, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_stdio_overrides: Option<BTreeMap<String, StdioConfig>>,
}

/// The signals that make sense in `termination_signal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the signal of its name")]
pub enum TerminationSignal {
    Term,
    Int,
    Hup,
    Quit,
    Usr1,
    Usr2,
    Alrm,
    Kill,
}

impl TerminationSignal {
    /// Their names, as the contract writes them.
    pub const NAMES: [(&'static str, Self); 8] = [
        ("SIGTERM", Self::Term),
        ("SIGINT", Self::Int),
        ("SIGHUP", Self::Hup),
        ("SIGQUIT", Self::Quit),
        ("SIGUSR1", Self::Usr1),
        ("SIGUSR2", Self::Usr2),
        ("SIGALRM", Self::Alrm),
        ("SIGKILL", Self::Kill),
    ];

    /// The signal of a name, which may lack its `SIG` and be in any case.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_uppercase();
        let bare = name.strip_prefix("SIG").unwrap_or(&name);
        let found = Self::NAMES
            .iter()
            .find(|(known, _)| known.strip_prefix("SIG") == Some(bare));
        found.map(|(_, signal)| *signal)
    }
}

/// Who starts the processes of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionMode {
    /// The worker.
    Direct,
    /// `srun`.
    Slurm,
    /// `srun` inside an allocation, else the worker.
    Auto,
}

/// Where the output of a job goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdioConfig {
    /// Which files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<StdioMode>,
    /// Remove them when the job ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_on_success: Option<bool>,
}

/// Which output files a job has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdioMode {
    /// `.o` and `.e`.
    #[default]
    Separate,
    /// One `.log`.
    Combined,
    /// `.e` alone.
    NoStdout,
    /// `.o` alone.
    NoStderr,
    /// None.
    None,
}

/// Limits of jobs that spawn jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicJobsConfig {
    /// Spawning calls per lineage; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_iterations: Option<i64>,
}

/// How workers watch resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceMonitorConfig {
    /// Older spelling of `jobs.enabled`.
    pub enabled: bool,
    /// Older spelling of `jobs.granularity`.
    pub granularity: MonitorGranularity,
    /// Seconds between samples.
    pub sample_interval_seconds: i32,
    /// Seconds between writes.
    pub flush_interval_seconds: i32,
    /// Draw plots at the end.
    pub generate_plots: bool,
    /// Watching single jobs.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::option"
    )]
    pub jobs: Option<JobMonitorConfig>,
    /// Watching the whole machine.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::object::option"
    )]
    pub compute_node: Option<ComputeNodeMonitorConfig>,
}

impl Default for ResourceMonitorConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            granularity: MonitorGranularity::default(),
            sample_interval_seconds: 10,
            flush_interval_seconds: 300,
            generate_plots: false,
            jobs: None,
            compute_node: None,
        }
    }
}

/// How much of a resource's history is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorGranularity {
    /// Highest and mean.
    #[default]
    Summary,
    /// Every sample.
    TimeSeries,
}

/// Watching single jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobMonitorConfig {
    /// On or off.
    pub enabled: bool,
    /// How much is kept.
    pub granularity: MonitorGranularity,
}

/// Watching the whole machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ComputeNodeMonitorConfig {
    /// On or off.
    pub enabled: bool,
    /// How much is kept.
    pub granularity: MonitorGranularity,
    /// Watch the CPUs.
    pub cpu: bool,
    /// Watch the memory.
    pub memory: bool,
}

impl Default for ComputeNodeMonitorConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            granularity: MonitorGranularity::default(),
            cpu: true,
            memory: true,
        }
    }
}
