//! `/debug/timings`: the histograms of requests, commands and statements, in any window.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::{Telemetry, bad_request, no_telemetry};
use crate::telemetry::recorder::history;
use crate::telemetry::recorder::window::RESET;
use crate::telemetry::{Report, TelemetryHandle, task};

/// The page, its reset and its marks.
pub fn routes() -> Router<Telemetry> {
    Router::new()
        .route("/debug/timings", get(timings))
        .route("/debug/timings/reset", post(reset))
        .route("/debug/timings/marks", get(marks))
        .route(
            "/debug/timings/marks/{name}",
            post(set_mark).delete(remove_mark),
        )
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
    window: Option<String>,
    buckets: Option<bool>,
}

/// As JSON, or with `?format=text` as a table; `?window=` is `start`, `reset`,
/// `mark:NAME`, or the last time such as `10s` or `5m`; `?buckets=true` adds the buckets of
/// every series.
async fn timings(State(telemetry): State<Telemetry>, Query(asked): Query<Asked>) -> Response {
    let Some(telemetry) = telemetry else {
        return no_telemetry();
    };
    let text = match asked.format.as_deref() {
        None | Some("json") => false,
        Some("text") => true,
        Some(other) => {
            return bad_request(&format!("unknown format '{other}'; it is json or text"));
        }
    };
    let buckets = asked.buckets.unwrap_or_default();
    let report = match made(telemetry, asked.window, buckets).await {
        Ok(report) => report,
        Err(refusal) => return refusal,
    };
    if text {
        report.to_string().into_response()
    } else {
        Json(report).into_response()
    }
}

/// The report of a window, made where it may wait for locks.
async fn made(
    telemetry: TelemetryHandle,
    window: Option<String>,
    buckets: bool,
) -> Result<Report, Response> {
    let window = window.unwrap_or_else(|| "start".to_owned());
    let made = task::spawn_blocking("timings-report", move || {
        if buckets {
            telemetry.report_with_buckets(&window)
        } else {
            telemetry.report_window(&window)
        }
    });
    match made.await {
        Ok(made) => made.map_err(|error| bad_request(&error.to_string())),
        Err(error) => {
            tracing::error!("the timings report failed: {error}");
            Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

/// From now on `?window=reset` counts from here.
async fn reset() -> Response {
    set_mark(Path(RESET.to_owned())).await
}

async fn set_mark(Path(name): Path<String>) -> Response {
    let set = task::spawn_blocking("timings-mark", move || history::set_mark(&name));
    match set.await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(error)) => bad_request(&error.to_string()),
        Err(error) => {
            tracing::error!("a mark could not be set: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn remove_mark(Path(name): Path<String>) -> Response {
    if history::remove_mark(&name) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let refusal = format!("there is no mark '{name}'\n");
        (StatusCode::NOT_FOUND, refusal).into_response()
    }
}

async fn marks() -> Response {
    let marks: Vec<_> = history::marks()
        .into_iter()
        .map(|(name, set_ms)| json!({"name": name, "set_ms": set_ms}))
        .collect();
    Json(json!({ "marks": marks })).into_response()
}
