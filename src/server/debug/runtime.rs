//! `/debug/runtime`: how busy the workers are, slow polls and stalls, and the process.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::runtime::Handle;

use super::Telemetry;
use super::asked::{Refusal, blocking, text};
use crate::telemetry::runtime;

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/runtime", get(page))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
}

/// As JSON, or with `?format=text` in words.
async fn page(Query(asked): Query<Asked>) -> Result<Response, Refusal> {
    let as_text = text(asked.format.as_deref())?;
    let metrics = Handle::current().metrics();
    let report = blocking("runtime-report", move || runtime::report(&metrics)).await?;
    Ok(if as_text {
        report.to_string().into_response()
    } else {
        Json(report).into_response()
    })
}
