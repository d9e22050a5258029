//! `/debug/requests`: the newest or the slowest finished requests, one of them in full, and
//! a live stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Telemetry;
use super::asked::{Refusal, blocking, limit, names, present, text};
use crate::shutdown::Shutdown;
use crate::telemetry::flight::Found;
use crate::telemetry::request::Finished;
use crate::telemetry::told::RequestTold;
use crate::telemetry::{exemplars, flight, follow, slow};

/// Requests that a list has when nothing is said, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;
/// Lines that go to a follower at once.
const AT_ONCE: usize = 100;

/// The pages.
pub fn routes(shutdown: Shutdown) -> Router<Telemetry> {
    Router::new()
        .route(
            "/debug/requests",
            get(move |telemetry, asked| page(telemetry, asked, shutdown)),
        )
        .route("/debug/requests/{id}", get(one))
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
    limit: Option<String>,
    route: Option<String>,
    slow: Option<String>,
    sort: Option<String>,
    follow: Option<String>,
}

/// Which requests are wanted.
struct Wanted {
    route: Option<String>,
    from: Duration,
    slowest: bool,
}

impl Wanted {
    fn is(&self, route: &str, path: &str, wall: Duration) -> bool {
        let named = match &self.route {
            Some(wanted) => names(wanted, route),
            // Of the slowest, debug pages that wait because they were told to would be first.
            None => !self.slowest || !path.starts_with("/debug/"),
        };
        named && wall >= self.from
    }

    fn is_finished(&self, finished: &Finished) -> bool {
        self.is(finished.route, &finished.path, finished.wall)
    }

    fn is_found(&self, found: &Found<'_>) -> bool {
        self.is(found.head.route, found.head.path, found.head.wall)
    }
}

/// The newest first, or with `?sort=slowest` the slowest; `?route=`, `?slow=100ms`,
/// `?limit=`. With `?follow=true` as they come.
async fn page(
    State(telemetry): State<Telemetry>,
    Query(asked): Query<Asked>,
    shutdown: Shutdown,
) -> Result<Response, Refusal> {
    present(telemetry)?;
    let as_text = text(asked.format.as_deref())?;
    let most = limit(asked.limit.as_deref(), USUAL, MOST)?;
    let from = match asked.slow.as_deref().map(slow::time) {
        None => Duration::ZERO,
        Some(Ok(from)) => from,
        Some(Err(refusal)) => return Err(Refusal::bad(refusal)),
    };
    let slowest = match asked.sort.as_deref() {
        None | Some("newest") => false,
        Some("slowest") => true,
        Some(other) => {
            let refusal = format!("unknown sort '{other}'; it is newest or slowest");
            return Err(Refusal::bad(refusal));
        }
    };
    let wanted = Wanted {
        route: asked.route,
        from,
        slowest,
    };
    match asked.follow.as_deref() {
        None | Some("false") => list(wanted, most, as_text).await,
        Some("true") if asked.sort.is_some() => {
            let refusal =
                "sort has no meaning with follow=true: they come in the order of their ends";
            Err(Refusal::bad(refusal))
        }
        Some("true") => stream_of(wanted, as_text, shutdown),
        Some(other) => {
            let refusal = format!("follow '{other}' is neither true nor false");
            Err(Refusal::bad(refusal))
        }
    }
}

async fn list(wanted: Wanted, most: usize, as_text: bool) -> Result<Response, Refusal> {
    if !flight::is_on() {
        let refusal = "the flight recorder is off (--flight-recorder); ?follow=true, \
                       /debug/slow and /debug/exemplars work without it";
        return Err(Refusal::absent(refusal));
    }
    blocking("debug-requests", move || {
        let flight = flight::recent(None);
        let mut kept = 0_u64;
        let newest = flight.requests().inspect(|_| kept += 1);
        let mut found: Vec<_> = newest.filter(|found| wanted.is_found(found)).collect();
        if wanted.slowest {
            found.sort_by_key(|found| std::cmp::Reverse(found.head.wall));
        }
        let found = found.into_iter().take(most);
        let told: Vec<_> = found.map(|found| RequestTold::of(&found.whole())).collect();
        if as_text {
            let lines: String = told.iter().map(|one| one.line() + "\n").collect();
            return lines.into_response();
        }
        Json(json!({
            "kept_s": flight::KEPT.as_secs(),
            "kept": kept,
            "flight_bytes": flight::bytes(),
            "requests": told,
        }))
        .into_response()
    })
    .await
}

#[derive(Deserialize)]
struct Format {
    format: Option<String>,
}

