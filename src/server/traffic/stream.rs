//! The live stream of requests, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Query;
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Traffic;
use crate::engine::Engine;
use crate::server::error::ApiError;
use crate::shutdown::Shutdown;
use crate::wire::admin::{ApiEvent, ApiEventsQuery};
use crate::wire::events::DROPPED_FRAME;

/// The route of the stream.
pub fn routes(traffic: Traffic, shutdown: Shutdown) -> Router<Engine> {
    Router::new()
        .route("/admin/api-events/stream", get(listen))
        .layer(Extension(shutdown))
        .layer(Extension(traffic))
}

/// One who listens.
struct Listener {
    traffic: Traffic,
    receiver: Receiver<Arc<ApiEvent>>,
    bodies: bool,
    shutdown: Shutdown,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.bodies {
            self.traffic.0.body_readers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

async fn listen(
    engine: Engine,
    Extension(traffic): Extension<Traffic>,
    Extension(shutdown): Extension<Shutdown>,
    Query(query): Query<ApiEventsQuery>,
) -> Result<Response, ApiError> {
    engine.require_admin()?;
    let bodies = query.include_bodies.unwrap_or(false);
    if bodies {
        traffic.0.body_readers.fetch_add(1, Ordering::Relaxed);
    }
    let listener = Listener {
        receiver: traffic.0.events.subscribe(),
        traffic,
        bodies,
        shutdown,
    };
    let frames = stream::unfold(listener, |mut listener| async {
        let frame = listener.next().await?;
        Some((Ok::<_, Infallible>(frame), listener))
    });
    let mut response = Sse::new(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Listener {
    /// The next frame; none when the server stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let received = tokio::select! {
                received = self.receiver.recv() => received,
                () = self.shutdown.begun() => return None,
            };
            let event = match received {
                Ok(event) => event,
                Err(RecvError::Lagged(missed)) => {
                    let data = format!("{{\"dropped\":{missed}}}");
                    return Some(Event::default().event(DROPPED_FRAME).data(data));
                }
                Err(RecvError::Closed) => return None,
            };
            let shown = if self.bodies {
                serde_json::to_string(&*event)
            } else {
                serde_json::to_string(&event.without_bodies())
            };
            match shown {
                Ok(data) => return Some(Event::default().event("api").data(data)),
                Err(error) => tracing::error!("a request has no JSON form: {error}"),
            }
        }
    }
}
