//! Records every request under its method and route, the path with its placeholders.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::traffic::{self, Traffic};
use crate::telemetry::request::{self, Asked, Parent};
use crate::wire::BASE_PATH;

/// The header of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";
/// What no route was found for; its paths are the callers' invention.
const UNKNOWN: &str = "(unknown path)";

/// Names that were given, one for each route that was ever asked for.
type Names = RwLock<HashMap<Method, HashMap<String, &'static str>>>;

static NAMES: LazyLock<Names> = LazyLock::new(Names::default);

/// The middleware.
pub async fn recorded(State(traffic): State<Traffic>, request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => name(request.method(), path.as_str()),
        None => UNKNOWN,
    };
    let asked = Asked {
        route,
        path: request.uri().path().into(),
        parent: parent(request.headers()),
    };
    request::record(
        asked,
        traffic::counted(traffic, request, next),
        |response| response.status().as_u16(),
    )
    .await
}

/// `GET /jobs/{id}`, kept for the life of the process: routes are few.
fn name(method: &Method, path: &str) -> &'static str {
    let known = NAMES.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = known.get(method).and_then(|paths| paths.get(path)) {
        return name;
    }
    drop(known);
    if !is_standard(method) {
        // A client may invent methods without end.
        return UNKNOWN;
    }
    let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
    let paths = names.entry(method.clone()).or_default();
    paths.entry(path.to_owned()).or_insert_with(|| {
        let short = path.strip_prefix(BASE_PATH).unwrap_or(path);
        Box::leak(format!("{method} {short}").into_boxed_str())
    })
}

fn is_standard(method: &Method) -> bool {
    [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::HEAD,
        Method::OPTIONS,
    ]
    .contains(method)
}

/// What the caller says of its trace: `00-<trace, 32 hex digits>-<span, 16>-<flags, 2>`
/// (W3C Trace Context, 3.2).
fn parent(headers: &HeaderMap) -> Option<Parent> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let mut digits = |count: usize| {
        let part = parts.next()?;
        let hex = part.len() == count && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then_some(part)
    };
    let version = digits(2)?;
    let trace_id = u128::from_str_radix(digits(32)?, 16).ok()?;
    let span_id = u64::from_str_radix(digits(16)?, 16).ok()?;
    let flags = u8::from_str_radix(digits(2)?, 16).ok()?;
    // Later versions may add parts; this one may not.
    let whole = version != "00" || parts.next().is_none();
    (version != "ff" && whole && trace_id != 0 && span_id != 0).then_some(Parent {
        trace_id,
        span_id,
        sampled: flags & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_kept() {
        let path = format!("{BASE_PATH}/jobs/{{id}}");
        let first = name(&Method::GET, &path);
        assert_eq!(first, "GET /jobs/{id}");
        assert!(std::ptr::eq(first, name(&Method::GET, &path)));
        let invented = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(name(&invented, &path), UNKNOWN);
    }

    #[test]
    fn only_a_whole_traceparent_counts() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, text.parse().unwrap());
            parent(&headers)
        };
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let found = of(&format!("00-{trace}-{span}-01")).unwrap();
        assert_eq!(found.trace_id, u128::from_str_radix(trace, 16).unwrap());
        assert_eq!(found.span_id, u64::from_str_radix(span, 16).unwrap());
        assert!(found.sampled);
        assert!(!of(&format!("00-{trace}-{span}-00")).unwrap().sampled);
        assert!(of(&format!("01-{trace}-{span}-01-more")).is_some());
        for wrong in [
            String::new(),
            trace.to_owned(),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("ff-{trace}-{span}-01"),
            format!("00-{trace}-{span}-01-more"),
            format!("00-{}-{span}-01", &trace[1..]),
            format!("00-+{}-{span}-01", &trace[1..]),
            format!("00-{trace}-{span}"),
        ] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }
}
