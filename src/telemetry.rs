//! The layers of the subscriber, and what reads them.
//!
//! [`init`] composes everything from the configuration; call sites know only the
//! `tracing` macros, [`task::spawn`], [`phase`] and [`resource`]. Each layer brings its
//! own filter, and there is no global one: a filter in front of all layers would
//! silence the console or the histograms together with the log lines.
//!
//! | layer | sees | file |
//! |---|---|---|
//! | timing | every span of ours, always | [`timing`] |
//! | log lines on standard error, in the file | what the filter of `RUST_LOG` lets through, never tokio's internals | here, [`outlet`], [`files`] |
//! | close lines | our spans that pass the same filter, when `TORC_TIMING_ENABLED` is set | [`lines`] |
//! | console | tokio's internals, thinned by a gate | [`console`] |

pub mod board;
mod dump;
mod files;
mod lines;
mod log_dir;
mod outlet;
pub mod phase;
pub mod recorder;
pub mod report;
mod report_text;
pub mod request;
pub mod resource;
pub mod series;
pub mod signal;
pub mod task;
mod timing;

#[cfg(tokio_unstable)]
mod console;
#[cfg(tokio_unstable)]
mod gate;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Metadata;
use tracing::dispatcher::{self, Dispatch};
use tracing_subscriber::filter::{EnvFilter, FilterExt, FilterFn, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, filter};

use crate::config::telemetry::TelemetryConfig;
use outlet::Outlet;
use recorder::history::{self, Lately};
use recorder::window::{Window, WindowError};
use report::PhaseReport;
pub use report::Report;

/// The beginning of the target of every span and event of ours.
const OURS: &str = "torc_server";

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Why telemetry could not start; each is one line for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter, from `RUST_LOG` or `--log-level`, means nothing.
    #[error("the log filter `{filter}`, from RUST_LOG or --log-level, is not valid: {reason}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log directory or the file in it cannot be written.
    #[error("cannot write logs to {}: {source}", dir.display())]
    LogDir {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// This process has a subscriber already.
    #[error("telemetry was started twice in one process")]
    Twice,
}

/// What must live as long as the program: dropping it ends the threads that write logs.
///
/// Keep it in `main`, and end it with [`Telemetry::shutdown`] after the runtime is
/// gone; lines logged later than that reach standard error only.
#[must_use = "dropping it stops the logs"]
pub struct Telemetry {
    handle: TelemetryHandle,
    guards: Vec<outlet::OutletGuard>,
}

/// Reads what telemetry knows; cheap to clone, works from any thread.
#[derive(Clone)]
pub struct TelemetryHandle(Arc<Shared>);

struct Shared {
    /// Where the timing layer is found again. A clone of the dispatch, because a
    /// thread may run under a scoped subscriber of its own.
    dispatch: Dispatch,
    outlets: Vec<Outlet>,
    dump_dir: PathBuf,
    started: Instant,
}

/// Installs the subscriber of the whole process.
///
/// Needs no runtime. What is worth a warning but not the server (tokio-console's port
/// is taken, a build without task names) is logged through the new subscriber.
///
/// # Errors
///
/// If the filter is not valid, the log directory cannot be written, or the process has
/// a subscriber already.
pub fn init(config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    parse_filter(&config.filter)?;
    let mut layers: Vec<BoxedLayer> = Vec::new();
    // The first layer is the first to hear of a span's end, so what the others do then
    // is not measured.
    if config.timing {
        layers.push(timing::layer().with_filter(our_spans()).boxed());
    }
    let (stderr, guard) = Outlet::stderr();
    let mut guards = vec![guard];
    let ansi = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    layers.push(stderr_layer(config, stderr.clone(), ansi)?);
    let mut sinks = vec![lines::Sink {
        outlet: stderr.clone(),
        json: false,
        ansi,
    }];
    let mut outlets = vec![stderr];

    if let Some(file) = &config.file {
        let (outlet, guard) = files::open(file).map_err(|source| TelemetryError::LogDir {
            dir: file.dir.clone(),
            source,
        })?;
        layers.push(file_layer(config, file.json, outlet.clone())?);
        sinks.push(lines::Sink {
            outlet: outlet.clone(),
            json: file.json,
            ansi: false,
        });
        outlets.push(outlet);
        guards.push(guard);
    }
    if config.timing_lines {
        let filter = parse_filter(&config.filter)?.and(our_spans());
        layers.push(lines::CloseLines::new(sinks).with_filter(filter).boxed());
    }
    let console = add_console(config, &mut layers);

    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(|_| TelemetryError::Twice)?;
    match console {
        Some(Ok(address)) => {
            tracing::info!(%address, "tokio-console can connect");
            if !address.ip().to_canonical().is_loopback() {
                tracing::warn!(
                    "tokio-console has no password: whoever reaches {address} can watch this \
                     server; --console-bind 127.0.0.1:6669 keeps it on this machine"
                );
            }
        }
        Some(Err(trouble)) => tracing::warn!("{trouble}"),
        None => {}
    }
    let handle = TelemetryHandle(Arc::new(Shared {
        dispatch: dispatcher::get_default(Dispatch::clone),
        outlets,
        dump_dir: config.dump_dir.clone(),
        started: Instant::now(),
    }));
    Ok(Telemetry { handle, guards })
}

