//! The nested settings of a workflow: how jobs are run and watched.

use super::fields::Fields;
use super::problem::Problems;
use super::suggest::did_you_mean;
use super::tree::Value;
use crate::wire::workflow_config::{
    ComputeNodeMonitorConfig, ExecutionConfig, ExecutionMode, JobMonitorConfig, MonitorGranularity,
    ResourceMonitorConfig, StdioConfig, StdioMode, TerminationSignal,
};

const GRANULARITIES: [(&str, MonitorGranularity); 2] = [
    ("summary", MonitorGranularity::Summary),
    ("time_series", MonitorGranularity::TimeSeries),
];

const STDIO_MODES: [(&str, StdioMode); 5] = [
    ("separate", StdioMode::Separate),
    ("combined", StdioMode::Combined),
    ("no_stdout", StdioMode::NoStdout),
    ("no_stderr", StdioMode::NoStderr),
    ("none", StdioMode::None),
];

/// Reads `execution_config`; one that says nothing but the defaults counts as absent.
pub fn execution_config(top: &Fields<'_>, problems: &Problems) -> Option<ExecutionConfig> {
    let value = top.value("execution_config")?;
    let fields = Fields::of(value, "`execution_config`", problems)?;
    let modes = [
        ("direct", ExecutionMode::Direct),
        ("slurm", ExecutionMode::Slurm),
        ("auto", ExecutionMode::Auto),
    ];
    let mode = fields.choice("mode", &modes);
    if mode == Some(ExecutionMode::Slurm) {
        let at = fields.value("mode").map_or(fields.at, |value| value.at);
        let help = "remove it; `torc run` runs the jobs on this machine";
        problems.add_with_help(at, "mode `slurm` is not supported by this version", help);
    }
    let slurm = "it matters under Slurm alone, which comes with a later version";
    for key in ["srun_termination_signal", "srun_mpi", "enable_cpu_bind"] {
        fields.unsupported(key, slurm);
    }
    fields.without_effect("limit_resources", "workers do not watch memory yet");
    fields.without_effect("oom_exit_code", "workers do not watch memory yet");
    fields.without_effect("staggered_start", "jobs start as soon as they may");
    let config = ExecutionConfig {
        mode,
        sigkill_headroom_seconds: fields.int("sigkill_headroom_seconds", 0),
        timeout_exit_code: fields.int32("timeout_exit_code", 0),
        staggered_start: fields.flag("staggered_start"),
        limit_resources: fields.flag("limit_resources"),
        termination_signal: termination_signal(&fields, problems),
        sigterm_lead_seconds: fields.int("sigterm_lead_seconds", 0),
        oom_exit_code: fields.int32("oom_exit_code", 0),
        stdio: fields
            .value("stdio")
            .and_then(|value| stdio(value, problems)),
        ..ExecutionConfig::default()
    };
    fields.finish();
    (!is_default(&config)).then_some(config)
}

/// The signal by the name that the contract has for it.
fn termination_signal(fields: &Fields<'_>, problems: &Problems) -> Option<String> {
    let text = fields.text("termination_signal")?;
    let names = TerminationSignal::NAMES;
    let Some(signal) = TerminationSignal::named(&text.value) else {
        let list: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
        let message = format!(
            "`{}` is no signal for jobs; take one of {}",
            text.value,
            list.join(", ")
        );
        let wanted = text.value.to_ascii_uppercase();
        let help = did_you_mean(&wanted, names.iter().map(|(name, _)| *name));
        problems.push(text.at, message, help);
        return None;
    };
    let name = names.iter().find(|(_, known)| *known == signal);
    name.map(|(name, _)| (*name).to_owned())
}

fn is_default(config: &ExecutionConfig) -> bool {
    let is = |value: Option<i64>, default| value.is_none_or(|value| value == default);
    config.mode.is_none_or(|mode| mode == ExecutionMode::Direct)
        && is(config.sigkill_headroom_seconds, 60)
        && is(config.timeout_exit_code.map(i64::from), 152)
        && config.staggered_start.unwrap_or(true)
        && config.limit_resources.unwrap_or(true)
        && config.termination_signal.as_deref().unwrap_or("SIGTERM") == "SIGTERM"
        && is(config.sigterm_lead_seconds, 30)
        && is(config.oom_exit_code.map(i64::from), 137)
        && config.stdio.as_ref().is_none_or(|stdio| {
            stdio.mode.unwrap_or_default() == StdioMode::Separate
                && !stdio.delete_on_success.unwrap_or_default()
        })
}

/// Reads a `stdio`, of the workflow or of a job.
pub fn stdio(value: &Value, problems: &Problems) -> Option<StdioConfig> {
    let fields = Fields::of(value, "`stdio`", problems)?;
    let config = StdioConfig {
        mode: fields.choice("mode", &STDIO_MODES),
        delete_on_success: fields.flag("delete_on_success"),
    };
    fields.finish();
    Some(config)
}

/// Reads `resource_monitor`.
pub fn resource_monitor(top: &Fields<'_>, problems: &Problems) -> Option<ResourceMonitorConfig> {
    let value = top.value("resource_monitor")?;
    top.without_effect("resource_monitor", "workers do not watch resources yet");
    let fields = Fields::of(value, "`resource_monitor`", problems)?;
    let defaults = ResourceMonitorConfig::default();
    let config = ResourceMonitorConfig {
        enabled: fields.flag("enabled").unwrap_or(defaults.enabled),
        granularity: fields
            .choice("granularity", &GRANULARITIES)
            .unwrap_or_default(),
        sample_interval_seconds: fields
            .int32("sample_interval_seconds", 1)
            .unwrap_or(defaults.sample_interval_seconds),
        flush_interval_seconds: fields
            .int32("flush_interval_seconds", 1)
            .unwrap_or(defaults.flush_interval_seconds),
        generate_plots: fields
            .flag("generate_plots")
            .unwrap_or(defaults.generate_plots),
        jobs: fields
            .value("jobs")
            .and_then(|value| job_monitor(value, problems)),
        compute_node: fields
            .value("compute_node")
            .and_then(|value| node_monitor(value, problems)),
    };
    fields.finish();
    Some(config)
}

fn job_monitor(value: &Value, problems: &Problems) -> Option<JobMonitorConfig> {
    let fields = Fields::of(value, "`resource_monitor.jobs`", problems)?;
    let config = JobMonitorConfig {
        enabled: fields.flag("enabled").unwrap_or_default(),
        granularity: fields
            .choice("granularity", &GRANULARITIES)
            .unwrap_or_default(),
    };
    fields.finish();
    Some(config)
}

fn node_monitor(value: &Value, problems: &Problems) -> Option<ComputeNodeMonitorConfig> {
    let fields = Fields::of(value, "`resource_monitor.compute_node`", problems)?;
    let defaults = ComputeNodeMonitorConfig::default();
    let config = ComputeNodeMonitorConfig {
        enabled: fields.flag("enabled").unwrap_or(defaults.enabled),
        granularity: fields
            .choice("granularity", &GRANULARITIES)
            .unwrap_or_default(),
        cpu: fields.flag("cpu").unwrap_or(defaults.cpu),
        memory: fields.flag("memory").unwrap_or(defaults.memory),
    };
    fields.finish();
    Some(config)
}
