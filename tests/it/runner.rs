//! The worker against a server that keeps count and, where a test wants it, loses answers.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use torc_server::client::Client;
use torc_server::runner::{Ending, RunOutcome, RunnerConfig, RunnerError, run};
use torc_server::telemetry::task;
use torc_server::wire::files::FileModel;
use torc_server::wire::jobs::JobModel;
use torc_server::wire::{JobStatus, workflow_config::ExecutionConfig};

use crate::runner_fake::Fake;
use crate::support::process::HANG;

fn job(name: &str, command: &str) -> JobModel {
    JobModel {
        name: name.to_owned(),
        command: command.to_owned(),
        ..JobModel::default()
    }
}

fn many(count: usize, command: &str) -> Vec<JobModel> {
    (0..count)
        .map(|nth| job(&format!("job{nth}"), command))
        .collect()
}

fn config(client: Client, directory: &TempDir) -> RunnerConfig {
    RunnerConfig {
        output_dir: directory.path().join("out"),
        num_cpus: Some(4),
        memory_gb: Some(1.0),
        ..RunnerConfig::new(client, 1)
    }
}

/// Runs a worker to its end, which a hang would delay for ever.
async fn finish(config: RunnerConfig) -> Result<RunOutcome, RunnerError> {
    tokio::time::timeout(HANG, run(config))
        .await
        .expect("the worker ends")
}

fn read(directory: &TempDir, name: &str) -> String {
    let path = directory.path().join("out/job_stdio").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn wait_for(path: &Path) {
    wait_until(|| path.exists()).await;
}

/// Waits until something holds, at most as long as nothing hangs.
async fn wait_until(mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < limit, "it never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn jobs_see_their_environment_and_their_output_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut talkative = job(
        "talkative",
        "echo $GREETING $TORC_JOB_ID $TORC_JOB_NAME $TORC_RUN_ID $TORC_ATTEMPT_ID $TORC_WORKFLOW_ID $X; echo bad >&2; exit 3",
    );
    talkative.invocation_script = Some("X=1\nexport X".to_owned());
    talkative.env = Some([("GREETING".to_owned(), "hello".to_owned())].into());
    let (fake, client) = Fake::start(vec![talkative, job("killed", "kill -9 $$")]).await;

    let outcome = finish(config(client, &directory)).await.unwrap();

    assert_eq!((outcome.failed, outcome.ending), (2, Ending::Complete));
    assert_eq!(
        read(&directory, "job_wf1_j1_r1_a1.o"),
        "hello 1 talkative 1 1 1 1\n"
    );
    assert_eq!(read(&directory, "job_wf1_j1_r1_a1.e"), "bad\n");
    let world = fake.world();
    let code = |id| {
        world
            .results
            .iter()
            .find(|it| it.job_id == id)
            .unwrap()
            .result
            .return_code
    };
    assert_eq!((code(1), code(2)), (3, 137));
    assert_eq!(world.nodes[0].is_active, Some(false));
    assert!(world.nodes[0].duration_seconds.is_some());
}

/// A job that notes how many run while it does, and ends only after two were seen at
/// once: so both too many and too few at a time are noticed.
fn counting(directory: &TempDir) -> String {
    let folder = directory.path().join("running");
    std::fs::create_dir(&folder).unwrap();
    let (folder, counts) = (folder.display(), directory.path().join("counts"));
    let (counts, two) = (counts.display(), directory.path().join("two"));
    let two = two.display();
    format!(
        "touch {folder}/$TORC_JOB_ID; while :; do n=$(ls {folder} | wc -l); echo $n >> {counts}; \
         [ $n -ge 2 ] && touch {two}; [ -e {two} ] && break; sleep 0.01; done; \
         sleep 0.02; rm {folder}/$TORC_JOB_ID"
    )
}

/// The most that any of them saw.
fn most_at_once(directory: &TempDir) -> usize {
    let counts = std::fs::read_to_string(directory.path().join("counts")).unwrap();
    let counts = counts.lines().map(|line| line.parse().unwrap());
    counts.max().unwrap()
}

#[tokio::test]
async fn resources_bound_what_runs_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (fake, client) = Fake::start(many(12, &counting(&directory))).await;
    fake.world().cpus_per_job = 2;

    let outcome = finish(config(client, &directory)).await.unwrap();

    assert_eq!(outcome.completed, 12);
    assert_eq!(most_at_once(&directory), 2);
}

