//! `/debug/profile`: a CPU flame graph of this process.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::{Telemetry, bad_request};
use crate::telemetry::profile::{self, FREQUENCIES, ProfileError, SECONDS};
use crate::telemetry::task;

const SVG: HeaderValue = HeaderValue::from_static("image/svg+xml");

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/profile", get(page))
}

#[derive(Deserialize)]
struct Asked {
    seconds: Option<String>,
    frequency: Option<String>,
    format: Option<String>,
}

/// Samples for `?seconds=` (10) at `?frequency=` (99 a second of CPU time), then answers an
/// SVG, or with `?format=collapsed` folded stacks.
async fn page(Query(asked): Query<Asked>) -> Response {
    let collapsed = match asked.format.as_deref() {
        None | Some("svg") => false,
        Some("collapsed") => true,
        Some(other) => {
            return bad_request(&format!("unknown format '{other}'; it is svg or collapsed"));
        }
    };
    let seconds = match number("seconds", asked.seconds, 10, SECONDS) {
        Ok(seconds) => seconds,
        Err(message) => return bad_request(&message),
    };
    let frequency = match number("frequency", asked.frequency, 99, FREQUENCIES) {
        Ok(frequency) => frequency,
        Err(message) => return bad_request(&message),
    };
    // Lives as long as the caller waits for this answer.
    let waiting = Arc::new(());
    let awaited = Arc::downgrade(&waiting);
    let made = task::spawn_blocking("cpu-profile", move || {
        let span = Duration::from_secs(seconds);
        let profile = profile::record(span, frequency, || awaited.strong_count() > 0)?;
        if collapsed {
            Ok(profile.collapsed().into_response())
        } else {
            Ok(([(header::CONTENT_TYPE, SVG)], profile.svg()?).into_response())
        }
    });
    let made = made.await;
    drop(waiting);
    match made {
        Ok(Ok(response)) => response,
        Ok(Err(error @ (ProfileError::Busy | ProfileError::Abandoned))) => {
            (StatusCode::TOO_MANY_REQUESTS, format!("{error}\n")).into_response()
        }
        Ok(Err(error @ ProfileError::Failed(_))) => {
            tracing::error!("{error}");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
        }
        Err(error) => {
            tracing::error!("the CPU profile failed: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A whole number within bounds, or a sentence about what it should be.
fn number<N>(
    name: &str,
    given: Option<String>,
    default: N,
    bounds: RangeInclusive<N>,
) -> Result<N, String>
where
    N: FromStr + PartialOrd + std::fmt::Display,
{
    let Some(text) = given else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        let (least, most) = (bounds.start(), bounds.end());
        format!("{name} is a whole number from {least} to {most}, not '{text}'")
    })
}
