//! A server for tests of the worker: it keeps jobs in memory and loses answers on demand.
//!
//! It knows just what the worker asks, and counts what must not happen: a job that is
//! started twice, a job that is completed twice.

mod before;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast;
use torc_server::client::Client;
use torc_server::telemetry::task;
use torc_server::wire::claims::{ClaimNextQuery, ClaimResponse, ComputeNodesResources};
use torc_server::wire::compute_nodes::ComputeNodeModel;
use torc_server::wire::files::FileModel;
use torc_server::wire::jobs::{
    BatchCompleteJobsRequest, BatchCompleteJobsResponse, JobCompletionEntry, JobCompletionError,
    JobModel,
};
use torc_server::wire::resource_requirements::ResourceRequirementsModel;
use torc_server::wire::workflows::{IsCompleteResponse, WorkflowModel};
use torc_server::wire::{BASE_PATH, IDEMPOTENCY_KEY, JobStatus};

/// Everything the fake knows.
#[derive(Default)]
pub struct World {
    pub workflow: WorkflowModel,
    /// Job n has the id n + 1.
    pub jobs: Vec<JobModel>,
    pub files: Vec<FileModel>,
    pub nodes: Vec<ComputeNodeModel>,
    pub cpus_per_job: i64,
    /// How often each job was started, by somebody who did not repeat himself.
    pub starts: HashMap<i64, u32>,
    pub results: Vec<JobCompletionEntry>,
    pub claims: u32,
    /// Claims wait until this ends.
    pub claims_held: bool,
    /// How often somebody was told that the workflow is canceled.
    pub told_of_cancel: u32,
    /// No events are sent.
    pub silent: bool,
    /// One answer in so many is lost after its effect; 0: none.
    pub lose_one_in: u8,
    /// Whoever asks whether the workflow was started is answered so much later.
    pub slow_to_say: Duration,
    /// How often that was asked.
    pub asked: u32,
    claims_by_key: HashMap<String, Vec<i64>>,
}

impl World {
    fn job(&mut self, id: i64) -> &mut JobModel {
        &mut self.jobs[id as usize - 1]
    }

    pub fn status(&self, id: i64) -> JobStatus {
        self.jobs[id as usize - 1].status.unwrap()
    }

    pub fn count(&self, status: JobStatus) -> usize {
        self.jobs
            .iter()
            .filter(|job| job.status == Some(status))
            .count()
    }

    fn is_uninitialized(&self) -> bool {
        self.count(JobStatus::Uninitialized) == self.jobs.len()
    }

    fn release(&mut self) {
        for index in 0..self.jobs.len() {
            let waits = self.jobs[index]
                .depends_on_job_ids
                .clone()
                .unwrap_or_default();
            let free = waits.iter().all(|id| self.status(*id).is_complete());
            if self.jobs[index].status == Some(JobStatus::Blocked) && free {
                self.jobs[index].status = Some(JobStatus::Ready);
            }
        }
    }

    fn claim(&mut self, limit: usize, key: String) -> ClaimResponse {
        self.claims += 1;
        let canceled = self.workflow.is_canceled == Some(true);
        let ids = self.claims_by_key.get(&key).cloned().unwrap_or_else(|| {
            let ready = self
                .jobs
                .iter()
                .filter(|job| job.status == Some(JobStatus::Ready));
            let limit = if canceled { 0 } else { limit };
            ready.filter_map(|job| job.id).take(limit).collect()
        });
        self.claims_by_key.insert(key, ids.clone());
        let jobs = ids.into_iter().map(|id| {
            if self.status(id) == JobStatus::Ready {
                self.job(id).status = Some(JobStatus::Pending);
            }
            self.job(id).clone()
        });
        ClaimResponse {
            jobs: Some(jobs.collect()),
            reason: None,
        }
    }
}

/// A running fake.
#[derive(Clone)]
pub struct Fake {
    world: Arc<Mutex<World>>,
    events: broadcast::Sender<String>,
}

