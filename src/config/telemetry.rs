//! The telemetry part of the configuration: flags, environment, and what they make.

use std::env::VarError;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::otlp::{OtlpArgs, OtlpConfig, OtlpConfigError};
use super::slow::{FlightSize, SlowRule, SlowRules};

/// The address of tokio-console's own default.
const CONSOLE_BIND: &str = "127.0.0.1:6669";

/// The filter when neither the environment nor a flag says anything.
const DEFAULT_LEVEL: &str = "info";

/// The flags about logs, timings and tokio-console, flattened into `run`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Telemetry", about = None, long_about = None)]
pub struct TelemetryArgs {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as
    /// `info,torc_server=debug`. RUST_LOG, if set, always wins. [default: info]
    #[arg(short = 'l', long, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// Also log to a file in this directory, and put the timing dumps there.
    #[arg(long, value_name = "DIR", env = "TORC_LOG_DIR")]
    pub log_dir: Option<PathBuf>,

    /// Write the log file as JSON, one flat object per line (standard error stays text).
    #[arg(long)]
    pub json_logs: bool,

    /// How often to start a new log file.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = LogRotation::Daily)]
    pub log_rotation: LogRotation,

    /// Keep at most this many log files, the live one included, deleting the oldest.
    /// [default: no such limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_max_files: Option<u32>,

    /// Keep all log files together below this size: a new file is started early and
    /// the oldest deleted. Bytes, or with a unit as in 500M or 1G.
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub log_max_total_size: ByteSize,

    /// Serve tokio-console (the default in a build with --cfg tokio_unstable).
    #[arg(long, overrides_with = "no_console")]
    pub console: bool,

    /// Do not serve tokio-console.
    #[arg(long)]
    pub no_console: bool,

    /// Where tokio-console may connect to.
    #[arg(long, value_name = "ADDR", env = "TOKIO_CONSOLE_BIND", default_value = CONSOLE_BIND, value_parser = parse_address)]
    pub console_bind: SocketAddr,

    /// Record how long requests, writes, statements and instrumented functions take
    /// (SIGUSR1 or /debug/timings show it). TORC_TIMING_ENABLED=1 with RUST_LOG=debug logs
    /// each call as well.
    #[arg(long, value_name = "ON|OFF", value_enum, default_value_t = Switch::On)]
    pub timing: Switch,

    /// Traces to a collector.
    #[command(flatten)]
    pub otlp: OtlpArgs,
    /// Keep the requests and batches of the last 30 s in memory, at most so many bytes
    /// of them, for /debug/trace and for dumps; `off` keeps none.
    #[arg(long, value_name = "SIZE|off", default_value = "64M")]
    pub flight_recorder: FlightSize,

    /// What counts as slow, for the slow-operation log: a time for all, NAME=TIME for a
    /// route or a command, as in `250ms,complete_job=50ms,GET /jobs=2s`. `off` is never.
    /// [default: 1s]
    #[arg(
        long,
        value_name = "TIME|NAME=TIME",
        env = "TORC_SLOW",
        value_delimiter = ','
    )]
    pub slow: Vec<SlowRule>,

    /// Keep all dumps together below this size, deleting the oldest.
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub dump_max_total_size: ByteSize,
    /// Log which task keeps a worker thread to itself for longer than this, as in 500ms
    /// or 2s: all others wait meanwhile.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_stall)]
    pub stall_threshold: Duration,
}

/// `on` or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Leave it in.
    On,
    /// Leave it out.
    Off,
}

/// When the log starts a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogRotation {
    /// At each full hour (UTC).
    Hourly,
    /// At midnight (UTC).
    Daily,
    /// Only when the size demands it.
    Never,
}

/// A number of bytes, written as `1073741824`, `500M`, `1G` or `1GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let complaint = || format!("`{text}` is not a size: write bytes, or 500M, 1G");
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(complaint()),
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(1 << shift))
            .map(Self)
            .ok_or_else(complaint)
    }
}

/// The shortest stall that ten looks a second can tell from an accident of timing, and
/// the longest that makes sense.
const STALLS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(200)..=Duration::from_secs(3600);

