//! Workflows that are started, and started again, under live workers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use torc_server::wire::JobStatus;
use torc_server::wire::jobs::JobModel;

use crate::runner_fake::Fake;
use crate::support::process::Worker;
use crate::support::user::User;

const JOBS: usize = 12;

/// In the first run a job begins and never ends; in a later one it ends at once.
fn hanging_first() -> String {
    format!(
        "name: again\nparameters: {{i: '1:{JOBS}'}}\njobs:\n- name: 'j{{i}}'\n  \
         use_parameters: [i]\n  command: 'echo {{i}} >> ran$TORC_RUN_ID; \
         [ $TORC_RUN_ID -gt 1 ] || exec sleep 600'\n"
    )
}

/// How often each job began in a run.
fn began(user: &User, run: i64) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for line in user.read(&format!("ran{run}")).lines() {
        *times.entry(line.to_owned()).or_default() += 1;
    }
    times
}

/// Every job is completed, in this run, and ran once in it.
fn assert_ended_well(user: &User, run: i64) {
    let status = user.json(&["status", "1"]);
    assert_eq!(status["jobs_by_status"]["completed"], JOBS, "{status}");
    let results = user.json(&["results", "list", "1"]);
    let runs: Vec<&Value> = results["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["run_id"])
        .collect();
    assert_eq!(runs, vec![&Value::from(run); JOBS]);
    let began = began(user, run);
    assert_eq!(began.len(), JOBS, "{began:?}");
    assert!(began.values().all(|times| *times == 1), "{began:?}");
}

#[test]
fn a_forced_start_takes_live_workers_along() {
    let user = User::with_server();
    user.create(&hanging_first());
    user.good(&["workflows", "start", "1"]);
    let workers: Vec<_> = (0..2)
        .map(|_| user.worker(&["1", "--max-parallel-jobs", "4"]))
        .collect();
    user.wait_for_jobs("1", "running", 8);
    user.good(&["workflows", "start", "1", "--force"]);
    for worker in workers {
        let answer = worker.finish();
        assert_eq!(answer.code, Some(0), "{answer:?}");
        assert!(answer.out.contains("4 of an earlier run"), "{answer:?}");
    }
    assert_ended_well(&user, 2);
}

/// The worker sleeps through both, as one behind a bad line would.
#[test]
fn a_start_after_a_cancel_that_a_worker_has_not_noticed() {
    let user = User::with_server();
    user.create(&hanging_first());
    user.good(&["workflows", "start", "1"]);
    let worker = user.worker(&["1", "--max-parallel-jobs", "4"]);
    user.wait_for_jobs("1", "running", 4);
    worker.signal("STOP");
    user.good(&["cancel", "1", "-y"]);
    user.good(&["workflows", "start", "1"]);
    worker.signal("CONT");
    let answer = worker.finish();
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_ended_well(&user, 2);
}

/// A worker that leaves because of a cancel leaves nothing behind that it had claimed.
#[test]
fn a_start_after_a_cancel_needs_a_worker_and_no_more() {
    let user = User::with_server();
    user.create(&hanging_first());
    user.good(&["workflows", "start", "1"]);
    let first = user.worker(&["1", "--max-parallel-jobs", "4"]);
    user.wait_for_jobs("1", "running", 4);
    user.good(&["cancel", "1", "-y"]);
    user.good(&["workflows", "start", "1"]);
    let second = user.worker(&["1", "--max-parallel-jobs", "4"]);
    assert_eq!(first.finish().code, Some(0));
    assert_eq!(second.finish().code, Some(0));
    assert_ended_well(&user, 2);
}

/// The published clients number runs from 1, and output files carry the number.
#[test]
fn the_first_run_is_run_1_whoever_starts_it() {
    let user = User::with_server();
    let spec = "name: one\njobs: [{name: a, command: 'echo $TORC_RUN_ID'}]\n";
    user.create(spec);
    user.create(spec);
    user.good(&["workflows", "start", "1"]);
    user.good(&["run", "1"]);
    user.good(&["run", "2"]);
    let file = user.path().join("spec.yaml").display().to_string();
    user.good(&["run", &file]);
    for workflow in 1..=3 {
        let output = format!("torc_output/job_stdio/job_wf{workflow}_j{workflow}_r1_a1.o");
        assert_eq!(user.read(&output), "1\n");
    }
}

/// The same workflow, the real server, and as many workers as come.
#[test]
fn a_workflow_that_many_workers_start_runs_once() {
    let user = User::with_server();
    let spec = format!(
        "name: together\nparameters: {{i: '1:{JOBS}'}}\njobs:\n- name: 'j{{i}}'\n  \
         use_parameters: [i]\n  command: 'echo {{i}} >> ran$TORC_RUN_ID; sleep 0.1'\n"
    );
    user.create(&spec);
    let workers: Vec<_> = (0..6)
        .map(|_| user.worker(&["1", "--max-parallel-jobs", "2"]))
        .collect();
    for worker in workers {
        let answer = worker.finish();
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    assert_ended_well(&user, 1);
}

/// Several workers come to a workflow that nobody has started, and all of them see that:
/// each job runs once.
#[tokio::test(flavor = "multi_thread")]
async fn workers_that_start_a_workflow_together() {
    let user = User::alone();
    let job = |nth: usize| JobModel {
        name: format!("j{nth}"),
        command: format!("echo {nth} >> ran; sleep 0.2"),
        ..JobModel::default()
    };
    let (fake, client) = Fake::unstarted((0..JOBS).map(job).collect()).await;
    fake.world().slow_to_say = Duration::from_millis(300);
    let url = client.base_url().to_owned();
    let answers = tokio::task::spawn_blocking(move || {
        let workers: Vec<_> = (0..4)
            .map(|_| user.worker(&["1", "--max-parallel-jobs", "2", "--url", &url]))
            .collect();
        let ended = workers.into_iter().map(Worker::finish);
        (ended.collect::<Vec<_>>(), user.read("ran"))
    });
    let (answers, ran) = answers.await.unwrap();
    assert!(answers.iter().all(|it| it.code == Some(0)), "{answers:?}");
    assert_eq!(ran.lines().count(), JOBS, "{ran}");
    let world = fake.world();
    assert!(world.starts.values().all(|starts| *starts == 1));
    assert_eq!(world.count(JobStatus::Completed), JOBS);
}
