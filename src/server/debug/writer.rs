//! `/debug/writer`: who holds the writer, who waits for it, how its log stands.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::{Telemetry, bad_request};
use crate::telemetry::board;

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/writer", get(writer))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
}

/// As JSON, or with `?format=text` in words.
async fn writer(Query(asked): Query<Asked>) -> Response {
    let report = board::report();
    match asked.format.as_deref() {
        None | Some("json") => Json(report).into_response(),
        Some("text") => report.to_string().into_response(),
        Some(other) => bad_request(&format!("unknown format '{other}'; it is json or text")),
    }
}