#[tokio::test]
async fn slots_bound_what_runs_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (_fake, client) = Fake::start(many(100, &counting(&directory))).await;
    let mut config = config(client, &directory);
    config.max_parallel_jobs = Some(8);

    let outcome = finish(config).await.unwrap();

    assert_eq!(outcome.completed, 100);
    assert!((2..=8).contains(&most_at_once(&directory)));
}

/// Somebody makes a job ready again while it runs here, and the worker claims it: the
/// process that runs will do.
#[tokio::test]
async fn a_job_that_is_here_is_not_run_a_second_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (ran, go) = (path("ran"), path("go"));
    let command = format!(
        "echo x >> {}; while [ ! -e {} ]; do sleep 0.01; done",
        ran.display(),
        go.display()
    );
    let (fake, client) = Fake::start(vec![job("a", &command)]).await;
    let worker = task::spawn("worker", finish(config(client, &directory)));
    wait_for(&ran).await;
    fake.world().jobs[0].status = Some(JobStatus::Ready);
    fake.tell("jobs_ready");
    wait_until(|| fake.world().status(1) == JobStatus::Pending).await;
    // It has heard of that claim when it sends the next one.
    let claims = fake.world().claims;
    fake.tell("jobs_ready");
    wait_until(|| fake.world().claims > claims).await;
    std::fs::write(&go, "").unwrap();

    let outcome = worker.await.unwrap().unwrap();

    assert_eq!((outcome.completed, outcome.refused), (1, 0));
    assert_eq!(std::fs::read_to_string(ran).unwrap(), "x\n");
}

/// A stream without a word, as behind a proxy that buffers: every two seconds the worker
/// asks all the same.
#[tokio::test]
async fn a_silent_stream_costs_time_and_no_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let mut later = job("later", "true");
    later.depends_on_job_ids = Some(vec![1]);
    let (fake, client) = Fake::start(vec![job("elsewhere", "true"), later]).await;
    {
        let mut world = fake.world();
        world.silent = true;
        // Another worker has it.
        world.jobs[0].status = Some(JobStatus::Running);
    }
    let worker = task::spawn("worker", finish(config(client, &directory)));
    // One at the start and one when the stream was opened; then nothing speaks of jobs.
    wait_until(|| fake.world().claims > 1).await;
    {
        let mut world = fake.world();
        world.jobs[0].status = Some(JobStatus::Completed);
        world.jobs[1].status = Some(JobStatus::Ready);
    }

    let outcome = worker.await.unwrap().unwrap();

    assert_eq!((outcome.completed, outcome.ending), (1, Ending::Complete));
}

/// A claim that is answered when the worker has already turned away from a canceled
/// workflow, which somebody has started again by then.
#[tokio::test]
async fn what_comes_after_a_cancel_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let (fake, client) = Fake::start(vec![job("a", "true")]).await;
    {
        let mut world = fake.world();
        world.claims_held = true;
        world.workflow.is_canceled = Some(true);
    }
    let worker = task::spawn("worker", finish(config(client, &directory)));
    wait_until(|| fake.world().told_of_cancel > 0).await;
    {
        let mut world = fake.world();
        world.workflow.is_canceled = Some(false);
        world.workflow.run_id = Some(2);
        world.claims_held = false;
    }

    let outcome = worker.await.unwrap().unwrap();

    assert_eq!((outcome.given_back, outcome.ending), (1, Ending::Canceled));
    assert_eq!(fake.world().status(1), JobStatus::Ready);
}

#[tokio::test]
async fn a_missing_output_file_fails_the_job_and_an_existing_one_is_dated() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut writer = job("writer", &format!("touch {}", path("there")));
    writer.output_file_ids = Some(vec![1]);
    let mut idler = job("idler", "true");
    idler.output_file_ids = Some(vec![2]);
    let (fake, client) = Fake::start(vec![writer, idler]).await;
    fake.world().files = ["there", "gone"]
        .map(|name| FileModel {
            workflow_id: 1,
            path: path(name),
            ..FileModel::default()
        })
        .into();

    let outcome = finish(config(client, &directory)).await.unwrap();

    assert_eq!((outcome.completed, outcome.failed), (1, 1));
    assert!(read(&directory, "job_wf1_j2_r1_a1.e").contains("gone' is missing"));
    let world = fake.world();
    assert!(world.files[0].st_mtime.is_some() && world.files[1].st_mtime.is_none());
    let failed = world.results.iter().find(|it| it.job_id == 2).unwrap();
    assert_eq!(
        (failed.result.return_code, failed.status),
        (1, JobStatus::Failed)
    );
}

