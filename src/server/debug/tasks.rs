//! `/debug/tasks`: every task by name, and where it is parked.

use axum::extract::Query;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::{Telemetry, bad_request};
use crate::telemetry::task_dump::{self, DumpError};

/// Seconds after which it is worth to ask again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

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
async fn tasks(Query(asked): Query<Asked>) -> Response {
    let text = match asked.format.as_deref() {
        None | Some("json") => false,
        Some("text") => true,
        Some(other) => {
            return bad_request(&format!("unknown format '{other}'; it is json or text"));
        }
    };
    let report = match task_dump::report(asked.name).await {
        Ok(report) => report,
        Err(error) => return refusal(&error),
    };
    let status = match report.without_stacks {
        Some(_) => StatusCode::NOT_IMPLEMENTED,
        None => StatusCode::OK,
    };
    if text {
        (status, report.to_string()).into_response()
    } else {
        (status, Json(report)).into_response()
    }
}

fn refusal(error: &DumpError) -> Response {
    let status = match error {
        DumpError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        DumpError::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = (status, format!("{error}\n")).into_response();
    if *error == DumpError::Busy {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}
