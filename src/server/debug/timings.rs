//! `/debug/timings`: the histograms of requests, commands and statements, in any window.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::asked::blocking;
use super::format::{Format, asked_format};
use super::{Telemetry, bad_request, no_telemetry, web};
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

/// As JSON, with `?format=text` as a table, with `?format=hlog` as histograms, in a browser
/// as a page; `?window=` is `start`, `reset`, `mark:NAME`, or the last time such as `10s`
/// or `5m`; `?buckets=true` adds the buckets of every series to the JSON.
async fn timings(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let hlog = asked.format.as_deref() == Some("hlog");
    let named = asked.format.as_deref().filter(|_| !hlog);
    let format = match asked_format(named, &headers, Format::Json) {
        Ok(format) => format,
        Err(_unknown) => {
            let named = named.unwrap_or_default();
            let refusal = format!("unknown format '{named}'; it is html, json, text or hlog");
            return bad_request(&refusal);
        }
    };
    if format == Format::Html && !hlog {
        return web::page("timings");
    }
    let Some(telemetry) = telemetry else {
        return no_telemetry();
    };
    if hlog {
        return histograms(telemetry, asked.window).await;
    }
    let buckets = asked.buckets.unwrap_or_default();
    let report = match made(telemetry, asked.window, buckets).await {
        Ok(report) => report,
        Err(refusal) => return refusal,
    };
    if format == Format::Text {
        report.to_string().into_response()
    } else {
        Json(report).into_response()
    }
}

/// An HdrHistogram interval log.
async fn histograms(telemetry: TelemetryHandle, window: Option<String>) -> Response {
    let window = window.unwrap_or_else(|| "start".to_owned());
    let made = blocking("timings-hlog", move || telemetry.histograms(&window)).await;
    match made {
        Ok(Ok(Ok(log))) => ([(header::CONTENT_TYPE, "text/plain")], log).into_response(),
        Ok(Ok(Err(error))) => {
            tracing::error!("the histograms cannot be written: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Ok(Err(error)) => bad_request(&error.to_string()),
        Err(refusal) => refusal.into_response(),
    }
}

/// The report of a window.
pub(super) async fn report(
    telemetry: TelemetryHandle,
    window: Option<String>,
) -> Result<Report, Response> {
    made(telemetry, window, false).await
}

/// The same, with the buckets of every series if they are wanted; made where it may wait
/// for locks.
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
