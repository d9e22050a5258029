//! `/debug/trace`: what the server does in the next seconds, or did in the last ones, as
//! trace events for Perfetto and Chrome.
//!
//! One at a time, until it was read: a trace may have 64 MiB.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::asked::{blocking, not_found};
use super::{Telemetry, bad_request, no_telemetry};
use crate::shutdown::Shutdown;
use crate::telemetry::{TelemetryHandle, flight};

/// Seconds that are traced when nothing is said, and at most.
const USUAL: u64 = 5;
const MOST: u64 = 30;
/// Bytes that are handed on at once.
const CHUNK: usize = 256 << 10;

static ONE: Semaphore = Semaphore::const_new(1);

/// The pages.
pub fn routes(shutdown: Shutdown) -> Router<Telemetry> {
    Router::new()
        .route(
            "/debug/trace",
            get(move |telemetry, asked| next_seconds(telemetry, asked, shutdown)),
        )
        .route("/debug/trace/recent", get(recent))
}

#[derive(Deserialize)]
struct Asked {
    seconds: Option<String>,
}

/// Waits `?seconds=` and answers what happened meanwhile.
async fn next_seconds(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
    shutdown: Shutdown,
) -> Response {
    let seconds = match asked.seconds.as_deref() {
        None => Some(USUAL),
        Some(text) => text.parse().ok(),
    };
    let Some(seconds) = seconds.filter(|seconds| (1..=MOST).contains(seconds)) else {
        return bad_request(&format!("seconds is a whole number from 1 to {MOST}"));
    };
    let (telemetry, permit) = match begin(telemetry) {
        Ok(begun) => begun,
        Err(refusal) => return refusal,
    };
    let since = Instant::now();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        // The server stops: what there is must do.
        () = shutdown.begun() => {}
    }
    answer(telemetry, Some(since), permit).await
}

/// Answers what the flight recorder holds.
async fn recent(State(telemetry): State<Telemetry>) -> Response {
    match begin(telemetry) {
        Ok((telemetry, permit)) => answer(telemetry, None, permit).await,
        Err(refusal) => refusal,
    }
}

fn begin(telemetry: Telemetry) -> Result<(TelemetryHandle, SemaphorePermit<'static>), Response> {
    let Some(telemetry) = telemetry else {
        return Err(no_telemetry());
    };
    if !flight::is_on() {
        let refusal = "the flight recorder is off (--flight-recorder); there is no trace";
        return Err(not_found(refusal));
    }
    let permit = ONE.try_acquire().map_err(|_| {
        let refusal = "another trace is being made or read; one at a time\n";
        let later = [(header::RETRY_AFTER, HeaderValue::from(USUAL))];
        (StatusCode::TOO_MANY_REQUESTS, later, refusal).into_response()
    })?;
    Ok((telemetry, permit))
}

async fn answer(
    telemetry: TelemetryHandle,
    since: Option<Instant>,
    permit: SemaphorePermit<'static>,
) -> Response {
    let made = blocking("debug-trace", move || telemetry.trace(since)).await;
    let trace = match made {
        Ok(trace) => Bytes::from(trace),
        Err(refusal) => return refusal,
    };
    let chunks = stream::unfold((trace, permit), |(mut trace, permit)| async {
        if trace.is_empty() {
            return None;
        }
        let chunk = trace.split_to(CHUNK.min(trace.len()));
        Some((Ok::<_, Infallible>(chunk), (trace, permit)))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"torc-trace.json\"",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