fn parse_stall(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number = digits.parse::<u64>().ok();
    let time = match &text[digits.len()..] {
        "ms" => number.map(Duration::from_millis),
        "s" | "" => number.map(Duration::from_secs),
        "m" | "min" => number
            .and_then(|number| number.checked_mul(60))
            .map(Duration::from_secs),
        _ => None,
    };
    time.filter(|time| STALLS.contains(time))
        .ok_or_else(|| "a time from 200ms to 60m, such as 500ms, 1s or 2m".to_owned())
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let complaint = |why: String| format!("{why}: expected HOST:PORT, such as {CONSOLE_BIND}");
    text.to_socket_addrs()
        .map_err(|error| complaint(error.to_string()))?
        .next()
        .ok_or_else(|| complaint("no such host".to_owned()))
}

/// What telemetry is to do, with the environment taken in.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// The filter of the log outputs, in the syntax of `RUST_LOG`. Checked by
    /// [`crate::telemetry::init`].
    pub filter: String,
    /// Whether each instrumented call gets a line with its timings.
    pub timing_lines: bool,
    /// Whether the histograms of instrumented functions are kept.
    pub timing: bool,
    /// The log file, if there is one.
    pub file: Option<LogFile>,
    /// Where tokio-console connects to; none leaves it out.
    pub console: Option<SocketAddr>,
    /// The directory of the timing dumps.
    pub dump_dir: PathBuf,
    /// Where traces are exported to; none for nowhere.
    pub otlp: Option<OtlpConfig>,
    /// The most bytes of all dumps together.
    pub dump_max_total_size: u64,
    /// The most bytes that the flight recorder holds; 0 switches it off.
    pub flight_recorder: u64,
    /// What counts as slow.
    pub slow: SlowRules,
    /// From when on a task that keeps a worker thread is logged.
    pub stall_threshold: Duration,
}

/// The rolling log file.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// Its directory; made if missing.
    pub dir: PathBuf,
    /// JSON instead of text.
    pub json: bool,
    /// When a new file starts.
    pub rotation: LogRotation,
    /// The most files kept, if limited.
    pub max_files: Option<usize>,
    /// The most bytes of all log files together.
    pub max_total_size: u64,
}

/// A setting in the environment that cannot be used; one line each.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TelemetryConfigError {
    /// The value is none of those that are understood.
    #[error(
        "{name}={value:?} is not understood: use 1 or true to switch it on, 0 or false for off"
    )]
    NotASwitch {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
    },
    /// About the export of traces.
    #[error(transparent)]
    Otlp(#[from] OtlpConfigError),
    /// The value is not text.
    #[error("{name} is not valid UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
}

impl TelemetryConfig {
    /// Joins the flags with the process's environment (`RUST_LOG`,
    /// `TORC_TIMING_ENABLED`; the other variables belong to flags).
    ///
    /// # Errors
    ///
    /// If a variable has a value that means nothing.
    pub fn new(args: TelemetryArgs) -> Result<Self, TelemetryConfigError> {
        let env = |name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(TelemetryConfigError::NotText { name }),
        };
        Self::with_env(args, env("RUST_LOG")?, env("TORC_TIMING_ENABLED")?)
    }

    /// Like [`Self::new`], with the two variables given.
    ///
    /// # Errors
    ///
    /// If `timing_enabled` is neither of on and off.
    pub fn with_env(
        args: TelemetryArgs,
        rust_log: Option<String>,
        timing_enabled: Option<String>,
    ) -> Result<Self, TelemetryConfigError> {
        // Set but empty means the same as not set, as in shells that cannot unset.
        let said = |text: &String| !text.trim().is_empty();
        let timing_lines = match timing_enabled.as_deref().map(str::trim) {
            None | Some("" | "0") => false,
            Some("1") => true,
            Some(word) if word.eq_ignore_ascii_case("true") => true,
            Some(word) if word.eq_ignore_ascii_case("false") => false,
            Some(word) => {
                return Err(TelemetryConfigError::NotASwitch {
                    name: "TORC_TIMING_ENABLED",
                    value: word.to_owned(),
                });
            }
        };
        let log_dir = args.log_dir.filter(|dir| !dir.as_os_str().is_empty());
        Ok(Self {
            otlp: OtlpConfig::new(&args.otlp)?,
            filter: rust_log
                .filter(said)
                .or(args.log_level.filter(said))
                .unwrap_or_else(|| DEFAULT_LEVEL.to_owned()),
            timing_lines,
            timing: args.timing == Switch::On,
            dump_dir: log_dir.clone().unwrap_or_else(|| PathBuf::from(".")),
            file: log_dir.map(|dir| LogFile {
                dir,
                json: args.json_logs,
                rotation: args.log_rotation,
                max_files: args.log_max_files.map(|n| n as usize),
                max_total_size: args.log_max_total_size.0,
            }),
            console: (!args.no_console).then_some(args.console_bind),
            dump_max_total_size: args.dump_max_total_size.0,
            flight_recorder: args.flight_recorder.0,
            slow: SlowRules::new(args.slow),
            stall_threshold: args.stall_threshold,
        })
    }

    /// Puts the timing dumps beside the database, where there is no log directory.
    pub fn dump_beside(&mut self, database: &Path) {
        if self.file.is_none() {
            self.dump_dir = match database.parent() {
                Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
                _ => PathBuf::from("."),
            };
        }
    }
}

