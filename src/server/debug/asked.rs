//! What the queries of debug pages have in common, and work that may take a while.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::bad_request;
use crate::telemetry::task;

/// Whether text is wanted, and not JSON.
pub fn text(format: Option<&str>) -> Result<bool, Response> {
    match format {
        None | Some("json") => Ok(false),
        Some("text") => Ok(true),
        Some(other) => {
            let refusal = format!("unknown format '{other}'; it is json or text");
            Err(bad_request(&refusal))
        }
    }
}

/// How many entries are wanted, from 1 to `most`.
pub fn limit(limit: Option<&str>, usual: usize, most: usize) -> Result<usize, Response> {
    let Some(text) = limit else {
        return Ok(usual);
    };
    let number = text.parse().ok();
    let fits = |number: &usize| (1..=most).contains(number);
    number.filter(fits).ok_or_else(|| {
        bad_request(&format!(
            "limit '{text}' is not a whole number from 1 to {most}"
        ))
    })
}

/// Whether a route or an operation is the one that was asked for; a route's method may be
/// left out.
pub fn names(asked: &str, known: &str) -> bool {
    let path = known.split_once(' ').map(|(_, path)| path);
    known == asked || path == Some(asked)
}

/// Does what takes a while on the blocking pool.
pub async fn blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Response> {
    task::spawn_blocking(name, work).await.map_err(|error| {
        tracing::error!("{name} failed: {error}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

/// What is not there, and what would be.
pub fn not_found(message: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("{message}\n")).into_response()
}
