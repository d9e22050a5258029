//! `/debug/timings/curve` and `/debug/timings/heat`: what the page draws of one series.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::Telemetry;
use super::asked::{Refusal, blocking, present};
use crate::telemetry::TelemetryHandle;
use crate::telemetry::chart::{ChartError, Wanted};

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

async fn curve(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    chart(telemetry, asked, "start", TelemetryHandle::curve).await
}

async fn heat(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    chart(telemetry, asked, "5m", TelemetryHandle::heat).await
}

/// What `make` makes of the question, where it may wait for locks.
async fn chart<T: Serialize + Send + 'static>(
    telemetry: Telemetry,
    asked: Asked,
    usual_window: &str,
    make: fn(&TelemetryHandle, &Wanted) -> Result<T, ChartError>,
) -> Result<Response, Refusal> {
    let telemetry = present(telemetry)?;
    let (Some(kind), Some(name)) = (asked.kind, asked.name) else {
        let refusal = "say of what: ?kind=route|command|statement|task&name=NAME, and if need \
                       be &part=whole|execute|...&window=5m";
        return Err(Refusal::bad(refusal));
    };
    let wanted = Wanted {
        kind,
        name,
        part: asked.part.unwrap_or_else(|| "whole".to_owned()),
        window: asked.window.unwrap_or_else(|| usual_window.to_owned()),
    };
    match blocking("timings-chart", move || make(&telemetry, &wanted)).await? {
        Ok(chart) => Ok(Json(chart).into_response()),
        Err(error) if error.is_missing() => Err(Refusal::absent(error.to_string())),
        Err(error) => Err(Refusal::bad(error.to_string())),
    }
}
