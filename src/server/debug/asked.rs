//! What the queries of debug pages have in common, refusals in words, and work that may
//! take a while.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Telemetry;
use crate::telemetry::{TelemetryHandle, task};

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

    /// The page cannot be made; the log says why.
    pub fn failed(name: &str, error: impl Display) -> Self {
        tracing::error!("{name} failed: {error}");
        let text = "this page failed; see the log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
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

/// The telemetry that a page reads, if this server has it.
pub fn present(telemetry: Telemetry) -> Result<TelemetryHandle, Refusal> {
    telemetry.ok_or_else(|| Refusal::absent("this server runs without telemetry"))
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
    number("limit", limit, usual, 1..=most)
}

/// A whole number within bounds.
pub fn number<N>(
    name: &str,
    asked: Option<&str>,
    usual: N,
    bounds: RangeInclusive<N>,
) -> Result<N, Refusal>
where
    N: FromStr + PartialOrd + Display,
{
    let Some(text) = asked else {
        return Ok(usual);
    };
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        let (least, most) = (bounds.start(), bounds.end());
        Refusal::bad(format!(
            "{name} is a whole number from {least} to {most}, not '{text}'"
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
) -> Result<T, Refusal> {
    let done = task::spawn_blocking(name, work).await;
    done.map_err(|error| Refusal::failed(name, error))
}
