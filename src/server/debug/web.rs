//! The pages of `/debug/` for browsers: HTML, scripts and a stylesheet of our own, part of
//! the program. They ask nobody but this server, and no script stands in the HTML.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::index::PAGES;
use crate::engine::Engine;
use crate::telemetry::overview::Overview;

/// What a page may do: run our scripts, use our stylesheet, ask us. Nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Asked anew each time: a newer program may have come.
const ANEW: HeaderValue = HeaderValue::from_static("no-cache");

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// What is served below `/debug/web/`.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", STYLE, include_str!("web/style.css")),
    ("common.js", SCRIPT, include_str!("web/common.js")),
    ("table.js", SCRIPT, include_str!("web/table.js")),
    ("charts.js", SCRIPT, include_str!("web/charts.js")),
    ("detail.js", SCRIPT, include_str!("web/detail.js")),
    ("index.js", SCRIPT, include_str!("web/index.js")),
    ("timings.js", SCRIPT, include_str!("web/timings.js")),
    ("writer.js", SCRIPT, include_str!("web/writer.js")),
    ("statements.js", SCRIPT, include_str!("web/statements.js")),
];

/// Name, title, and what is between the head and the foot.
const BODIES: &[(&str, &str, &str)] = &[
    ("index", "debug", include_str!("web/index.html")),
    ("timings", "timings", include_str!("web/timings.html")),
    ("writer", "writer", include_str!("web/writer.html")),
    (
        "statements",
        "statements",
        include_str!("web/statements.html"),
    ),
];

/// The files.
pub fn routes() -> Router<Engine> {
    Router::new().route("/debug/web/{file}", get(file))
}

async fn file(Path(name): Path<String>) -> Response {
    let Some((_, kind, text)) = FILES.iter().find(|(each, _, _)| *each == name) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let kind = HeaderValue::from_static(kind);
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, ANEW)],
        *text,
    )
        .into_response()
}

/// A page, which asks for its figures itself.
pub fn page(name: &str) -> Response {
    html(name, |body| body.to_owned())
}

/// The index, with its rows and figures in it.
pub fn index(rows: &str, now: Option<&Overview>) -> Response {
    let now = now.map_or_else(
        || "this server runs without telemetry".to_owned(),
        ToString::to_string,
    );
    html("index", |body| {
        body.replace("{{rows}}", rows)
            .replace("{{now}}", &escaped(&now))
    })
}

fn html(name: &str, fill: impl FnOnce(&str) -> String) -> Response {
    let Some((_, title, body)) = BODIES.iter().find(|(each, _, _)| *each == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut links = String::new();
    let all = [("/debug/", "debug")].into_iter();
    for (path, text) in all.chain(PAGES.iter().filter_map(|page| {
        let browsable = page.formats.contains(&"html");
        browsable.then(|| (page.path, page.path.trim_start_matches("/debug/")))
    })) {
        let here = if text == *title {
            " aria-current=\"page\""
        } else {
            ""
        };
        links += &format!("<a href=\"{path}\"{here}>{text}</a>\n");
    }
    let text = include_str!("web/shell.html")
        .replace("{{title}}", title)
        .replace("{{name}}", name)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{links}}", &links)
        .replace("{{body}}", &fill(body));
    let headers: [(HeaderName, HeaderValue); 5] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, ANEW),
        // The same path answers programs in JSON.
        (header::VARY, HeaderValue::from_static("accept")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (headers, text).into_response()
}

/// Text that stands for itself in HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
