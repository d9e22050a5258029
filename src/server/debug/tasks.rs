//! `/debug/tasks`: every task by name, and where it is parked.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::Telemetry;
use super::asked::{Refusal, text};
use crate::telemetry::task_dump::{self, DumpError};

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/tasks", get(tasks))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
    name: Option<String>,
}

/// As JSON, or with `?format=text` in words; `?name=` for the tasks of one name.
async fn tasks(Query(asked): Query<Asked>) -> Result<Response, Refusal> {
    let as_text = text(asked.format.as_deref())?;
    let report = task_dump::report(asked.name).await;
    let report = report.map_err(|error| match error {
        DumpError::Busy => Refusal::busy(error.to_string()),
        DumpError::Failed => Refusal::failed("the dump of the tasks", error),
    })?;
    let status = match report.without_stacks {
        Some(_) => StatusCode::NOT_IMPLEMENTED,
        None => StatusCode::OK,
    };
    Ok(if as_text {
        (status, report.to_string()).into_response()
    } else {
        (status, Json(report)).into_response()
    })
}
