//! Records every request under its method and route, the path with its placeholders.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

use crate::telemetry::request::{self, Asked};
use crate::wire::BASE_PATH;

/// The header of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";
/// What no route was found for; its paths are the callers' invention.
const UNKNOWN: &str = "(unknown path)";

/// Names that were given, one for each route that was ever asked for.
type Names = RwLock<HashMap<Method, HashMap<String, &'static str>>>;

static NAMES: LazyLock<Names> = LazyLock::new(Names::default);

/// The middleware.
pub async fn recorded(request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => name(request.method(), path.as_str()),
        None => UNKNOWN,
    };
    let asked = Asked {
        route,
        path: request.uri().path().into(),
        trace_id: trace_id(request.headers()),
    };
    request::record(asked, next.run(request), |response| {
        response.status().as_u16()
    })
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

/// The id of the trace that the caller names: `00-<32 hex digits>-<16>-<2>`.
fn trace_id(headers: &HeaderMap) -> Option<u128> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let whole = parts.next().is_some_and(|parent| parent.len() == 16);
    if version.len() != 2 || version == "ff" || id.len() != 32 || !whole {
        return None;
    }
    u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)
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
            trace_id(&headers)
        };
        let id = "0af7651916cd43dd8448eb211c80319c";
        let expected = u128::from_str_radix(id, 16).ok();
        assert_eq!(of(&format!("00-{id}-b7ad6b7169203331-01")), expected);
        for wrong in [
            "",
            id,
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-x-01",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
