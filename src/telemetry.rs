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

pub mod about;
pub mod board;
pub mod chart;
mod dump;
pub mod exemplars;
mod files;
pub mod flight;
pub mod follow;
mod functions;
mod hlog;
mod layers;
mod lines;
mod log_dir;
pub mod metrics;
mod named;
mod otlp;
mod outlet;
pub mod overview;
pub mod phase;
pub mod profile;
pub mod recorder;
pub mod report;
mod report_text;
pub mod request;
pub mod resource;
pub mod runtime;
pub mod scope;
pub mod series;
pub mod signal;
pub mod slow;
mod still;
mod symbols;
pub mod task;
pub mod task_dump;
mod timing;
pub mod told;
mod trace;
mod watch;

#[cfg(tokio_unstable)]
mod console;
#[cfg(tokio_unstable)]
mod gate;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::dispatcher::{self, Dispatch};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Tick;
use crate::config::telemetry::TelemetryConfig;
use about::About;
use dump::Dumps;
use layers::{
    BoxedLayer, add_console, file_layer, our_spans, parse_filter, stderr_layer, timed_spans,
};
use outlet::Outlet;
use recorder::history::{self, Lately};
use recorder::window::{Window, WindowError};
use report::PhaseReport;
pub use report::Report;
use still::Still;

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
    /// Traces cannot be exported as configured.
    #[error("cannot export traces: {0}")]
    Otlp(String),
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
    dumps: Dumps,
    started: Tick,
    about: OnceLock<About>,
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
    let filter = parse_filter(&config.filter)?;
    // What selects by spans or their fields hints at the level trace.
    if filter.max_level_hint() < Some(LevelFilter::DEBUG) {
        scope::only_timed();
    }
    let mut layers: Vec<BoxedLayer> = Vec::new();
    if config.timing {
        // The first layer is the first to hear of a span's end, so what the others do then
        // is not measured.
        let timing = timing::layer().with_filter(timed_spans());
        layers.push(Still::but_closes(timing).boxed());
    } else {
        recorder::turn_off();
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
    if let Some((outlet, guard)) = slow_log(config)? {
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
    say_where_the_console_is(console);
    let dispatch = dispatcher::get_default(Dispatch::clone);
    if let Some(otlp) = &config.otlp {
        tracing::info!(url = %otlp.url, protocol = ?otlp.protocol, "traces are exported");
        otlp::start(otlp.clone(), dispatch.clone()).map_err(TelemetryError::Otlp)?;
    }
    let handle = TelemetryHandle(Arc::new(Shared {
        dispatch,
        outlets,
        dumps: Dumps {
            dir: config.dump_dir.clone(),
            max_total_size: config.dump_max_total_size,
        },
        started: Tick::now(),
        about: OnceLock::new(),
    }));
    warn_of_what_is_off(config);
    flight::limit(config.flight_recorder);
    watch::install(&handle);
    Ok(Telemetry { handle, guards })
}

impl Telemetry {
    /// What reads the histograms, for the debug pages and the dump.
    pub fn handle(&self) -> TelemetryHandle {
        self.handle.clone()
    }

    /// Says what was lost, then writes the last lines and ends the threads that do.
    ///
    /// Call it last, after the runtime has ended. Takes at most two seconds for traces, a
    /// second for standard error and another for the file, when nothing takes them.
    pub fn shutdown(self) {
        otlp::stop();
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
            dumps: Dumps {
                dir: PathBuf::from("."),
                max_total_size: u64::MAX,
            },
            started: Tick::now(),
            about: OnceLock::new(),
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
            spans: functions::report(&self.0.dispatch, buckets),
            phases: PhaseReport::of(lately, board::report(), buckets),
            dropped_log_lines: self.dropped_log_lines(),
            recorder_bytes: history::bytes(),
            otlp: otlp::report(),
            flight_bytes: flight::bytes(),
            about: self.about().clone(),
        }
    }

    /// The report as aligned tables. Blocks like [`Self::report`].
    pub fn report_text(&self) -> String {
        self.report().to_string()
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
                    flight::expire();
                })
                .await;
            }
        })
    }
}

/// Says where tokio-console may connect, or why it may not.
fn say_where_the_console_is(console: Option<Result<SocketAddr, String>>) {
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
}

/// Says what was asked for and cannot be, as nothing is recorded.
fn warn_of_what_is_off(config: &TelemetryConfig) {
    if config.timing {
        return;
    }
    let asked = [
        (config.otlp.is_some(), "no traces are exported (--otlp)"),
        (
            !config.slow.named.is_empty(),
            "no request is known to be slow (--slow)",
        ),
    ];
    for (_, effect) in asked.into_iter().filter(|(asked, _)| *asked) {
        tracing::warn!("--timing off records nothing, so {effect}");
    }
}

/// Starts the slow-operation log; its file lies in the log directory, if there is one.
fn slow_log(
    config: &TelemetryConfig,
) -> Result<Option<(Outlet, outlet::OutletGuard)>, TelemetryError> {
    slow::open(config.slow.clone(), config.file.as_ref()).map_err(|source| {
        let dir = config.dump_dir.clone();
        TelemetryError::LogDir { dir, source }
    })
}
