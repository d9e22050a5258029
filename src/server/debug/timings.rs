//! `/debug/timings`: the histograms of requests, commands and statements, in any window.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::asked::{Refusal, blocking, present};
use super::format::{Format, asked_format};
use super::{Telemetry, web};
use crate::telemetry::recorder::history;
use crate::telemetry::recorder::window::RESET;
use crate::telemetry::{Report, TelemetryHandle};

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
) -> Result<Response, Refusal> {
    let hlog = asked.format.as_deref() == Some("hlog");
    let named = asked.format.as_deref().filter(|_| !hlog);
    let format = asked_format(named, &headers, Format::Json).map_err(|_unknown| {
        let named = named.unwrap_or_default();
        Refusal::bad(format!(
            "unknown format '{named}'; it is html, json, text or hlog"
        ))
    })?;
    if format == Format::Html && !hlog {
        return Ok(web::page("timings"));
    }
    let telemetry = present(telemetry)?;
    if hlog {
        return histograms(telemetry, asked.window).await;
    }
    let buckets = asked.buckets.unwrap_or_default();
    let report = made(telemetry, asked.window, buckets).await?;
    Ok(if format == Format::Text {
        report.to_string().into_response()
    } else {
        Json(report).into_response()
    })
}

/// An HdrHistogram interval log.
async fn histograms(
    telemetry: TelemetryHandle,
    window: Option<String>,
) -> Result<Response, Refusal> {
    let window = window.unwrap_or_else(|| "start".to_owned());
    let made = blocking("timings-hlog", move || telemetry.histograms(&window)).await?;
    let made = made.map_err(|error| Refusal::bad(error.to_string()))?;
    let log = made.map_err(|error| Refusal::failed("writing the histograms", error))?;
    Ok(([(header::CONTENT_TYPE, "text/plain")], log).into_response())
}

/// The report of a window.
pub(super) async fn report(
    telemetry: TelemetryHandle,
    window: Option<String>,
) -> Result<Report, Refusal> {
    made(telemetry, window, false).await
}

/// The same, with the buckets of every series if they are wanted; made where it may wait
/// for locks.
async fn made(
    telemetry: TelemetryHandle,
    window: Option<String>,
    buckets: bool,
) -> Result<Report, Refusal> {
    let window = window.unwrap_or_else(|| "start".to_owned());
    let made = blocking("timings-report", move || {
        if buckets {
            telemetry.report_with_buckets(&window)
        } else {
            telemetry.report_window(&window)
        }
    });
    let made = made.await?;
    made.map_err(|error| Refusal::bad(error.to_string()))
}

/// From now on `?window=reset` counts from here.
async fn reset() -> Result<StatusCode, Refusal> {
    set_mark(Path(RESET.to_owned())).await
}

async fn set_mark(Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    let set = blocking("timings-mark", move || history::set_mark(&name)).await?;
    set.map_err(|error| Refusal::bad(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_mark(Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    if history::remove_mark(&name) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::absent(format!("there is no mark '{name}'")))
    }
}

async fn marks() -> Response {
    let marks: Vec<_> = history::marks()
        .into_iter()
        .map(|(name, set_ms)| json!({"name": name, "set_ms": set_ms}))
        .collect();
    Json(json!({ "marks": marks })).into_response()
}
