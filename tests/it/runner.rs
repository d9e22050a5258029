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
    tokio::time::timeout(Duration::from_secs(60), run(config))
        .await
        .expect("the worker ends")
}

fn read(directory: &TempDir, name: &str) -> String {
    let path = directory.path().join("out/job_stdio").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn wait_for(path: &Path) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        assert!(Instant::now() < limit, "{} never came", path.display());
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

#[tokio::test]
async fn resources_bound_what_runs_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (fake, client) = Fake::start(many(12, "sleep 0.05")).await;
    fake.world().cpus_per_job = 2;

    let outcome = finish(config(client, &directory)).await.unwrap();

    assert_eq!(outcome.completed, 12);
    assert_eq!(fake.world().most_running, 2);
}

#[tokio::test]
async fn slots_bound_what_runs_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (fake, client) = Fake::start(many(200, "true")).await;
    let mut config = config(client, &directory);
    config.max_parallel_jobs = Some(8);

    let outcome = finish(config).await.unwrap();

    assert_eq!(outcome.completed, 200);
    let world = fake.world();
    assert!(world.most_running <= 16, "{}", world.most_running);
    assert!(world.claims < 100, "{} claims for 200 jobs", world.claims);
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
    let begin = Instant::now();
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
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert_eq!(fake.world().status(2), JobStatus::Ready);
}

#[tokio::test]
async fn time_runs_out_politely() {
    let directory = tempfile::tempdir().unwrap();
    let (fake, client) = Fake::start(vec![
        job(
            "stubborn",
            "trap '' TERM; sleep 600 & wait; wait; sleep 600",
        ),
        job("polite", "trap 'exit 0' TERM; sleep 600 & wait"),
        job("usual", "sleep 600"),
    ])
    .await;
    let mut config = config(client, &directory);
    config.time_limit = Some(Duration::from_secs(4));
    fake.world().workflow.execution_config = Some(ExecutionConfig {
        timeout_exit_code: Some(99),
        ..ExecutionConfig::default()
    });

    let outcome = finish(config).await.unwrap();

    assert_eq!((outcome.completed, outcome.terminated), (1, 2));
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
    assert_eq!((code(1), code(2), code(3)), (99, 0, 143));
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
    let begin = Instant::now();

    let outcome = finish(config(client, &directory)).await.unwrap();

    assert_eq!(outcome.completed, 40);
    // A poll for each link would take 80 s.
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
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
