//! `/debug/slow`: the newest requests that took longer than their threshold.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Telemetry;
use super::asked::{Refusal, limit, names, present, text};
use crate::telemetry::slow::{self, REMEMBERED, SlowRequest, SlowTold};
use crate::telemetry::told::{duration_text, micros};

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/slow", get(page))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
    limit: Option<String>,
    operation: Option<String>,
}

/// The newest first. `?operation=` is a route or a command, `?limit=` at most 200.
async fn page(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    present(telemetry)?;
    let as_text = text(asked.format.as_deref())?;
    let most = limit(asked.limit.as_deref(), REMEMBERED, REMEMBERED)?;
    let wanted = |slow: &SlowRequest| {
        let Some(operation) = &asked.operation else {
            return true;
        };
        let mut commands = slow.request.commands.iter();
        names(operation, slow.request.route) || commands.any(|one| one.name == operation)
    };
    let newest = slow::newest();
    let told: Vec<SlowTold> = newest
        .iter()
        .filter(|slow| wanted(slow))
        .take(most)
        .map(|slow| SlowTold::of(slow, None))
        .collect();
    let rules = slow::rules();
    if as_text {
        let from = |from: Option<Duration>| {
            from.map_or_else(
                || "never".to_owned(),
                |from| format!("from {}", duration_text(micros(from))),
            )
        };
        let mut page = format!("Slow: {}", from(rules.all));
        for (name, own) in &rules.named {
            page += &format!("; {name} {}", from(*own));
        }
        page += ".\n";
        for one in told {
            let threshold = duration_text(one.threshold_us);
            let (line, operation) = (one.request.line(), one.operation);
            page += &format!("{line}  ({operation}: from {threshold})\n");
        }
        return Ok(page.into_response());
    }
    let named: Vec<Value> = rules
        .named
        .iter()
        .map(|(name, from)| json!({"operation": name, "from_us": from.map(micros)}))
        .collect();
    Ok(Json(json!({
        "thresholds": {"all_us": rules.all.map(micros), "named": named},
        "slow": told,
    }))
    .into_response())
}
