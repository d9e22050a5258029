//! `/debug/writer`: who holds the writer, who waits for it, how its log stands.

use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::Telemetry;
use super::asked::Refusal;
use super::format::{Format, asked_format};
use super::web;
use crate::telemetry::board;

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/writer", get(writer))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
}

/// As JSON, with `?format=text` in words, in a browser as a page that follows it.
async fn writer(Query(asked): Query<Asked>, headers: HeaderMap) -> Result<Response, Refusal> {
    let format = asked_format(asked.format.as_deref(), &headers, Format::Json)?;
    Ok(match format {
        Format::Html => web::page("writer"),
        Format::Json => Json(board::report()).into_response(),
        Format::Text => board::report().to_string().into_response(),
    })
}
