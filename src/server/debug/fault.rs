//! Faults on demand, for tests that must see one named. They exist only in a server that
//! was started with `TORC_FAULT`, a list such as `block-worker:2s`, and behave like the
//! other debug pages: they answer this machine alone.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::Telemetry;

/// The variable; read once, when the routes are made.
const VARIABLE: &str = "TORC_FAULT";

/// A fault that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// `GET /debug/fault/block-worker` sleeps so long without giving its thread back.
    BlockWorker(Duration),
}

/// The routes of the faults that the environment asks for: usually none.
pub fn routes() -> Router<Telemetry> {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    let mut routes = Router::new();
    for fault in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        match parse(fault) {
            Ok(fault) => {
                tracing::warn!("{VARIABLE}: this server fails on demand ({fault:?})");
                routes = routes.merge(route(fault));
            }
            Err(reason) => tracing::error!("{VARIABLE} is left out: {reason}"),
        }
    }
    routes
}

fn parse(text: &str) -> Result<Fault, String> {
    let (name, argument) = text.split_once(':').unwrap_or((text, ""));
    match name {
        "block-worker" => seconds(argument).map(Fault::BlockWorker),
        _ => Err(format!("no fault '{name}'; there is block-worker:TIME")),
    }
}

/// `2s` or `300ms`, a minute at most.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = |text: &str| text.parse::<u64>().ok();
    let millis = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(text), _) => number(text),
        (None, Some(text)) => number(text).and_then(|seconds| seconds.checked_mul(1000)),
        (None, None) => None,
    };
    millis
        .filter(|millis| (1..=60_000).contains(millis))
        .map(Duration::from_millis)
        .ok_or_else(|| format!("'{text}' is no time up to 60s, such as 2s or 300ms"))
}

fn route(fault: Fault) -> Router<Telemetry> {
    match fault {
        Fault::BlockWorker(time) => {
            let routes = Router::new().route("/debug/fault/block-worker", get(block_worker));
            routes.with_state(time)
        }
    }
}

/// What a handler must never do.
async fn block_worker(State(time): State<Duration>) -> &'static str {
    std::thread::sleep(time);
    "a worker thread was blocked\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_spelt() {
        let blocked = |millis| Ok(Fault::BlockWorker(Duration::from_millis(millis)));
        assert_eq!(parse("block-worker:2s"), blocked(2000));
        assert_eq!(parse("block-worker:300ms"), blocked(300));
        for wrong in [
            "",
            "x",
            "block-worker",
            "block-worker:2",
            "block-worker:61s",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