impl Default for TelemetryConfig {
    /// Logs of level info to standard error, histograms on, no console, no file: what
    /// a server inside another program wants.
    fn default() -> Self {
        Self {
            filter: DEFAULT_LEVEL.to_owned(),
            timing_lines: false,
            timing: true,
            file: None,
            console: None,
            dump_dir: PathBuf::from("."),
            otlp: None,
            dump_max_total_size: 1 << 30,
            flight_recorder: 64 << 20,
            slow: SlowRules::default(),
            stall_threshold: Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        telemetry: TelemetryArgs,
    }

    fn config(flags: &[&str], rust_log: Option<&str>) -> TelemetryConfig {
        let flags = Flags::parse_from([&["torc-server"], flags].concat());
        TelemetryConfig::with_env(flags.telemetry, rust_log.map(str::to_owned), None).unwrap()
    }

    #[test]
    fn the_filter_comes_from_the_environment_then_the_flag() {
        assert_eq!(config(&[], None).filter, "info");
        assert_eq!(config(&["-l", "debug"], None).filter, "debug");
        assert_eq!(config(&["-l", "debug"], Some("warn")).filter, "warn");
        assert_eq!(config(&["-l", "debug"], Some(" ")).filter, "debug");
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("12", 12),
            ("500M", 500 << 20),
            ("1g", 1 << 30),
            ("2 KiB", 2048),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "M", "1.5G", "-1", "1X", "99999999T"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_stall_has_a_length() {
        let of = |text: &str| parse_stall(text).ok();
        assert_eq!(of("200ms"), Some(Duration::from_millis(200)));
        assert_eq!((of("2"), of("2s")), (of("2000ms"), of("2000ms")));
        assert_eq!(of("60m"), Some(Duration::from_secs(3600)));
        for wrong in ["", "s", "0", "199ms", "61m", "1h", "1.5s", "-1s", "\u{e9}"] {
            assert!(of(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn dumps_go_beside_the_log_or_the_database() {
        let mut with_logs = config(&["--log-dir", "logs"], None);
        with_logs.dump_beside(Path::new("/data/torc.db"));
        assert_eq!(with_logs.dump_dir, Path::new("logs"));
        let mut without = config(&[], None);
        without.dump_beside(Path::new("/data/torc.db"));
        assert_eq!(without.dump_dir, Path::new("/data"));
        without.dump_beside(Path::new("torc.db"));
        assert_eq!(without.dump_dir, Path::new("."));
    }

    #[test]
    fn the_last_console_flag_counts() {
        assert!(config(&[], None).console.is_some());
        assert!(config(&["--no-console"], None).console.is_none());
        assert!(
            config(&["--no-console", "--console"], None)
                .console
                .is_some()
        );
        assert!(
            config(&["--console", "--no-console"], None)
                .console
                .is_none()
        );
    }
}
