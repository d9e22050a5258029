//! `/debug/trace`: what the server does in the next seconds, or did in the last ones, as
//! trace events for Perfetto and Chrome.
//!
//! One at a time, until it was read: a trace may have 64 MiB.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Telemetry;
use super::asked::{Refusal, blocking, number, present};
use crate::clock::Tick;
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
) -> Result<Response, Refusal> {
    let seconds = number("seconds", asked.seconds.as_deref(), USUAL, 1..=MOST)?;
    let (telemetry, permit) = begin(telemetry)?;
    let since = Tick::now();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        // The server stops: what there is must do.
        () = shutdown.begun() => {}
    }
    answer(telemetry, Some(since), permit).await
}

/// Answers what the flight recorder holds.
async fn recent(State(telemetry): State<Telemetry>) -> Result<Response, Refusal> {
    let (telemetry, permit) = begin(telemetry)?;
    answer(telemetry, None, permit).await
}

fn begin(telemetry: Telemetry) -> Result<(TelemetryHandle, SemaphorePermit<'static>), Refusal> {
    let telemetry = present(telemetry)?;
    if !flight::is_on() {
        let refusal = "the flight recorder is off (--flight-recorder); there is no trace";
        return Err(Refusal::absent(refusal));
    }
    let busy = "another trace is being made or read; one at a time";
    let permit = ONE.try_acquire().map_err(|_| Refusal::busy(busy))?;
    Ok((telemetry, permit))
}

async fn answer(
    telemetry: TelemetryHandle,
    since: Option<Tick>,
    permit: SemaphorePermit<'static>,
) -> Result<Response, Refusal> {
    // The permit goes along: an asker who goes away does not end the work.
    let make = move || (telemetry.trace(since), permit);
    let (made, permit) = blocking("debug-trace", make).await?;
    let trace = Bytes::from(made);
    let chunks = stream::unfold((trace, Some(permit)), |(mut trace, permit)| async {
        if trace.is_empty() {
            return None;
        }
        let chunk = trace.split_to(CHUNK.min(trace.len()));
        // With the last chunk: who has read it may ask again at once.
        let permit = permit.filter(|_| !trace.is_empty());
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
    Ok(response)
}
