//! What the server was asked: counters by the second for administrators, and a live stream
//! of requests for whoever listens.
//!
//! Counting is a short lock at a request's end. All else is done only while somebody
//! listens, and bodies are looked at only while somebody asks for them: they may hold what
//! is nobody else's business, so they go to administrators alone and into no log.

pub mod stats;
pub mod stream;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::TryStreamExt;
use tokio::sync::broadcast;

use self::stats::Stats;
use crate::clock::{self, Tick};
use crate::engine::Caller;
use crate::telemetry::resource;
use crate::wire::admin::{ApiEvent, CapturedBody};

/// Events that a slow listener may lag behind; the contract's figure.
const CAPACITY: usize = 256;
/// Bytes of a body that is looked at, at most.
const LARGEST_BODY: u64 = 1 << 20;
/// Bytes of a body that are shown, unless configured otherwise.
pub const SHOWN_BYTES: usize = 8192;
/// A name that the client gives itself; shown where it has no other.
const CLIENT_USER: &str = "x-torc-client-user";
const SPAN_ID: &str = "x-span-id";

/// What was asked. Cheap to clone.
#[derive(Clone)]
pub struct Traffic(Arc<Inner>);

struct Inner {
    stats: Stats,
    events: broadcast::Sender<Arc<ApiEvent>>,
    /// Listeners that ask for bodies.
    body_readers: AtomicUsize,
    shown_bytes: usize,
}

impl Traffic {
    /// Nothing was asked yet. Of a body, `shown_bytes` are shown at most.
    pub fn new(shown_bytes: usize) -> Self {
        Self(Arc::new(Inner {
            stats: Stats::default(),
            events: resource::unseen(|| broadcast::Sender::new(CAPACITY)),
            body_readers: AtomicUsize::new(0),
            shown_bytes,
        }))
    }

    fn looks_at_bodies(&self) -> bool {
        self.0.body_readers.load(Ordering::Relaxed) > 0
    }

    /// What is shown of a body.
    fn shown(&self, bytes: &[u8]) -> CapturedBody {
        let mut end = bytes.len().min(self.0.shown_bytes);
        let text = std::str::from_utf8(bytes).ok().map(|text| {
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text[..end].to_owned()
        });
        CapturedBody {
            bytes: bytes.len() as u64,
            truncated: bytes.len() > self.0.shown_bytes,
            text,
        }
    }

    /// Looks at a body whose `size` is known and moderate; answers one that holds the same.
    async fn look_at(&self, body: Body, size: Option<u64>) -> (Body, Option<CapturedBody>) {
        match size {
            Some(size @ 1..=LARGEST_BODY) => {
                match axum::body::to_bytes(body, size as usize).await {
                    Ok(bytes) => {
                        let shown = self.shown(&bytes);
                        (Body::from(bytes), Some(shown))
                    }
                    // It was cut off: let its reader find that out.
                    Err(error) => (
                        Body::from_stream(futures_util::stream::iter([
                            Err::<axum::body::Bytes, _>(error),
                        ])),
                        None,
                    ),
                }
            }
            _ => (body, None),
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Counts a request that `next` answers, and tells of it who listens.
pub async fn counted(traffic: Traffic, mut request: Request, next: Next) -> Response {
    let begun = Tick::now();
    let bytes_in = length(request.headers()).unwrap_or(0);
    let event = (traffic.0.events.receiver_count() > 0).then(|| asked(&request));
    let seen = (event.is_some() && traffic.looks_at_bodies()).then(|| Seen {
        traffic: traffic.clone(),
        body: Arc::default(),
    });
    if let Some(seen) = &seen {
        request.extensions_mut().insert(seen.clone());
    }
    let response = next.run(request).await;
    let exact = response.body().size_hint().exact();
    let status = response.status().as_u16();
    let sent = exact.unwrap_or(0);
    traffic.0.stats.add(clock::now_ms(), status, bytes_in, sent);
    if exact.is_some() && event.is_none() {
        return response;
    }
    let (parts, mut body) = response.into_parts();
    if exact.is_none() {
        body = metered(traffic.clone(), body);
    }
    if let Some(mut event) = event {
        event.status = status;
        event.request_body = seen.as_ref().and_then(|seen| seen.body.get().cloned());
        event.latency_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let id = parts.headers.get(SPAN_ID);
        event.request_id = id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
        if let Some(Caller::Named(name)) = parts.extensions.get::<Caller>() {
            event.user = Some(name.as_ref().to_owned());
        }
        if exact.is_some() && seen.is_some() {
            (body, event.response_body) = traffic.look_at(body, exact).await;
        }
        // An error means that the last listener has just left.
        let _ = traffic.0.events.send(Arc::new(event));
    }
    Response::from_parts(parts, body)
}

/// Where what is seen of a request's body is put down, and by whose rules.
#[derive(Clone)]
struct Seen {
    traffic: Traffic,
    body: Arc<OnceLock<CapturedBody>>,
}

/// Looks at a request's body if somebody listens for it. To be called once it is known who
/// sends it and there is room for it.
pub async fn looked_at(request: Request) -> Request {
    let Some(seen) = request.extensions().get::<Seen>().cloned() else {
        return request;
    };
    let (parts, body) = request.into_parts();
    let size = length(&parts.headers);
    let (body, shown) = seen.traffic.look_at(body, size).await;
    if let Some(shown) = shown {
        // Nobody else puts anything there.
        let _ = seen.body.set(shown);
    }
    Request::from_parts(parts, body)
}

/// What is known of a request before it is answered.
fn asked(request: &Request) -> ApiEvent {
    let advised = request.headers().get(CLIENT_USER);
    ApiEvent {
        timestamp_ms: clock::now_ms(),
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().map(str::to_owned),
        status: 0,
        latency_ms: 0,
        request_id: None,
        user: advised.and_then(|name| Some(name.to_str().ok()?.to_owned())),
        request_body: None,
        response_body: None,
    }
}

/// A stream whose bytes count when they are sent.
fn metered(traffic: Traffic, body: Body) -> Body {
    Body::from_stream(body.into_data_stream().inspect_ok(move |bytes| {
        traffic.0.stats.sent(clock::now_ms(), bytes.len() as u64);
    }))
}
