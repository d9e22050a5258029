//! What the parts cost that no network and no worker hides: packing, expansion, spans
//! and phases, and one job's way through engine, writer and database.
//!
//! `cargo bench --bench micro [-- FILTER]`, with histograms of spans as in a server by
//! default, or without them with `TORC_BENCH_TIMING=off`. Where wall time is too noisy:
//! `valgrind --tool=callgrind` on the binary that `--no-run` names, with a filter.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use divan::Bencher;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use torc_server::clock::Tick;
use torc_server::config::telemetry::TelemetryConfig;
use torc_server::engine::fit::{Offer, Pack};
use torc_server::engine::workflow_runs::Extent;
use torc_server::engine::{Broadcaster, Engine};
use torc_server::store::ready::NeedsRow;
use torc_server::store::{Durability, OpenOptions, Store};
use torc_server::telemetry;
use torc_server::telemetry::phase::{self, BatchTrace, CommandTrace, Phases, StatementTotal};
use torc_server::telemetry::request::Finished;
use torc_server::telemetry::{exemplars, flight, slow};
use torc_server::wire::JobStatus;
use torc_server::wire::claims::ClaimNextQuery;
use torc_server::wire::compute_nodes::ComputeNodeModel;
use torc_server::wire::jobs::{JobModel, JobsModel};
use torc_server::wire::results::ResultModel;
use torc_server::wire::workflows::WorkflowModel;

fn main() {
    let config = TelemetryConfig {
        filter: "warn".to_owned(),
        timing: std::env::var("TORC_BENCH_TIMING").as_deref() != Ok("off"),
        ..TelemetryConfig::default()
    };
    let _telemetry = must(telemetry::init(&config));
    divan::main();
}

/// A bench has nobody to hand an error to.
fn must<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the bench cannot go on: {error}"))
}

/// Packs a thousand jobs of twelve kinds onto a worker that has room for half of them.
#[divan::bench]
fn pack_1000_jobs(bencher: Bencher) {
    let jobs: Vec<NeedsRow> = (0..1_000)
        .map(|nth| NeedsRow {
            num_cpus: nth % 4 + 1,
            num_gpus: nth % 2,
            num_nodes: if nth % 12 == 0 { 2 } else { 1 },
            memory_bytes: (nth % 3 + 1) << 30,
            runtime_s: 60,
        })
        .collect();
    let offer = Offer {
        cpus: 64,
        memory_bytes: 256 << 30,
        gpus: 16,
        nodes: 20,
        time_limit_s: Some(3_600),
    };
    bencher.bench(|| {
        let mut pack = Pack::new(offer);
        let fits = |job: &&NeedsRow| offer.could_run(job) && pack.take(job);
        divan::black_box(&jobs).iter().filter(fits).count()
    });
}

/// Reads and expands a spec whose one job has two parameters, into 10,000 jobs.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn expand_10_000_jobs(bencher: Bencher) {
    let spec = "name: sweep\n\
                jobs:\n  - name: \"train_{lr}_{seed}\"\n    command: \"train --lr {lr} --seed {seed}\"\n    \
                parameters:\n      lr: \"1:100\"\n      seed: \"1:100\"\n";
    bencher.bench(|| must(torc_server::spec::parse(divan::black_box(spec), "yaml")));
}

/// A span of ours, entered and closed.
#[divan::bench]
fn span() {
    let _span = tracing::debug_span!(target: "torc_server::bench", "bench", job_id = 1).entered();
}

/// What a command records of its phases, which is always on.
#[divan::bench]
fn phases_of_a_command() {
    let some = divan::black_box(Duration::from_micros(7));
    let now = Tick::now();
    let trace = CommandTrace {
        name: "bench",
        batch: 1,
        batch_size: 1,
        submitted: now,
        phases: Phases {
            queue_wait: some,
            begin: some,
            batch_wait: some,
            execute: some,
            commit: some,
            whole: some,
        },
        statements: Box::default(),
        committed: true,
        refused: false,
    };
    phase::commands(std::iter::once(&trace));
    phase::batch(&BatchTrace {
        number: 1,
        taken: now,
        operations: &["bench"],
        done: &[(None, some)],
        begin: some,
        execute: some,
        commit: some,
    });
}