/// Whatever answers are lost: each job is started once and recorded once.
#[tokio::test]
async fn lost_answers_lose_and_repeat_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let marks = directory.path().join("marks");
    let (fake, client) = Fake::start(many(
        150,
        &format!("echo $TORC_JOB_ID >> {}", marks.display()),
    ))
    .await;
    fake.world().lose_one_in = 4;
    let mut config = config(client, &directory);
    config.max_parallel_jobs = Some(8);

    let outcome = finish(config).await.unwrap();

    assert_eq!(outcome.completed, 150);
    let world = fake.world();
    assert!(world.starts.values().all(|starts| *starts == 1));
    assert_eq!((world.starts.len(), world.results.len()), (150, 150));
    let mut ran: Vec<i64> = std::fs::read_to_string(marks)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    ran.sort_unstable();
    assert_eq!(ran, (1..=150).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_canceled_workflow_stops_its_jobs() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("started");
    let command = format!("touch {}; sleep 600", mark.display());
    let (fake, client) = Fake::start(vec![job("long", &command), job("next", "true")]).await;
    let mut config = config(client, &directory);
    config.max_parallel_jobs = Some(1);
    let worker = task::spawn("worker", finish(config));
    wait_for(&mark).await;
    {
        let mut world = fake.world();
        world.workflow.is_canceled = Some(true);
        world.jobs[0].status = Some(JobStatus::Canceled);
    }
    fake.tell("workflow_canceled");

    let outcome = worker.await.unwrap().unwrap();

    assert_eq!((outcome.canceled, outcome.ending), (1, Ending::Canceled));
    assert_eq!(fake.world().status(2), JobStatus::Ready);
}

#[tokio::test]
async fn time_runs_out_politely() {
    let directory = tempfile::tempdir().unwrap();
    let (fake, client) = Fake::start(vec![
        job("stubborn", "trap '' USR1; while :; do sleep 0.1; done"),
        job("polite", "trap 'exit 0' USR1; while :; do sleep 0.1; done"),
        job("usual", "sleep 600"),
        job(
            "lingering",
            "bash -c 'trap : USR1; while :; do sleep 0.1; done'; exit 0",
        ),
    ])
    .await;
    let mut config = config(client, &directory);
    // Half of it is time to start them all, on a machine that does much else.
    config.time_limit = Some(Duration::from_secs(12));
    fake.world().workflow.execution_config = Some(ExecutionConfig {
        timeout_exit_code: Some(99),
        termination_signal: Some("SIGUSR1".to_owned()),
        ..ExecutionConfig::default()
    });

    let outcome = finish(config).await.unwrap();

    assert_eq!((outcome.completed, outcome.terminated), (1, 3));
    assert_eq!(outcome.ending, Ending::TimeUp);
    let world = fake.world();
    let code = |id| {
        world
            .results
            .iter()
            .find(|it| it.job_id == id)
            .unwrap()
            .result
            .return_code
    };
    // 138: SIGUSR1. What the last one started had to be killed with it.
    assert_eq!((code(1), code(2), code(3), code(4)), (99, 0, 138, 99));
}

#[tokio::test]
async fn an_idle_worker_leaves_after_the_workflows_patience() {
    let directory = tempfile::tempdir().unwrap();
    let mut stuck = job("stuck", "true");
    stuck.depends_on_job_ids = Some(vec![1]);
    let (fake, client) = Fake::start(vec![stuck]).await;
    fake.world().workflow.compute_node_wait_for_new_jobs_seconds = Some(1);

    let outcome = finish(config(client, &directory)).await.unwrap();

    assert_eq!((outcome.completed, outcome.ending), (0, Ending::Idle));
}

/// The chain is driven by reports and events, not by a poll of seconds.
#[tokio::test]
async fn a_chain_runs_without_waiting_for_polls() {
    let directory = tempfile::tempdir().unwrap();
    let mut chain = many(40, "true");
    for (nth, job) in chain.iter_mut().enumerate().skip(1) {
        job.depends_on_job_ids = Some(vec![nth as i64]);
    }
    let (_fake, client) = Fake::start(chain).await;

    // A poll for each link would take 80 s, which counts as a hang.
    let outcome = finish(config(client, &directory)).await.unwrap();

    assert_eq!(outcome.completed, 40);
}

#[tokio::test]
async fn an_unknown_workflow_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (_fake, client) = Fake::start(Vec::new()).await;
    let mut config = config(client, &directory);
    config.workflow_id = 2;

    let refused = finish(config).await;

    assert!(matches!(refused, Err(RunnerError::Server { .. })));
}
