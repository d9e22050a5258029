//! The layers that write logs, their filters, and whether the console has one.

use std::net::SocketAddr;

use tracing::Metadata;
use tracing_subscriber::filter::{EnvFilter, FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::{Layer, filter, fmt};

use super::TelemetryError;
#[cfg(tokio_unstable)]
use super::console;
use super::outlet::Outlet;
use super::phase;
use super::still::Still;
use crate::config::telemetry::TelemetryConfig;

/// The beginning of the target of every span and event of ours.
const OURS: &str = "torc_server";

/// A layer with its filter.
pub(super) type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Log lines on standard error.
pub(super) fn stderr_layer(
    config: &TelemetryConfig,
    outlet: Outlet,
    ansi: bool,
) -> Result<BoxedLayer, TelemetryError> {
    let layer = fmt::layer()
        .with_writer(outlet)
        .with_ansi(ansi)
        .with_target(true)
        .with_thread_ids(true)
        .with_line_number(true);
    filtered(layer, config)
}

/// Log lines in the file.
pub(super) fn file_layer(
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
    if json {
        let json = layer.json().flatten_event(true);
        filtered(json.with_current_span(true).with_span_list(false), config)
    } else {
        filtered(layer, config)
    }
}

/// Puts the filter around a layer that writes events. A filter that looks at the fields of
/// spans (`[span{field=value}]`) counts who is inside of them; without, nobody asks when a
/// span is entered.
fn filtered<L>(layer: L, config: &TelemetryConfig) -> Result<BoxedLayer, TelemetryError>
where
    L: Layer<Registry> + Send + Sync,
{
    let layer = layer.with_filter(parse_filter(&config.filter)?);
    Ok(if config.filter.contains('[') {
        layer.boxed()
    } else {
        Still::new(layer).boxed()
    })
}

/// Reads a filter in the syntax of `RUST_LOG`, and keeps tokio's internals out of it:
/// they are for the console, and at trace level they would drown everything.
pub(super) fn parse_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
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

/// Spans that have a histogram: ours, but for those whose functions are recorded without.
///
/// They are on level debug. Without that hint whatever anybody traces, in each poll of a
/// connection for example, is looked at before it is left out.
pub(super) fn timed_spans() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let timed: fn(&Metadata<'_>) -> bool = |meta| {
        let ours = meta.is_span() && meta.target().starts_with(OURS);
        ours && !phase::FUNCTIONS.contains(&meta.name())
    };
    FilterFn::new(timed).with_max_level_hint(LevelFilter::DEBUG)
}

/// Spans of ours.
pub(super) fn our_spans() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    filter_fn(|meta| meta.is_span() && meta.target().starts_with(OURS))
}

/// Adds the console's layer, if it is wanted; returns where it listens, or a sentence
/// about why it does not.
#[cfg(tokio_unstable)]
pub(super) fn add_console(
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
pub(super) fn add_console(
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
