//! The memory that request bodies take together, bounded.
//!
//! A body is held from its first byte until its answer: read, parsed, queued for the
//! writer. Each kind of route bounds one body, this bounds their sum, so that many
//! clients at once get a 503 instead of the machine's memory.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::error::ApiError;
use crate::engine::EngineError;
use crate::engine::error::StoreError;
use crate::telemetry::resource;

/// Bytes of all bodies at one time, unless one alone may be larger.
const ALL_BODIES: usize = 256 << 20;
/// Bodies are counted in units of so many bytes, the smallest ones not at all.
const UNIT: usize = 4096;

/// The room for bodies.
#[derive(Clone)]
pub struct Bodies {
    units: Arc<Semaphore>,
    largest: usize,
}

impl Bodies {
    /// Room for [`ALL_BODIES`], or for one of the largest.
    pub fn new(largest: usize) -> Self {
        let units = ALL_BODIES.max(largest) / UNIT;
        Self {
            // Not in tokio-console: nobody ever waits for it.
            units: resource::unseen(|| Arc::new(Semaphore::new(units))),
            largest,
        }
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
        return ApiError::from(EngineError::from(StoreError::Overloaded {
            what: "requests with large bodies".to_owned(),
        }))
        .into_response();
    };
    next.run(request).await
}
