//! `/debug/timings/curve` and `/debug/timings/heat`: what the page draws of one series.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::{Telemetry, bad_request, no_telemetry};
use crate::telemetry::chart::{ChartError, Wanted};
use crate::telemetry::{TelemetryHandle, task};

/// Both.
pub fn routes() -> Router<Telemetry> {
    Router::new()
        .route("/debug/timings/curve", get(curve))
        .route("/debug/timings/heat", get(heat))
}

#[derive(Deserialize)]
struct Asked {
    kind: Option<String>,
    name: Option<String>,
    part: Option<String>,
    window: Option<String>,
}

async fn curve(State(telemetry): State<Telemetry>, Query(asked): Query<Asked>) -> Response {
    chart(telemetry, asked, "start", TelemetryHandle::curve).await
}

async fn heat(State(telemetry): State<Telemetry>, Query(asked): Query<Asked>) -> Response {
    chart(telemetry, asked, "5m", TelemetryHandle::heat).await
}

/// What `make` makes of the question, where it may wait for locks.
async fn chart<T: Serialize + Send + 'static>(
    telemetry: Telemetry,
    asked: Asked,
    usual_window: &str,
    make: fn(&TelemetryHandle, &Wanted) -> Result<T, ChartError>,
) -> Response {
    let Some(telemetry) = telemetry else {
        return no_telemetry();
    };
    let (Some(kind), Some(name)) = (asked.kind, asked.name) else {
        return bad_request(
            "say of what: ?kind=route|command|statement|task&name=NAME, and if need be \
             &part=whole|execute|...&window=5m",
        );
    };
    let wanted = Wanted {
        kind,
        name,
        part: asked.part.unwrap_or_else(|| "whole".to_owned()),
        window: asked.window.unwrap_or_else(|| usual_window.to_owned()),
    };
    let made = task::spawn_blocking("timings-chart", move || make(&telemetry, &wanted));
    match made.await {
        Ok(Ok(chart)) => Json(chart).into_response(),
        Ok(Err(error)) if error.is_missing() => {
            (StatusCode::NOT_FOUND, format!("{error}\n")).into_response()
        }
        Ok(Err(error)) => bad_request(&error.to_string()),
        Err(error) => {
            tracing::error!("a chart failed: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
