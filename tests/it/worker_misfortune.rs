//! A worker whose surroundings fail it: nobody listens, the machine has no more to give.

use crate::support::process::{output_bounded, output_to};
use crate::support::user::{User, closed_pipe};

const FOUR_JOBS: &str = "name: four\nparameters: {i: '1:4'}\njobs:\n\
    - {name: 'j{i}', command: 'sleep 0.1', use_parameters: [i]}\n";

/// As in `torc run spec.yaml 2>&1 | head -1`: the work goes on without its reader.
#[test]
fn nobody_need_listen() {
    let user = User::with_server();
    let file = user.write("four.yaml", FOUR_JOBS);
    for more in [&["--fail-on-job-failure"][..], &["--log-level", "trace"]] {
        let mut command = user.command(&[&["run", &file], more].concat());
        let answer = output_to(&mut command, closed_pipe(), closed_pipe());
        assert_eq!(answer.code, Some(0));
    }
    assert_eq!(user.jobs("1", "completed"), 4);
    assert_eq!(user.jobs("2", "completed"), 4);
}

/// Somebody tidies up under the worker: the folder is made again.
#[test]
fn an_output_directory_that_is_removed() {
    let user = User::with_server();
    let spec = "name: tidy\njobs:\n- {name: a, command: 'rm -r torc_output'}\n\
        - {name: b, command: 'echo here', depends_on: [a]}\n";
    user.create(spec);
    user.good(&["run", "1", "--fail-on-job-failure"]);
    assert_eq!(
        user.read("torc_output/job_stdio/job_wf1_j2_r1_a1.o"),
        "here\n"
    );
}

/// What the worker lacks is no failure of the jobs: they are left to others.
#[test]
fn an_output_directory_that_cannot_be_had_ends_the_worker_and_no_job() {
    let user = User::with_server();
    let spec = "name: file\nparameters: {i: '1:50'}\njobs:\n\
        - {name: first, command: 'rm -r out && touch out'}\n\
        - {name: 'j{i}', command: 'true', depends_on: [first], use_parameters: [i]}\n";
    user.create(spec);
    let refused = user.torc(&["run", "1", "-o", "out"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused
            .err
            .contains("error: cannot write to the output directory"),
        "{refused:?}"
    );
    let jobs = user.json(&["status", "1"])["jobs_by_status"].clone();
    assert_eq!(
        (&jobs["completed"], &jobs["ready"], &jobs["failed"]),
        (&1.into(), &50.into(), &0.into()),
        "{jobs}"
    );
    user.good(&["run", "1", "--fail-on-job-failure"]);
}

/// More jobs at once than there are file descriptors for.
#[test]
fn a_machine_that_has_no_more_to_give_fails_no_job() {
    let user = User::with_server();
    let spec = "name: wide\nparameters: {i: '1:200'}\njobs:\n\
        - {name: 'j{i}', command: 'sleep 1', use_parameters: [i]}\n";
    user.create(spec);
    let torc = user.command(&["run", "1", "--max-parallel-jobs", "200", "-q"]);
    let mut limited = std::process::Command::new("bash");
    limited
        .args(["-c", "ulimit -n 60; exec \"$@\"", "bash"])
        .arg(torc.get_program())
        .args(torc.get_args())
        .current_dir(user.path())
        .env("TORC_API_URL", user.url());
    let refused = output_bounded(&mut limited);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("error: "), "{refused:?}");
    let jobs = user.json(&["status", "1"])["jobs_by_status"].clone();
    for status in ["failed", "pending", "running"] {
        assert_eq!(jobs[status], 0, "{jobs}");
    }
    user.good(&[
        "run",
        "1",
        "--max-parallel-jobs",
        "200",
        "--fail-on-job-failure",
    ]);
}

/// What no machine could start is the job's own failure, and the work goes on.
#[test]
fn a_command_that_cannot_be_run_fails_its_job_alone() {
    let user = User::with_server();
    let long = "x".repeat(200_000);
    let spec = format!(
        "name: long\njobs:\n- {{name: long, command: 'true {long}'}}\n\
         - {{name: pathless, command: 'true', env: {{PATH: /nowhere}}}}\n\
         - {{name: good, command: 'true'}}\n"
    );
    user.create(&spec);
    let answer = user.json(&["run", "1"]);
    assert_eq!(
        (&answer["completed"], &answer["failed"]),
        (&1.into(), &2.into())
    );
    let results = user.json(&["results", "list", "1", "--sort-by", "job_id"]);
    let codes = results["items"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|it| it["return_code"].as_i64()).collect();
    assert_eq!(codes, [Some(-1), Some(127), Some(0)]);
}