impl Telemetry {
    /// What reads the histograms, for the debug pages and the dump.
    pub fn handle(&self) -> TelemetryHandle {
        self.handle.clone()
    }

    /// Says what was lost, then writes the last lines and ends the threads that do.
    ///
    /// Call it last, after the runtime has ended. Takes at most a second for standard
    /// error and another for the file, when nothing takes their lines.
    pub fn shutdown(self) {
        let dropped = self.handle.dropped_log_lines();
        if dropped > 0 {
            tracing::warn!(dropped, "log lines were lost");
        }
        drop(self.guards);
    }
}

impl TelemetryHandle {
    /// A handle without layers behind it: a server inside a test or another program
    /// reports its phases all the same, and no spans.
    pub fn detached() -> Self {
        Self(Arc::new(Shared {
            dispatch: Dispatch::none(),
            outlets: Vec::new(),
            dump_dir: PathBuf::from("."),
            started: Instant::now(),
        }))
    }

    /// Everything that was measured since the start. Blocks for some milliseconds
    /// while samples are gathered from all threads: call it on the blocking pool.
    pub fn report(&self) -> Report {
        let started = self.0.started;
        let lately = history::since_start(started);
        self.report_of("start", &lately, false)
    }

    /// What was measured in a window, asked for as `start`, `reset`, `mark:NAME`, `10s`,
    /// `5m`. Blocks like [`Self::report`].
    ///
    /// # Errors
    ///
    /// No such window.
    pub fn report_window(&self, text: &str) -> Result<Report, WindowError> {
        let window: Window = text.parse()?;
        let lately = history::lately(&window, self.0.started)?;
        Ok(self.report_of(text, &lately, false))
    }

    /// The same with the buckets of every series: what a comparison of two reports needs.
    /// Ten times as large. Blocks like [`Self::report`].
    ///
    /// # Errors
    ///
    /// No such window.
    pub fn report_with_buckets(&self, text: &str) -> Result<Report, WindowError> {
        let window: Window = text.parse()?;
        let lately = history::lately(&window, self.0.started)?;
        Ok(self.report_of(text, &lately, true))
    }

    fn report_of(&self, window: &str, lately: &Lately, buckets: bool) -> Report {
        Report {
            generated_at: crate::clock::now_millis_text(),
            uptime_s: self.0.started.elapsed().as_secs_f64(),
            window: window.to_owned(),
            window_s: lately.span.as_secs_f64(),
            timing: timing::is_on(&self.0.dispatch),
            spans: timing::report(&self.0.dispatch, buckets),
            phases: PhaseReport::of(lately, board::report(), buckets),
            dropped_log_lines: self.dropped_log_lines(),
            recorder_bytes: history::bytes(),
        }
    }

    /// The report as aligned tables. Blocks like [`Self::report`].
    pub fn report_text(&self) -> String {
        self.report().to_string()
    }

    /// Writes the report, as a table and as JSON, to two new files in the dump
    /// directory and returns the table's path. Blocks. The 20 newest are kept.
    ///
    /// # Errors
    ///
    /// If the directory cannot be written.
    pub fn dump(&self) -> io::Result<PathBuf> {
        let report = self
            .report_with_buckets("start")
            .map_err(io::Error::other)?;
        dump::write(&self.0.dump_dir, &report)
    }

    /// Lines that standard error or the log file did not get: the queue was full, or the
    /// disk, or nobody reads any more.
    pub fn dropped_log_lines(&self) -> u64 {
        self.0.outlets.iter().map(Outlet::lost).sum()
    }

