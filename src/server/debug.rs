//! Pages about the server itself. They answer callers on this machine alone.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use crate::engine::Engine;
use crate::telemetry::{TelemetryHandle, task};

/// The routes of the debug pages.
pub fn routes(telemetry: Option<TelemetryHandle>) -> Router<Engine> {
    Router::new().route(
        "/debug/timings",
        get(move |peer, query| timings(peer, query, telemetry)),
    )
}

#[derive(Deserialize)]
struct Format {
    format: Option<String>,
}

/// The histograms of spans and phases, live: as JSON, or with `?format=text` as a table.
async fn timings(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(query): Query<Format>,
    telemetry: Option<TelemetryHandle>,
) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        let refusal = "debug pages answer on loopback only; ask from the server's own machine\n";
        return (StatusCode::FORBIDDEN, refusal).into_response();
    }
    let Some(telemetry) = telemetry else {
        let refusal = "this server runs without telemetry\n";
        return (StatusCode::NOT_FOUND, refusal).into_response();
    };
    let text = match query.format.as_deref() {
        None | Some("json") => false,
        Some("text") => true,
        Some(other) => {
            let refusal = format!("unknown format '{other}'; it is json or text\n");
            return (StatusCode::BAD_REQUEST, refusal).into_response();
        }
    };
    let report = task::spawn_blocking("timings-report", move || {
        if text {
            telemetry.report_text().into_response()
        } else {
            Json(telemetry.report()).into_response()
        }
    });
    report.await.unwrap_or_else(|error| {
        tracing::error!("the timings report failed: {error}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
