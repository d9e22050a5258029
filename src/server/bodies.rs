//! The memory that request bodies take together, bounded.
//!
//! A body is held from its first byte until its answer: read, parsed, queued for the
//! writer. Each kind of route bounds one body, this bounds their sum, so that many
//! clients at once get a 503 instead of the machine's memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::traffic;
use crate::engine::EngineError;
use crate::engine::error::StoreError;
use crate::telemetry::resource;

/// Bytes of all bodies at one time, unless one alone may be larger.
const ALL_BODIES: usize = 256 << 20;
/// Bodies are counted in units of so many bytes, the smallest ones not at all.
const UNIT: usize = 4096;
/// How long a client may pause within a body.
const SILENCE: Duration = Duration::from_secs(30);

/// The room for bodies.
#[derive(Clone)]
pub struct Bodies {
    units: Arc<Semaphore>,
    all: usize,
    largest: usize,
}

impl Bodies {
    /// Room for [`ALL_BODIES`], or for one of the largest.
    pub fn new(largest: usize) -> Self {
        let units = ALL_BODIES.max(largest) / UNIT;
        Self {
            // Not in tokio-console: nobody ever waits for it.
            units: resource::unseen(|| Arc::new(Semaphore::new(units))),
            all: units * UNIT,
            largest,
        }
    }

    /// Bytes that there are.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Bytes that are taken now.
    pub fn taken(&self) -> usize {
        self.all - self.units.available_permits() * UNIT
    }
}

/// Lets a request through while there is room for its body, or answers 503.
pub async fn bounded(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let bytes = match declared {
        // What exceeds the route's limit is refused there, before it is read.
        Some(length) => length.min(bodies.largest),
        None if chunked => bodies.largest,
        None => 0,
    };
    let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
    let Ok(_room) = Arc::clone(&bodies.units).try_acquire_many_owned(units) else {
        let mut refusal = ApiError::from(EngineError::from(StoreError::Overloaded {
            what: "requests with large bodies".to_owned(),
        }))
        .into_response();
        // The body stays unread, so the connection cannot be used again.
        let close = HeaderValue::from_static("close");
        refusal.headers_mut().insert(header::CONNECTION, close);
        return refusal;
    };
    let request = if units == 0 {
        request
    } else {
        request.map(impatient)
    };
    next.run(traffic::looked_at(request).await).await
}

/// A body that ends with an error when its client stops sending: what it was promised
/// would otherwise be taken from the others for ever.
fn impatient(body: Body) -> Body {
    let chunks = body.into_data_stream();
    Body::from_stream(stream::unfold(Some(chunks), |chunks| async move {
        let mut chunks = chunks?;
        match tokio::time::timeout(SILENCE, chunks.next()).await {
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(chunks))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_elapsed) => {
                let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                Some((Err(axum::Error::new(late)), None))
            }
        }
    }))
}
