//! The memory that large answers take together, bounded.
//!
//! An answer lies in memory from being made until its client has taken its last byte, and
//! some clients read slowly or not at all. Those of more than 1 MiB share one room of
//! 256 MiB; a single one may be larger when it is alone. What each part bounds:
//!
//! - A list takes room before its rows are read, and waits for it ten seconds at most: a
//!   guess per row, for as many as it asks for, or of one that asks for many, for as many as
//!   there are. When its real size is known it gives back the rest, or takes what is missing.
//!   Without room it is answered 503.
//! - While a list is made its rows take some ten times the room of the answer. So of lists
//!   of more than 10,000 rows two are made at one time; others wait for their turn within
//!   the same ten seconds.
//! - A request with a large body takes as much for its answer. Once it is carried out it is
//!   not refused any more: a client would repeat what was done. So answers to writes may
//!   go beyond the room, by what they are larger than their requests.
//! - Smaller answers are not counted: 1 MiB for each connection, which has one at a time.
//! - Streams of events have no size; `engine/events.rs` bounds what they hold.
//!
//! Nothing bounds how large a single list is while it is made, if its rows are large.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::error::ApiError;
use crate::clock::Tick;
use crate::engine::error::StoreError;
use crate::engine::{Engine, EngineError, Listed};
use crate::telemetry::{phase, resource};
use crate::wire::BASE_PATH;
use crate::wire::page::MAX_LIMIT;

/// Bytes of all large answers at one time, unless one alone is larger.
pub const ALL_ANSWERS: usize = 256 << 20;
/// Answers up to this size are not counted.
const SMALL: usize = 1 << 20;
/// What a row is taken for until it is read; a job has some 400 bytes.
const ROW: usize = 512;
/// What a client can do whose list is refused.
const FEWER: &str = " (fewer rows need less room: set limit)";
/// Lists of more rows than this are made a few at a time.
const MANY: usize = 10_000;
/// How many of those at one time.
const MAKING: usize = 2;
/// How long a request waits for its turn and for room.
const WAIT: Duration = Duration::from_secs(10);

/// What answers a list: as many rows as the query says, or the most a page may have.
const LISTS: [(&str, Listed); 18] = [
    ("/compute_nodes", Listed::ComputeNodes),
    ("/events", Listed::Events),
    ("/files", Listed::Files),
    ("/jobs", Listed::Jobs),
    ("/resource_requirements", Listed::ResourceRequirements),
    ("/results", Listed::Results),
    ("/slurm_stats", Listed::SlurmStats),
    ("/user_data", Listed::UserData),
    ("/workflows", Listed::Workflows),
    ("/workflows/{id}/job_dependencies", Listed::JobDependencies),
    ("/workflows/{id}/job_file_relationships", Listed::Files),
    ("/workflows/{id}/job_ids", Listed::Jobs),
    (
        "/workflows/{id}/job_user_data_relationships",
        Listed::UserData,
    ),
    ("/workflows/{id}/missing_user_data", Listed::UserData),
    ("/workflows/{id}/required_existing_files", Listed::Files),
    ("/workflows/{id}/ro_crate_entities", Listed::RoCrateEntities),
    ("/workflows/{id}/running_jobs", Listed::RunningJobs),
    ("/workflows/{id}/slurm_job_correlations", Listed::Results),
];

/// The room for large answers. Cheap to clone.
#[derive(Clone)]
pub struct Answers(Arc<Room>);

struct Room {
    all: usize,
    taken: Mutex<usize>,
    /// Held by the first of those who wait; the others queue up for it.
    turn: tokio::sync::Mutex<()>,
    freed: Notify,
    /// For lists of many rows.
    making: Semaphore,
    refused: AtomicUsize,
}

/// A part of the room; it is given back when dropped.
struct Share {
    room: Arc<Room>,
    bytes: usize,
}

/// An answer in memory, with its share of the room.
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answers {
    /// Room for so many bytes, or for one answer that is larger.
    pub fn new(all: usize) -> Self {
        // Not in tokio-console, where a mutex would look like the culprit.
        Self(resource::unseen(|| {
            Arc::new(Room {
                all,
                taken: Mutex::new(0),
                turn: tokio::sync::Mutex::new(()),
                freed: Notify::new(),
                making: Semaphore::new(MAKING),
                refused: AtomicUsize::new(0),
            })
        }))
    }

    /// Bytes that are taken now.
    pub fn taken(&self) -> usize {
        *self.0.taken()
    }

    /// Bytes that there are.
    pub fn all(&self) -> usize {
        self.0.all
    }

    /// Requests that found no room, since the start.
    pub fn refused(&self) -> usize {
        self.0.refused.load(Ordering::Relaxed)
    }

    fn no_room(&self, advice: &str) -> Response {
        let all = self.0.all >> 20;
        self.refusal(format!("{all} MiB of large answers{advice}"))
    }

    fn refusal(&self, what: String) -> Response {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        ApiError::from(EngineError::from(StoreError::Overloaded { what })).into_response()
    }
}

impl Room {
    fn taken(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn to make a list of so many rows, if it needs one; an error if that takes too
    /// long.
    async fn turn_to_make(
        &self,
        rows: usize,
        end: Instant,
    ) -> Result<Option<SemaphorePermit<'_>>, Elapsed> {
        if rows <= MANY {
            return Ok(None);
        }
        // Nobody closes it.
        let turn = timeout_at(end, self.making.acquire()).await?;
        Ok(turn.ok())
    }