impl Fake {
    /// Serves `jobs`; those that wait for nothing are ready.
    pub async fn start(jobs: Vec<JobModel>) -> (Self, Client) {
        let mut world = World {
            jobs,
            cpus_per_job: 1,
            ..World::default()
        };
        world.workflow = WorkflowModel {
            id: Some(1),
            run_id: Some(1),
            ..WorkflowModel::default()
        };
        for (index, job) in world.jobs.iter_mut().enumerate() {
            job.id = Some(index as i64 + 1);
            job.workflow_id = 1;
            job.status = Some(JobStatus::Blocked);
            job.resource_requirements_id = Some(1);
        }
        world.release();
        Self::serve(world).await
    }

    /// Serves `jobs` of a workflow that nobody has started.
    pub async fn unstarted(jobs: Vec<JobModel>) -> (Self, Client) {
        let (fake, client) = Self::start(jobs).await;
        {
            let mut world = fake.world();
            world.workflow.run_id = Some(0);
            for job in &mut world.jobs {
                job.status = Some(JobStatus::Uninitialized);
            }
        }
        (fake, client)
    }

    async fn serve(world: World) -> (Self, Client) {
        let fake = Self {
            world: Arc::new(Mutex::new(world)),
            events: broadcast::Sender::new(1000),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let router = Router::new().nest(BASE_PATH, routes(fake.clone()));
        task::spawn(
            "fake server",
            async move { axum::serve(listener, router).await },
        );
        (fake, client)
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Sends an event to all streams.
    pub fn tell(&self, kind: &str) {
        self.tell_of(kind, self.world().silent);
    }

    fn tell_of(&self, kind: &str, silent: bool) {
        if silent {
            return;
        }
        let data = json!({
            "workflow_id": 1, "timestamp": 0, "event_type": kind, "severity": "debug", "data": {},
        });
        let _ = self.events.send(format!("event: {kind}\ndata: {data}\n\n"));
    }
}

fn routes(fake: Fake) -> Router {
    before::routes()
        .route("/workflows/1", get(workflow))
        .route("/workflows/1/is_complete", get(is_complete))
        .route("/workflows/1/claim_next_jobs", post(claim_next))
        .route(
            "/workflows/1/claim_jobs_based_on_resources/{limit}",
            post(claim_fitting),
        )
        .route("/workflows/1/batch_complete_jobs", post(complete))
        .route("/compute_nodes", post(create_node))
        .route("/compute_nodes/{id}", put(update_node))
        .route("/resource_requirements/{id}", get(requirements))
        .route("/files/{id}", get(get_file).put(put_file))
        .route("/jobs/{id}/start_job/{run}/{node}", put(start))
        .route(
            "/jobs/{id}/manage_status_change/{status}/{run}",
            put(change),
        )
        .layer(middleware::from_fn_with_state(fake.clone(), lose))
        .route("/workflows/1/events/stream", get(events))
        .with_state(fake)
}

/// Loses some answers after their effect.
async fn lose(State(fake): State<Fake>, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let one_in = fake.world().lose_one_in;
    if one_in > 0 && fastrand::u8(..one_in) == 0 {
        return (StatusCode::SERVICE_UNAVAILABLE, "lost").into_response();
    }
    answer
}

fn refuse(message: &str) -> Response {
    let body = Json(json!({"error": {"message": message}}));
    (StatusCode::UNPROCESSABLE_ENTITY, body).into_response()
}

fn key_of(headers: &HeaderMap) -> String {
    headers[IDEMPOTENCY_KEY].to_str().unwrap().to_owned()
}

async fn workflow(State(fake): State<Fake>) -> Json<WorkflowModel> {
    Json(fake.world().workflow.clone())
}

async fn is_complete(State(fake): State<Fake>) -> Json<IsCompleteResponse> {
    let mut world = fake.world();
    let is_canceled = world.workflow.is_canceled == Some(true);
    world.told_of_cancel += u32::from(is_canceled);
    let ended = world
        .jobs
        .iter()
        .all(|job| job.status.unwrap().is_complete());
    Json(IsCompleteResponse {
        is_canceled,
        is_complete: is_canceled || ended,
    })
}

/// Waits as long as claims are held.
async fn claims_allowed(fake: &Fake) {
    while fake.world().claims_held {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn claim_next(
    State(fake): State<Fake>,
    Query(query): Query<ClaimNextQuery>,
    headers: HeaderMap,
) -> Json<ClaimResponse> {
    claims_allowed(&fake).await;
    Json(
        fake.world()
            .claim(query.limit.unwrap() as usize, key_of(&headers)),
    )
}

async fn claim_fitting(
    State(fake): State<Fake>,
    Path(limit): Path<i64>,
    headers: HeaderMap,
    Json(offer): Json<ComputeNodesResources>,
) -> Json<ClaimResponse> {
    claims_allowed(&fake).await;
    let mut world = fake.world();
    let fitting = (offer.num_cpus / world.cpus_per_job).min(limit);
    Json(world.claim(fitting as usize, key_of(&headers)))
}

async fn start(State(fake): State<Fake>, Path((id, run, node)): Path<(i64, i64, i64)>) -> Response {
    let mut world = fake.world();
    if world.workflow.run_id != Some(run) {
        return refuse("Run ID mismatch");
    }
    match world.status(id) {
        JobStatus::Running if world.job(id).compute_node_id == Some(node) => {}
        JobStatus::Pending => {
            *world.starts.entry(id).or_default() += 1;
            world.job(id).status = Some(JobStatus::Running);
            world.job(id).compute_node_id = Some(node);
        }
        _ => return refuse("the job is not pending"),
    }
    Json(world.job(id).clone()).into_response()
}

async fn complete(
    State(fake): State<Fake>,
    Json(batch): Json<BatchCompleteJobsRequest>,
) -> Json<BatchCompleteJobsResponse> {
    let mut world = fake.world();
    let mut answer = BatchCompleteJobsResponse::default();
    for entry in batch.completions {
        let id = entry.job_id;
        if !world.status(id).is_complete() {
            world.job(id).status = Some(entry.status);
            world.results.push(entry);
            answer.completed.push(id);
            fake.tell_of(&format!("job_{}", world.status(id)), world.silent);
        } else if world.results.contains(&entry) {
            answer.completed.push(id);
        } else {
            let message = format!("job_id={id} is already complete");
            answer.errors.push(JobCompletionError {
                job_id: id,
                message,
            });
        }
    }
    let ready = world.count(JobStatus::Ready);
    world.release();
    if world.count(JobStatus::Ready) > ready {
        fake.tell_of("jobs_ready", world.silent);
    }
    Json(answer)
}

async fn change(
    State(fake): State<Fake>,
    Path((id, status, _)): Path<(i64, JobStatus, i64)>,
) -> Json<JobModel> {
    let mut world = fake.world();
    world.job(id).status = Some(status);
    Json(world.job(id).clone())
}

async fn create_node(
    State(fake): State<Fake>,
    Json(node): Json<ComputeNodeModel>,
) -> Json<ComputeNodeModel> {
    let mut world = fake.world();
    let id = Some(world.nodes.len() as i64 + 1);
    let node = ComputeNodeModel { id, ..node };
    world.nodes.push(node.clone());
    Json(node)
}

async fn update_node(
    State(fake): State<Fake>,
    Path(id): Path<usize>,
    Json(node): Json<ComputeNodeModel>,
) -> Json<ComputeNodeModel> {
    fake.world().nodes[id - 1] = node.clone();
    Json(node)
}

async fn requirements(
    State(fake): State<Fake>,
    Path(id): Path<i64>,
) -> Json<ResourceRequirementsModel> {
    Json(ResourceRequirementsModel {
        id: Some(id),
        workflow_id: 1,
        name: "needs".to_owned(),
        num_cpus: fake.world().cpus_per_job,
        num_gpus: 0,
        num_nodes: 1,
        memory: "1m".to_owned(),
        runtime: "PT1M".to_owned(),
    })
}

async fn get_file(State(fake): State<Fake>, Path(id): Path<usize>) -> Json<FileModel> {
    Json(fake.world().files[id - 1].clone())
}

async fn put_file(
    State(fake): State<Fake>,
    Path(id): Path<usize>,
    Json(file): Json<FileModel>,
) -> Json<FileModel> {
    fake.world().files[id - 1] = file.clone();
    Json(file)
}

async fn events(State(fake): State<Fake>) -> Response {
    let frames = stream::unfold(fake.events.subscribe(), |mut events| async {
        match events.recv().await {
            Ok(frame) => Some((Ok::<_, std::io::Error>(frame), events)),
            Err(_) => None,
        }
    });
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(frames),
    )
        .into_response()
}