/// What is kept of a finished request: in the flight recorder and as an exemplar, with a
/// look whether it was slow; alone, and beside another thread. There are enough of them to
/// fill the recorder, so that old ones go as well.
#[divan::bench(threads = [1, 2], sample_size = 1_000)]
fn keep_a_request(bencher: Bencher) {
    bencher.with_inputs(a_request).bench_values(|finished| {
        flight::request(&finished);
        exemplars::keep(&finished);
        slow::look(&finished)
    });
}

/// The flight recorder alone.
#[divan::bench(threads = [1, 2], sample_size = 1_000)]
fn flight_of_a_request(bencher: Bencher) {
    bencher
        .with_inputs(a_request)
        .bench_values(|finished| flight::request(&finished));
}

/// A request with one command of five statements.
fn a_request() -> Arc<Finished> {
    let some = Duration::from_micros(7);
    let statement = StatementTotal {
        id: "bench",
        calls: 1,
        rows: 1,
        elapsed: some,
    };
    let command = CommandTrace {
        name: "bench",
        batch: 1,
        batch_size: 1,
        submitted: Tick::now(),
        phases: Phases::default(),
        statements: Box::new([statement; 5]),
        committed: true,
        refused: false,
    };
    Arc::new(Finished {
        id: 1,
        parent: None,
        route: "bench",
        path: "/torc-service/v1/jobs/1234".into(),
        status: 200,
        began: Tick::now(),
        wall: some,
        busy: some,
        polls: 2,
        read_wait: Duration::ZERO,
        commands: vec![command],
        statements: Vec::new(),
    })
}

/// What a SQL statement records.
#[divan::bench]
fn phase_of_a_statement() {
    phase::statement("bench", 1, divan::black_box(Duration::from_micros(7)));
}

/// Polls of one bench.
const POLLS: u32 = 1_000;

/// A task that is polled a thousand times by a runtime without hooks.
#[divan::bench]
fn polls_1000(bencher: Bencher) {
    polls(bencher, &mut Builder::new_current_thread());
}

/// The same with the hooks that see slow polls: the difference is their price.
#[divan::bench]
fn polls_1000_with_hooks(bencher: Bencher) {
    polls(
        bencher,
        telemetry::runtime::instrument(&mut Builder::new_current_thread()),
    );
}

fn polls(bencher: Bencher, builder: &mut Builder) {
    let runtime = must(builder.build());
    bencher.bench_local(|| {
        let work = async {
            for _ in 0..POLLS {
                tokio::task::yield_now().await;
            }
        };
        let task = telemetry::task::spawn_on(runtime.handle(), "bench", work);
        must(runtime.block_on(task));
    });
}

/// Cycles of one bench: as many jobs must be there.
const CYCLES: u32 = 1_000;

/// Claim, start and complete of one job, each a write of its own, without HTTP.
#[divan::bench(sample_count = CYCLES / 10, sample_size = 10)]
fn cycle_of_a_job(bencher: Bencher) {
    let house = House::new(false);
    bencher.bench_local(|| {
        let query = ClaimNextQuery {
            limit: Some(1),
            labels: None,
        };
        let flow = house.flow;
        let claimed = house.wait(house.engine.claim_next_jobs(flow, query, None));
        for job in claimed.jobs.unwrap_or_default() {
            let id = job.id.unwrap_or_default();
            house.wait(house.engine.start_job(id, 0, house.node, false));
            house.complete(id);
        }
    });
}

/// The completion of a job that nobody waits for.
#[divan::bench(sample_count = CYCLES / 10, sample_size = 10)]
fn complete_a_job(bencher: Bencher) {
    let house = House::new(false);
    bencher.bench_local(|| house.complete(house.next()));
}

