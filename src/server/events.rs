//! The live event stream of one workflow, as server-sent events.
//!
//! No replay and no ids: who connects hears what is committed from then on. A
//! reader that lags is told how many events it missed, and goes on.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::error::ApiError;
use crate::engine::Engine;
use crate::engine::events::Encoded;
use crate::shutdown::Shutdown;
use crate::wire::events::{DROPPED_FRAME, Severity};

/// The route of the stream.
pub fn routes(shutdown: Shutdown) -> Router<Engine> {
    Router::new().route(
        "/workflows/{id}/events/stream",
        get(move |state, path, query| stream_events(state, path, query, shutdown)),
    )
}

#[derive(Deserialize)]
struct Level {
    level: Option<String>,
}

struct Reader {
    workflow_id: i64,
    minimum: Severity,
    receiver: Receiver<Arc<Encoded>>,
    shutdown: Shutdown,
}

async fn stream_events(
    engine: Engine,
    Path(workflow_id): Path<i64>,
    Query(query): Query<Level>,
    shutdown: Shutdown,
) -> Result<Response, ApiError> {
    // Subscribed before the answer begins: what is committed after it is heard.
    let receiver = engine.events().subscribe();
    engine.check_workflow(workflow_id).await?;
    let reader = Reader {
        workflow_id,
        minimum: Severity::from_level(query.level.as_deref()),
        receiver,
        shutdown,
    };
    let frames = stream::unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let mut response = Sse::new(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Reader {
    /// The next frame; none when the server stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let received = tokio::select! {
                received = self.receiver.recv() => received,
                () = self.shutdown.begun() => return None,
            };
            match received {
                Ok(event)
                    if event.workflow_id == self.workflow_id && event.severity >= self.minimum =>
                {
                    return Some(Event::default().event(&event.event_type).data(&event.json));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    let data = format!("{{\"dropped\":{missed}}}");
                    return Some(Event::default().event(DROPPED_FRAME).data(data));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