    /// Waits until the lines so far are written, at most so long. Blocks.
    pub fn flush(&self, at_most: Duration) {
        let end = Instant::now() + at_most;
        for outlet in &self.0.outlets {
            outlet.drained(end);
        }
    }

    /// Starts the task that gathers the samples of all threads every minute, without
    /// which the memory of unread samples would grow, and the thread that keeps what came
    /// lately. Call it once, inside the runtime.
    pub fn start_gathering(&self) -> tokio::task::JoinHandle<()> {
        let handle = self.clone();
        if let Err(error) = history::keep(self.0.started) {
            tracing::warn!("no windows of the last minutes: {error}");
        }
        task::spawn("timing-gather-every-minute", async move {
            let mut minute = tokio::time::interval(Duration::from_secs(60));
            minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                minute.tick().await;
                let handle = handle.clone();
                // It waits for locks, so not on a worker thread. A panic there would
                // only mean that this minute is gathered with the next.
                let _ = task::spawn_blocking("timing-gather", move || {
                    timing::gather(&handle.0.dispatch);
                })
                .await;
            }
        })
    }
}

fn stderr_layer(
    config: &TelemetryConfig,
    outlet: Outlet,
    ansi: bool,
) -> Result<BoxedLayer, TelemetryError> {
    Ok(fmt::layer()
        .with_writer(outlet)
        .with_ansi(ansi)
        .with_target(true)
        .with_thread_ids(true)
        .with_line_number(true)
        .with_filter(parse_filter(&config.filter)?)
        .boxed())
}

fn file_layer(
    config: &TelemetryConfig,
    json: bool,
    outlet: Outlet,
) -> Result<BoxedLayer, TelemetryError> {
    let layer = fmt::layer()
        .with_writer(outlet)
        .with_ansi(false)
        .with_target(true)
        .with_thread_ids(true)
        .with_line_number(true);
    let filter = parse_filter(&config.filter)?;
    Ok(if json {
        layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed()
    } else {
        layer.with_filter(filter).boxed()
    })
}

/// Reads a filter in the syntax of `RUST_LOG`, and keeps tokio's internals out of it:
/// they are for the console, and at trace level they would drown everything.
fn parse_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let error = |reason: String| TelemetryError::Filter {
        filter: text.to_owned(),
        reason,
    };
    if let Some(level) = misspelt_level(text) {
        return Err(error(format!("did you mean `{level}`?")));
    }
    let mut filter = EnvFilter::builder()
        .parse(text)
        .map_err(|cause| error(cause.to_string()))?;
    for quiet in ["tokio=off", "runtime=off"] {
        let directive = quiet
            .parse()
            .map_err(|cause: filter::ParseError| error(cause.to_string()))?;
        filter = filter.add_directive(directive);
    }
    Ok(filter)
}

/// A lone word that is nearly a level, or begins with one (`warning`). The filter's
/// syntax would take it for the name of a crate, and the log would stay empty without a
/// word of why.
fn misspelt_level(text: &str) -> Option<&'static str> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    text.split(',').map(str::trim).find_map(|word| {
        let word = word.to_ascii_lowercase();
        let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic());
        if !plain || LEVELS.contains(&word.as_str()) {
            return None;
        }
        LEVELS.into_iter().find(|level| {
            strsim::damerau_levenshtein(level, &word) <= 2
                || (*level != "off" && word.starts_with(level))
        })
    })
}

fn our_spans() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|meta| meta.is_span() && meta.target().starts_with(OURS))
}

/// Adds the console's layer, if it is wanted; returns where it listens, or a sentence
/// about why it does not.
#[cfg(tokio_unstable)]
fn add_console(
    config: &TelemetryConfig,
    layers: &mut Vec<BoxedLayer>,
) -> Option<Result<SocketAddr, String>> {
    let added = console::layer(config.console?).map(|(layer, address)| {
        layers.push(layer);
        address
    });
    Some(added)
}

#[cfg(not(tokio_unstable))]
fn add_console(
    config: &TelemetryConfig,
    _layers: &mut Vec<BoxedLayer>,
) -> Option<Result<SocketAddr, String>> {
    config.console.map(|_| {
        Err(
            "tokio-console is off: this build lacks task names. Build with \
             RUSTFLAGS=\"--cfg tokio_unstable\" to switch it on, or say --no-console"
                .to_owned(),
        )
    })
}
