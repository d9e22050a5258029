//! `/debug/runtime`: how busy the workers are, slow polls and stalls, and the process.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::runtime::Handle;

use super::{Telemetry, bad_request};
use crate::telemetry::{runtime, task};

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/runtime", get(page))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
}

/// As JSON, or with `?format=text` in words.
async fn page(Query(asked): Query<Asked>) -> Response {
    let text = match asked.format.as_deref() {
        None | Some("json") => false,
        Some("text") => true,
        Some(other) => {
            return bad_request(&format!("unknown format '{other}'; it is json or text"));
        }
    };
    let metrics = Handle::current().metrics();
    let made = task::spawn_blocking("runtime-report", move || runtime::report(&metrics));
    match made.await {
        Ok(report) if text => report.to_string().into_response(),
        Ok(report) => Json(report).into_response(),
        Err(error) => {
            tracing::error!("the report of the runtime failed: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
