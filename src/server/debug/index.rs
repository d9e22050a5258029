//! `/debug/`: what there is to see, and a few figures about now.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::asked::Refusal;
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
    /// Its formats, the one that curl gets first.
    pub formats: &'static [&'static str],
    /// What else one asks of it, as an example.
    #[serde(skip)]
    query: &'static str,
}

impl Entry {
    /// Its path with a query: the example, in a form.
    fn asked(&self, form: Option<&str>) -> String {
        let form = form.map(|form| format!("format={form}"));
        let query = (!self.query.is_empty()).then(|| self.query.to_owned());
        let fields: Vec<String> = form.into_iter().chain(query).collect();
        match fields.as_slice() {
            [] => self.path.to_owned(),
            _ => format!("{}?{}", self.path, fields.join("&")),
        }
    }

    /// The form to name for who wants text, if it is not what one gets anyway.
    fn text(&self) -> Option<&'static str> {
        let mut others = self.formats.iter().skip(1);
        others.find(|form| **form == "text").copied()
    }
}

/// All pages, in the order in which one looks for a culprit.
pub const PAGES: &[Entry] = &[
    Entry {
        path: "/debug/timings",
        answers: "Where does the time go? Requests, operations, functions, statements, tasks, in any window.",
        formats: &["json", "text", "html", "hlog"],
        query: "",
    },
    Entry {
        path: "/debug/writer",
        answers: "Who holds the writer now, who waits for it, and how its log stands.",
        formats: &["json", "text", "html"],
        query: "",
    },
    Entry {
        path: "/debug/statements",
        answers: "Which SQL costs most, how much it reads, and does its plan scan a table?",
        formats: &["json", "text", "html"],
        query: "",
    },
    Entry {
        path: "/debug/slow",
        answers: "Which requests took longer than their threshold, and in which phase?",
        formats: &["json", "text"],
        query: "",
    },
    Entry {
        path: "/debug/requests",
        answers: "The requests of the last seconds, the slowest of them, one in full at /debug/requests/ID, or as they come.",
        formats: &["json", "text"],
        query: "sort=slowest",
    },
    Entry {
        path: "/debug/exemplars",
        answers: "For each bucket of a route's or an operation's times: a request that is in it.",
        formats: &["json", "text"],
        query: "operation=complete_job",
    },
    Entry {
        path: "/debug/trace",
        answers: "What it does in the next seconds, as a trace for ui.perfetto.dev.",
        formats: &["json"],
        query: "seconds=5",
    },
    Entry {
        path: "/debug/trace/recent",
        answers: "What it did in the last seconds, as such a trace.",
        formats: &["json"],
        query: "",
    },
    Entry {
        path: "/debug/runtime",
        answers: "How busy are the worker threads? Slow polls, stalls, memory, files, processors.",
        formats: &["json", "text"],
        query: "",
    },
    Entry {
        path: "/debug/tasks",
        answers: "Which tasks are there, and where does each wait?",
        formats: &["json", "text"],
        query: "",
    },
    Entry {
        path: "/debug/profile",
        answers: "Where does processor time go? A flame graph of the next seconds.",
        formats: &["svg", "collapsed"],
        query: "seconds=10",
    },
    Entry {
        path: "/metrics",
        answers: "All figures for Prometheus.",
        formats: &["text"],
        query: "",
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
) -> Result<Response, Refusal> {
    let format = asked_format(asked.format.as_deref(), &headers, Format::Text)?;
    let now = match telemetry {
        Some(telemetry) => task::spawn_blocking("debug-overview", move || telemetry.overview())
            .await
            .inspect_err(|error| tracing::error!("the overview failed: {error}"))
            .ok(),
        None => None,
    };
    Ok(match format {
        Format::Html => web::index(&rows(&headers), now.as_ref()),
        Format::Json => Json(Index { now, pages: PAGES }).into_response(),
        Format::Text => text(now.as_ref(), &address(&headers)).into_response(),
    })
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
    for page in PAGES {
        let (path, answers, asked) = (page.path, page.answers, page.asked(page.text()));
        out += &format!("{path}\n    {answers}\n    curl '{address}{asked}'");
        out += &match page.formats {
            [] | [_] => "\n\n".to_owned(),
            several => format!("    as: {}\n\n", several.join(", ")),
        };
    }
    out
}

/// The table's rows as HTML. All but the address is ours; the address is a host and port.
fn rows(headers: &HeaderMap) -> String {
    let address = web::escaped(&address(headers));
    let mut out = String::new();
    for page in PAGES {
        let (path, answers) = (page.path, page.answers);
        // One form alone is what the page itself leads to.
        let forms = page.formats.iter().filter(|_| page.formats.len() > 1);
        let link = |asked: &str, text: &str| {
            let asked = web::escaped(asked);
            format!("<a href=\"{asked}\">{text}</a>")
        };
        let links: Vec<String> = forms
            .map(|form| link(&page.asked(Some(form)), form))
            .collect();
        let curl = web::escaped(&page.asked(page.text()));
        let browsed = if page.formats.contains(&"html") {
            link(path, path)
        } else {
            link(&page.asked(page.text()), path)
        };
        out += &format!(
            "<tr><th scope=\"row\">{browsed}</th><td>{answers}</td>\
             <td>{}</td><td><code>curl '{address}{curl}'</code></td></tr>\n",
            links.join(" "),
        );
    }
    out
}