/// The completion of a job that makes another one ready.
#[divan::bench(sample_count = CYCLES / 10, sample_size = 10)]
fn complete_and_release(bencher: Bencher) {
    let house = House::new(true);
    bencher.bench_local(|| house.complete(house.next()));
}

/// An engine over a database of its own, with jobs that can be completed.
struct House {
    runtime: Runtime,
    engine: Engine,
    flow: i64,
    node: i64,
    jobs: Vec<i64>,
    completed: AtomicUsize,
    // The database ends with its directory, after the writer.
    _store: Store,
    _directory: TempDir,
}

impl House {
    /// As many jobs as a bench completes; with dependents, one waits for each of them.
    fn new(with_dependents: bool) -> Self {
        let directory = must(tempfile::tempdir());
        let runtime = must(tokio::runtime::Runtime::new());
        let options = OpenOptions {
            path: Some(directory.path().join("bench.db")),
            durability: Durability::Process,
            queue_capacity: 16,
            readers: 1,
        };
        let store = must(runtime.block_on(Store::open(&options, Box::new(drop))));
        let (writer, reads) = (store.writer.clone(), store.reads.clone());
        let mut house = Self {
            runtime,
            engine: Engine::new(writer, reads, Broadcaster::default()),
            flow: 0,
            node: 0,
            jobs: Vec::new(),
            completed: AtomicUsize::new(0),
            _store: store,
            _directory: directory,
        };
        house.fill(with_dependents);
        house
    }

    fn fill(&mut self, with_dependents: bool) {
        let described = WorkflowModel {
            name: "bench".to_owned(),
            user: "bench".to_owned(),
            ..WorkflowModel::default()
        };
        let flow = self.wait(self.engine.create_workflow(described));
        self.flow = flow.id.unwrap_or_default();
        let node = ComputeNodeModel {
            workflow_id: self.flow,
            hostname: "bench".to_owned(),
            num_cpus: 1,
            num_nodes: 1,
            compute_node_type: "local".to_owned(),
            ..ComputeNodeModel::default()
        };
        let node = self.wait(self.engine.create_compute_node(node));
        self.node = node.id.unwrap_or_default();
        self.jobs = self.create("job", &[]);
        if with_dependents {
            self.create("after", &self.jobs);
        }
        let all = self.engine.initialize_jobs(self.flow, Extent::All);
        self.wait(all);
    }

    /// Creates jobs, each waiting for the one of `blockers` at its place.
    fn create(&self, name: &str, blockers: &[i64]) -> Vec<i64> {
        let jobs = (0..CYCLES as usize)
            .map(|nth| JobModel {
                workflow_id: self.flow,
                name: format!("{name}{nth}"),
                command: "true".to_owned(),
                depends_on_job_ids: blockers.get(nth).map(|id| vec![*id]),
                ..JobModel::default()
            })
            .collect();
        let made = self.wait(self.engine.create_jobs(JobsModel { jobs }));
        let made = made.jobs.unwrap_or_default();
        made.into_iter().filter_map(|job| job.id).collect()
    }

    /// A job that was not completed yet.
    fn next(&self) -> i64 {
        let nth = self.completed.fetch_add(1, Ordering::Relaxed);
        let next = self.jobs.get(nth).copied();
        must(next.ok_or("more cycles than jobs"))
    }

    fn complete(&self, job: i64) {
        let status = JobStatus::Completed;
        let result = ResultModel {
            id: None,
            job_id: job,
            workflow_id: self.flow,
            run_id: 0,
            attempt_id: Some(1),
            compute_node_id: self.node,
            return_code: 0,
            exec_time_minutes: 0.01,
            completion_time: "2026-01-01T00:00:00.000Z".to_owned(),
            peak_memory_bytes: None,
            avg_memory_bytes: None,
            peak_cpu_percent: None,
            avg_cpu_percent: None,
            status,
            job_name: None,
        };
        self.wait(self.engine.complete_job(job, status, 0, result, None));
    }

    fn wait<T, E: Display>(&self, work: impl Future<Output = Result<T, E>>) -> T {
        must(self.runtime.block_on(work))
    }
}
