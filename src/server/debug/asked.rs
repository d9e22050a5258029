//! What the queries of debug pages have in common, refusals in words, and work that may
//! take a while.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::telemetry::task;

/// Seconds after which one who was refused for now may ask again.
const LATER: u16 = 5;

/// A page that is not given, and a sentence about what would be.
pub struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    /// The question makes no sense.
    pub fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// What was asked for is not there.
    pub fn absent(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// Others are asking already.
    pub fn busy(text: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, text)
    }

    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, text }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text + "\n").into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            let later = HeaderValue::from(LATER);
            response.headers_mut().insert(header::RETRY_AFTER, later);
        }
        response
    }
}

/// Whether text is wanted, and not JSON.
pub fn text(format: Option<&str>) -> Result<bool, Refusal> {
    match format {
        None | Some("json") => Ok(false),
        Some("text") => Ok(true),
        Some(other) => {
            let refusal = format!("unknown format '{other}'; it is json or text");
            Err(Refusal::bad(refusal))
        }
    }
}

/// How many entries are wanted, from 1 to `most`.
pub fn limit(limit: Option<&str>, usual: usize, most: usize) -> Result<usize, Refusal> {
    let Some(text) = limit else {
        return Ok(usual);
    };
    let number = text.parse().ok();
    let fits = |number: &usize| (1..=most).contains(number);
    number.filter(fits).ok_or_else(|| {
        let refusal = format!("limit '{text}' is not a whole number from 1 to {most}");
        Refusal::bad(refusal)
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
) -> Result<T, Refusal> {
    task::spawn_blocking(name, work).await.map_err(|error| {
        tracing::error!("{name} failed: {error}");
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this page failed; see the log",
        )
    })
}
