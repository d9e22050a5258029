//! `/debug/profile`: a CPU flame graph of this process.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::Telemetry;
use super::asked::{Refusal, blocking, number};
use crate::telemetry::profile::{self, FREQUENCIES, ProfileError, SECONDS};

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
async fn page(Query(asked): Query<Asked>) -> Result<Response, Refusal> {
    let collapsed = match asked.format.as_deref() {
        None | Some("svg") => false,
        Some("collapsed") => true,
        Some(other) => {
            let refusal = format!("unknown format '{other}'; it is svg or collapsed");
            return Err(Refusal::bad(refusal));
        }
    };
    let seconds = number("seconds", asked.seconds.as_deref(), 10, SECONDS)?;
    let frequency = number("frequency", asked.frequency.as_deref(), 99, FREQUENCIES)?;
    // Lives as long as the caller waits for this answer.
    let waiting = Arc::new(());
    let awaited = Arc::downgrade(&waiting);
    let made = blocking("cpu-profile", move || {
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
    made?.map_err(|error| match error {
        ProfileError::Busy | ProfileError::Abandoned => Refusal::busy(error.to_string()),
        ProfileError::Failed(_) => Refusal::failed("the CPU profile", error),
    })
}
