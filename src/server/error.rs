//! The one place where refusals become status codes and bodies.
//!
//! Body: always `{"error": {...}}`. A missing row and a server-side failure carry
//! a kind (`error`), a broken rule carries its field where there is one. Causes
//! inside the database go to the log, not to the client.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::engine::EngineError;
use crate::engine::error::StoreError;
use crate::wire::error::ErrorResponse;

/// Seconds after which a client may try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A refusal on its way to the client.
#[derive(Debug)]
pub struct ApiError(EngineError);

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        Self(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self.0 {
            EngineError::NotFound(message) => body(
                StatusCode::NOT_FOUND,
                json!({"error": "NotFound", "message": message}),
            ),
            EngineError::Forbidden(message) => body(
                StatusCode::FORBIDDEN,
                json!({"error": "Forbidden", "message": message}),
            ),
            EngineError::Invalid {
                message,
                field: None,
            } => body(
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({"message": message}),
            ),
            EngineError::Invalid {
                message,
                field: Some((field, value)),
            } => body(
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({"message": message, "field": field, "value": value}),
            ),
            EngineError::Statement { kind, message } => body(
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({"error": kind, "message": message}),
            ),
            EngineError::Conflict(message) => body(
                StatusCode::CONFLICT,
                json!({"error": "Conflict", "message": message}),
            ),
            EngineError::Collision(error) => body(StatusCode::CONFLICT, error),
            EngineError::Store(error) => store(&error),
        }
    }
}

fn store(error: &StoreError) -> Response {
    if error.is_transient() {
        put_off(error);
        let mut response = body(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"error": "ServiceUnavailable", "message": error.to_string()}),
        );
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, RETRY_AFTER);
        return response;
    }
    tracing::error!("a request failed: {error}");
    body(
        StatusCode::INTERNAL_SERVER_ERROR,
        json!({
            "error": "InternalServerError",
            "message": "the server could not carry this out; its log says why",
        }),
    )
}

/// Says that requests are put off, at most once a second: an overload should not fill
/// the log as well.
fn put_off(error: &StoreError) {
    static SINCE: Mutex<Option<(Instant, u64)>> = Mutex::new(None);
    let mut since = SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *since {
        Some((at, unsaid)) if at.elapsed() < Duration::from_secs(1) => *unsaid += 1,
        _ => {
            let before = since.map_or(0, |(_, unsaid)| unsaid);
            *since = Some((Instant::now(), 0));
            tracing::warn!(before, "a request was put off: {error}");
        }
    }
}

fn body(status: StatusCode, error: serde_json::Value) -> Response {
    (status, Json(ErrorResponse { error })).into_response()
}