/// One request in full, from wherever it is still known.
async fn one(
    State(telemetry): State<Telemetry>,
    Path(id): Path<String>,
    Query(asked): Query<Format>,
) -> Result<Response, Refusal> {
    present(telemetry)?;
    let as_text = text(asked.format.as_deref())?;
    let id: u64 = id.parse().map_err(|_| {
        let refusal = format!("'{id}' is no request; /debug/requests lists their numbers");
        Refusal::bad(refusal)
    })?;
    let found = blocking("debug-request", move || {
        let kept = slow::find(id).or_else(|| exemplars::find(id));
        kept.map(|finished| RequestTold::of(&finished)).or_else(|| {
            let flight = flight::recent(None);
            let found = flight.requests().find(|found| found.head.id == id);
            found.map(|found| RequestTold::of(&found.whole()))
        })
    });
    let Some(told) = found.await? else {
        return Err(Refusal::absent(format!(
            "request {id} is not known: it has not finished, never was, or is forgotten; \
             {} s of requests are kept, and those that /debug/slow and /debug/exemplars name",
            flight::KEPT.as_secs()
        )));
    };
    Ok(if as_text {
        told.in_full().into_response()
    } else {
        Json(told).into_response()
    })
}

/// Who follows.
struct Follower {
    receiver: Receiver<Arc<Finished>>,
    wanted: Wanted,
    as_text: bool,
    shutdown: Shutdown,
}

fn stream_of(wanted: Wanted, as_text: bool, shutdown: Shutdown) -> Result<Response, Refusal> {
    let Some(receiver) = follow::follow() else {
        let refusal = "there are as many followers as there may be; try again later";
        return Err(Refusal::busy(refusal));
    };
    let follower = Follower {
        receiver,
        wanted,
        as_text,
        shutdown,
    };
    let chunks = stream::unfold(follower, |mut follower| async {
        let chunk = follower.next().await?;
        Some((Ok::<_, Infallible>(chunk), follower))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let kind = if as_text {
        "text/plain; charset=utf-8"
    } else {
        "application/x-ndjson"
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

impl Follower {
    /// The next lines; none when the server stops.
    async fn next(&mut self) -> Option<String> {
        let mut lines = String::new();
        while lines.is_empty() {
            let received = tokio::select! {
                received = self.receiver.recv() => received,
                () = self.shutdown.begun() => return None,
            };
            self.tell(received, &mut lines)?;
            for _ in 0..AT_ONCE {
                // What is there already goes with it.
                match self.receiver.try_recv() {
                    Ok(finished) => self.tell(Ok(finished), &mut lines)?,
                    Err(_) => break,
                }
            }
        }
        Some(lines)
    }

    fn tell(&self, received: Result<Arc<Finished>, RecvError>, lines: &mut String) -> Option<()> {
        match received {
            Ok(finished) if self.wanted.is_finished(&finished) => {
                let told = RequestTold::of(&finished);
                *lines += &if self.as_text {
                    told.line()
                } else {
                    json!(told).to_string()
                };
            }
            Ok(_) => return Some(()),
            Err(RecvError::Lagged(missed)) if self.as_text => *lines += &format!("missed {missed}"),
            Err(RecvError::Lagged(missed)) => *lines += &json!({"missed": missed}).to_string(),
            Err(RecvError::Closed) => return None,
        }
        lines.push('\n');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Tick;

    use super::*;
    use crate::shutdown;

    fn finished(id: u64) -> Arc<Finished> {
        Arc::new(Finished {
            id,
            parent: None,
            route: "GET /test",
            path: "/test".into(),
            status: 200,
            began: Tick::now(),
            wall: Duration::ZERO,
            busy: Duration::ZERO,
            polls: 1,
            read_wait: Duration::ZERO,
            commands: Vec::new(),
            statements: Vec::new(),
        })
    }

    /// Nothing waits for a reader that does not read; it hears how many it missed.
    #[tokio::test]
    async fn a_slow_follower_is_told_what_it_missed() {
        let (trigger, shutdown) = shutdown::pair();
        let mut follower = Follower {
            receiver: follow::follow().unwrap(),
            wanted: Wanted {
                route: None,
                from: Duration::ZERO,
                slowest: false,
            },
            as_text: false,
            shutdown,
        };
        for id in 0..1_500 {
            follow::show(&finished(id));
        }
        let lines = follower.next().await.unwrap();
        let mut lines = lines.lines();
        assert_eq!(lines.next(), Some("{\"missed\":476}"));
        assert!(lines.next().unwrap().contains("\"id\":476"));
        while follower.receiver.try_recv().is_ok() {}
        trigger.begin();
        assert_eq!(follower.next().await, None);
    }
}
