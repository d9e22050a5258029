//! `/debug/exemplars`: for each bucket of a route's or a command's times a request in it.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Telemetry;
use super::asked::{Refusal, names, present, text};
use crate::telemetry::exemplars::{self, Exemplar};
use crate::telemetry::recorder::Kind;
use crate::telemetry::told::{RequestTold, duration_text};

/// The page.
pub fn routes() -> Router<Telemetry> {
    Router::new().route("/debug/exemplars", get(page))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
    route: Option<String>,
    operation: Option<String>,
}

/// The fastest bucket first; `?route=GET /jobs/{id}` or `?operation=complete_job`.
async fn page(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    present(telemetry)?;
    let as_text = text(asked.format.as_deref())?;
    let (kind, word, name) = match (asked.route, asked.operation) {
        (Some(route), None) => (Kind::Route, "route", route),
        (None, Some(operation)) => (Kind::Command, "operation", operation),
        _ => {
            let refusal = "say either ?route=GET /jobs/{id} or ?operation=complete_job";
            return Err(Refusal::bad(refusal));
        }
    };
    let known = exemplars::names(kind);
    let Some(found) = known.iter().find(|one| names(&name, one)) else {
        let known = known.join(", ");
        let refusal = format!("nothing was recorded of {word} '{name}'; there is: {known}");
        return Err(Refusal::absent(refusal));
    };
    let found = *found;
    let exemplars = exemplars::of(kind, found);
    if as_text {
        let lines: String = exemplars.iter().map(line).collect();
        return Ok(format!("{found}\n{lines}").into_response());
    }
    let told: Vec<Value> = exemplars
        .iter()
        .map(|one| {
            json!({
                "lower_us": one.lower_us,
                "upper_us": one.upper_us,
                "request": RequestTold::of(&one.request),
            })
        })
        .collect();
    Ok(Json(json!({word: found, "exemplars": told})).into_response())
}

fn line(exemplar: &Exemplar) -> String {
    let upper = exemplar
        .upper_us
        .map_or_else(String::new, |us| duration_text(us as f64));
    let lower = duration_text(exemplar.lower_us as f64);
    let request = RequestTold::of(&exemplar.request).line();
    format!("{lower:>7} to {upper:7} {request}\n")
}
