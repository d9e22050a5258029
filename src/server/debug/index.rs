//! `/debug/`: what there is to see, and a few figures about now.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::format::{Format, asked_format};
use super::{Telemetry, web};
use crate::telemetry::overview::Overview;
use crate::telemetry::task;

/// A page of the index.
#[derive(Serialize)]
pub struct Entry {
    /// Its path.
    pub path: &'static str,
    /// What it answers, in one line.
    pub answers: &'static str,
    /// Its formats, the one that curl gets first; none if it has one form alone.
    pub formats: &'static [&'static str],
}

/// All pages, in the order in which one looks for a culprit.
pub const PAGES: &[Entry] = &[
    Entry {
        path: "/debug/timings",
        answers: "Where does the time go? Requests, operations, functions, statements, tasks, in any window.",
        formats: &["json", "text", "html"],
    },
    Entry {
        path: "/debug/writer",
        answers: "Who holds the writer now, who waits for it, and how its log stands.",
        formats: &["json", "text", "html"],
    },
    Entry {
        path: "/debug/statements",
        answers: "Which SQL costs most, how much it reads, and does its plan scan a table?",
        formats: &["json", "text", "html"],
    },
];

/// The index.
pub fn routes() -> Router<Telemetry> {
    Router::new()
        .route("/debug", get(|| async { Redirect::permanent("/debug/") }))
        .route("/debug/", get(index))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
}

#[derive(Serialize)]
struct Index {
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Overview>,
    pages: &'static [Entry],
}

/// As text, as JSON, in a browser as a page.
async fn index(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let format = match asked_format(asked.format.as_deref(), &headers, Format::Text) {
        Ok(format) => format,
        Err(refusal) => return refusal.into_response(),
    };
    let now = match telemetry {
        Some(telemetry) => task::spawn_blocking("debug-overview", move || telemetry.overview())
            .await
            .inspect_err(|error| tracing::error!("the overview failed: {error}"))
            .ok(),
        None => None,
    };
    match format {
        Format::Html => web::index(&rows(&headers), now.as_ref()),
        Format::Json => Json(Index { now, pages: PAGES }).into_response(),
        Format::Text => text(now.as_ref(), &address(&headers)).into_response(),
    }
}

/// Where the caller found us; `only_from_here` has seen that it names this machine.
fn address(headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    format!("http://{}", host.unwrap_or("127.0.0.1"))
}

fn text(now: Option<&Overview>, address: &str) -> String {
    let mut out = match now {
        Some(now) => format!("{now}\n"),
        None => "this server runs without telemetry\n\n".to_owned(),
    };
    for Entry {
        path,
        answers,
        formats,
    } in PAGES
    {
        out += &format!("{path}\n    {answers}\n    curl '{address}{path}");
        let others: Vec<&str> = formats.iter().copied().skip(1).collect();
        match others.as_slice() {
            [] => out += "'\n\n",
            _ => out += &format!("?format=text'    also: {}\n\n", formats.join(", ")),
        }
    }
    out
}

/// The table's rows as HTML. All but the address is ours; the address is a host and port.
fn rows(headers: &HeaderMap) -> String {
    let address = web::escaped(&address(headers));
    let mut out = String::new();
    for Entry {
        path,
        answers,
        formats,
    } in PAGES
    {
        let links = formats
            .iter()
            .map(|format| format!("<a href=\"{path}?format={format}\">{format}</a>"));
        let links: Vec<String> = links.collect();
        let asking = if formats.is_empty() {
            ""
        } else {
            "?format=text"
        };
        out += &format!(
            "<tr><th scope=\"row\"><a href=\"{path}\">{path}</a></th><td>{answers}</td>\
             <td>{}</td><td><code>curl '{address}{path}{asking}'</code></td></tr>\n",
            links.join(" "),
        );
    }
    out
}