    /// A share of so many bytes, as soon as there is room; none if that takes too long.
    async fn share(self: &Arc<Self>, bytes: usize, end: Instant) -> Option<Share> {
        let mut share = Share {
            room: Arc::clone(self),
            bytes: 0,
        };
        if bytes > SMALL {
            let room = async {
                let _turn = self.turn.lock().await;
                while !share.resize(bytes) {
                    // What is freed between these two lines is kept for us: nobody else
                    // waits here.
                    self.freed.notified().await;
                }
            };
            timeout_at(end, room).await.ok()?;
        }
        Some(share)
    }
}

impl Share {
    /// Makes it so many bytes, if there is room.
    fn resize(&mut self, bytes: usize) -> bool {
        let mut taken = self.room.taken();
        let others = *taken - self.bytes;
        if bytes > self.bytes && others > 0 && others + bytes > self.room.all {
            return false;
        }
        *taken = others + bytes;
        drop(taken);
        self.set(bytes);
        true
    }

    /// Makes it so many bytes, room or not.
    fn force(&mut self, bytes: usize) {
        {
            let mut taken = self.room.taken();
            *taken = *taken - self.bytes + bytes;
        }
        self.set(bytes);
    }

    fn set(&mut self, bytes: usize) {
        let less = bytes < self.bytes;
        self.bytes = bytes;
        if less {
            self.room.freed.notify_one();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.force(0);
    }
}

/// Lets a request through while there is room for its answer, or answers 503.
pub async fn bounded(
    State((answers, engine)): State<(Answers, Engine)>,
    request: Request,
    next: Next,
) -> Response {
    let end = Instant::now() + WAIT;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let rows = match reads.then(|| asked_list(&request)).flatten() {
        Some(asked) => asked.rows(&engine, end).await,
        None => 0,
    };
    let guess = if reads {
        rows * ROW
    } else {
        // What is longer than its route takes is refused there, unread.
        body_length(&request).min(answers.0.all / 2)
    };
    let asked = Tick::now();
    let Ok(turn) = answers.0.turn_to_make(rows, end).await else {
        let what = format!("lists of more than {MANY} rows (with limit={MANY} none waits)");
        return answers.refusal(what);
    };
    let Some(mut share) = answers.0.share(guess, end).await else {
        if reads {
            return answers.no_room(FEWER);
        }
        let mut refusal = answers.no_room("");
        // The body stays unread, so the connection cannot be used again.
        let close = HeaderValue::from_static("close");
        refusal.headers_mut().insert(header::CONNECTION, close);
        return refusal;
    };
    if turn.is_some() || guess > SMALL {
        phase::part("answers.wait", asked.elapsed());
    }
    let (parts, body) = next.run(request).await.into_parts();
    drop(turn);
    let exact = body.size_hint().exact();
    let size = match exact.map(usize::try_from) {
        Some(Ok(size)) if size > SMALL => size,
        // Small, or a stream.
        _ => return Response::from_parts(parts, body),
    };
    if !reads {
        share.force(size);
    } else if !share.resize(size) {
        return answers.no_room(FEWER);
    }
    // Not a copy: it is in one piece already.
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            // The share lasts as long as the memory does, wherever it waits to be sent.
            let held = Bytes::from_owner(Held {
                bytes,
                _share: share,
            });
            Response::from_parts(parts, Body::from(held))
        }
        Err(error) => {
            tracing::error!("an answer could not be gathered: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A list that is asked for.
struct AskedList {
    listed: Listed,
    /// None if it names none, and will be refused.
    workflow_id: Option<i64>,
    limit: i64,
}

impl AskedList {
    /// Rows that the answer has at most. Of one that asks for many, as most do that say
    /// nothing, only those that there are: a list of five need not wait for a turn.
    async fn rows(&self, engine: &Engine, end: Instant) -> usize {
        let mut rows = self.limit;
        if rows > MANY as i64 {
            let workflow_id = self.workflow_id.unwrap_or_default();
            let size = engine.list_size(self.listed, workflow_id, rows);
            match timeout_at(end, size).await {
                Ok(Ok(size)) => rows = size,
                Ok(Err(error)) => tracing::debug!("a list's size is not known: {error}"),
                Err(_elapsed) => {}
            }
        }
        usize::try_from(rows).unwrap_or(0)
    }
}

/// The list that a request asks for; none if it asks for none, or will be refused.
fn asked_list(request: &Request) -> Option<AskedList> {
    #[derive(Deserialize)]
    struct Fields {
        workflow_id: Option<i64>,
        limit: Option<i64>,
    }
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    let path = path.strip_prefix(BASE_PATH)?;
    let (_, listed) = LISTS.into_iter().find(|(list, _)| *list == path)?;
    // Read as its handler reads it; what is no number here is none there.
    let Query(fields) = Query::<Fields>::try_from_uri(request.uri()).ok()?;
    let limit = fields.limit.unwrap_or(MAX_LIMIT);
    let in_path = || request.uri().path().rsplit('/').nth(1)?.parse().ok();
    // Above it most lists are refused, and the others cut.
    Some(AskedList {
        listed,
        workflow_id: fields.workflow_id.or_else(in_path),
        limit: limit.min(MAX_LIMIT),
    })
}

/// Bytes of a request's body, as far as it says.
fn body_length(request: &Request) -> usize {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0)
}
