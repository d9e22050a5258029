//! Pages about the server itself. They answer callers on this machine alone, and where access
//! control is enforced administrators alone, as they show what everybody does.
//!
//! Elsewhere they have no password, so it is not enough that the connection comes from loopback: a
//! proxy on this machine passes on what others ask, and a page in a browser on this
//! machine may ask in the name of somebody else's site (by its `Origin`, or by a name that
//! its owner lets point to 127.0.0.1, which shows as the `Host`).

mod asked;
mod charts;
mod exemplars;
mod fault;
mod format;
mod index;
pub mod metrics;
mod profile;
mod requests;
mod runtime;
mod slow;
mod statements;
mod tasks;
mod timings;
mod trace;
mod web;
mod writer;

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::engine::Engine;
use crate::shutdown::Shutdown;
use crate::telemetry::TelemetryHandle;

/// What proxies add to say for whom they ask.
const ADDED_BY_PROXIES: [HeaderName; 6] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// What the pages read; none in a server inside of another program.
type Telemetry = Option<TelemetryHandle>;

/// The routes of the debug pages.
pub fn routes(
    engine: &Engine,
    telemetry: Telemetry,
    shutdown: Shutdown,
    sources: metrics::Sources,
) -> Router<Engine> {
    let metrics = metrics::routes(telemetry.clone(), sources);
    Router::new()
        .merge(charts::routes())
        .merge(exemplars::routes())
        .merge(fault::routes())
        .merge(index::routes())
        .merge(profile::routes())
        .merge(requests::routes(shutdown.clone()))
        .merge(runtime::routes())
        .merge(slow::routes())
        .merge(tasks::routes())
        .merge(timings::routes())
        .merge(trace::routes(shutdown))
        .merge(writer::routes())
        .with_state(telemetry.clone())
        .merge(statements::routes(telemetry))
        .merge(web::routes())
        .route_layer(middleware::from_fn_with_state(
            engine.clone(),
            only_administrators,
        ))
        // Counts alone, which a program reads.
        .merge(metrics)
        .route_layer(middleware::from_fn(only_from_here))
}

/// Refuses whoever may not do everything.
async fn only_administrators(engine: Engine, request: Request, next: Next) -> Response {
    match engine.require_admin() {
        Ok(()) => next.run(request).await,
        Err(refusal) => ApiError::from(refusal).into_response(),
    }
}

/// Refuses whoever does not ask from this machine and for itself.
async fn only_from_here(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(peer.ip(), request.headers()) {
        Some(reason) => {
            let text = format!("debug pages answer on loopback only: {reason}\n");
            (StatusCode::FORBIDDEN, text).into_response()
        }
        None => next.run(request).await,
    }
}

/// Why a request is not one from this machine, if it is not.
fn refusal(peer: IpAddr, headers: &HeaderMap) -> Option<String> {
    if !peer.to_canonical().is_loopback() {
        return Some("ask from the server's own machine".to_owned());
    }
    if let Some(name) = ADDED_BY_PROXIES
        .iter()
        .find(|name| headers.contains_key(*name))
    {
        return Some(format!("a proxy passed this request on ({name})"));
    }
    let names_us = |value: &HeaderValue| value.to_str().is_ok_and(is_loopback);
    let mut hosts = headers.get_all(header::HOST).iter().peekable();
    if hosts.peek().is_none() || !hosts.all(names_us) {
        let advice = "the Host header names something else; ask for localhost or 127.0.0.1";
        return Some(advice.to_owned());
    }
    let ours = |value: &HeaderValue| {
        let text = value.to_str().ok();
        let host = text.and_then(|text| text.split_once("://"));
        host.is_some_and(|(_, host)| is_loopback(host))
    };
    if !headers.get_all(header::ORIGIN).iter().all(ours) {
        return Some("a page of another site asks (Origin)".to_owned());
    }
    // An image or a frame of another site has no Origin. A link to us may be followed.
    let is = |name, value: &str| headers.get(name).is_some_and(|held| held == value);
    if is("sec-fetch-site", "cross-site") && !is("sec-fetch-dest", "document") {
        return Some("a page of another site asks (Sec-Fetch-Site)".to_owned());
    }
    None
}

/// Whether `localhost`, `127.0.0.1:8080` or `[::1]:8080` names this machine's loopback.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        // A colon inside of brackets belongs to the address.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
        .parse::<IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback())
}
