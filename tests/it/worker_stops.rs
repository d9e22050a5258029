//! A worker that is told to stop: its jobs get the signal and time for it, and the server
//! hears of it; a further signal is always faster.

use serde_json::Value;

use crate::support::process::{Answer, Worker};
use crate::support::user::User;

/// The process that does the work is not the one that `bash -c` became, and needs a
/// second to put its things in order.
const TIDY: &str = "trap 'sleep 1; echo tidied >> tidied; exit 3' TERM INT HUP USR2\n\
    touch started\nwhile :; do sleep 0.1; done\n";
const TIDY_JOB: &str = "name: tidy\njobs: [{name: a, command: 'bash tidy.sh; exit $?'}]\n";
const STUBBORN_JOB: &str = "name: stubborn\njobs:\n\
    - {name: a, command: \"trap '' TERM INT; echo $$ > pid; touch started; while :; do sleep 0.1; done\"}\n";

fn started(spec: &str) -> User {
    let user = User::with_server();
    user.write("tidy.sh", TIDY);
    let id = user.create(spec);
    user.good(&["workflows", "start", &id]);
    user
}

/// The one result there is.
fn result(user: &User) -> Value {
    user.json(&["results", "list", "1"])["items"][0].clone()
}

#[test]
fn what_a_job_started_has_its_time_too() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let user = started(TIDY_JOB);
        let worker = user.worker(&["1"]);
        user.wait_for_file("started");
        worker.signal(signal);
        worker.wait_for_log("stopping 1 running jobs");
        let Answer {
            code: ended, out, ..
        } = worker.finish();
        assert_eq!(ended, Some(code), "{signal}");
        assert_eq!(user.read("tidied"), "tidied\n", "{signal}");
        assert!(out.contains("1 terminated"), "{out}");
        assert_eq!(result(&user)["status"], "terminated");
        assert_eq!(user.json(&["status", "1"])["active_compute_nodes"], 0);
    }
}

/// The signal that a workflow wants for its jobs, where the worker chooses one.
#[test]
fn a_canceled_workflow_sends_the_signal_of_its_own() {
    let user = started(&format!(
        "{TIDY_JOB}execution_config: {{termination_signal: SIGUSR2}}\n"
    ));
    let worker = user.worker(&["1"]);
    user.wait_for_file("started");
    user.good(&["cancel", "1", "-y"]);
    assert_eq!(worker.finish().code, Some(0));
    assert_eq!(user.read("tidied"), "tidied\n");
}

#[test]
fn a_second_signal_kills_the_jobs() {
    let user = started(STUBBORN_JOB);
    let worker = user.worker(&["1"]);
    user.wait_for_file("started");
    worker.signal("TERM");
    worker.wait_for_log("a second signal kills them");
    worker.signal("INT");
    assert_eq!(worker.finish().code, Some(143));
    let pid = user.read("pid");
    let process = std::path::Path::new("/proc").join(pid.trim());
    assert!(!process.exists(), "process {pid} is still there");
    let result = result(&user);
    assert_eq!(
        (&result["status"], &result["return_code"]),
        (&"terminated".into(), &137.into())
    );
}

/// The grace of ten seconds has an end, which a job cannot put off.
#[test]
fn a_job_that_does_not_stop_is_killed() {
    let user = started(STUBBORN_JOB);
    let worker = user.worker(&["1"]);
    user.wait_for_file("started");
    worker.signal("TERM");
    assert_eq!(worker.finish().code, Some(143));
    assert_eq!(result(&user)["return_code"], 137);
}

/// Jobs that were claimed and not started are there for the next worker.
#[test]
fn what_was_claimed_is_given_back() {
    let spec = "name: many\nparameters: {i: '1:400'}\njobs:\n\
        - {name: 'j{i}', command: 'echo {i} >> ran; sleep 0.01', use_parameters: [i]}\n";
    let user = started(spec);
    let worker = user.worker(&["1", "--max-parallel-jobs", "8"]);
    user.wait_for_file("ran");
    worker.signal("TERM");
    assert_eq!(worker.finish().code, Some(143));
    let jobs = user.json(&["status", "1"])["jobs_by_status"].clone();
    let left = |status: &str| jobs[status].as_i64().unwrap();
    assert_eq!((left("pending"), left("running")), (0, 0), "{jobs}");
    assert!(left("ready") > 0, "{jobs}");
    user.good(&["run", "1", "--max-parallel-jobs", "8"]);
    let ended = user.jobs("1", "completed") + user.jobs("1", "terminated");
    assert_eq!(ended, 400);
}

/// `nohup` has the signal ignored before the worker begins, and that stays so.
#[test]
fn nohup_means_what_it_says() {
    let user = started(TIDY_JOB);
    let torc = user.command(&["run", "1"]);
    let mut nohup = std::process::Command::new("nohup");
    nohup.arg(torc.get_program()).args(torc.get_args());
    nohup
        .current_dir(user.path())
        .env("TORC_API_URL", user.url());
    let worker = Worker::start(nohup);
    user.wait_for_file("started");
    worker.signal("HUP");
    worker.signal("TERM");
    // Had the first one counted, the second would have killed the job.
    assert_eq!(worker.finish().code, Some(143));
    assert_eq!(user.read("tidied"), "tidied\n");
}

/// A server that takes requests and never answers: the third signal does not wait for it.
#[test]
fn a_third_signal_ends_at_once() {
    let user = started(STUBBORN_JOB);
    let worker = user.worker(&["1"]);
    user.wait_for_file("started");
    let server = user.server.as_ref().unwrap();
    server.signal("STOP");
    worker.signal("TERM");
    worker.wait_for_log("a second signal kills them");
    worker.signal("TERM");
    worker.wait_for_log("a third signal ends this program");
    worker.signal("TERM");
    let answer = worker.finish();
    server.signal("CONT");
    assert_eq!(answer.code, Some(143));
}

/// Nor does a worker that nobody signals again wait for ever.
#[test]
fn a_server_that_never_answers_keeps_no_worker() {
    let user = started("name: a\njobs: [{name: a, command: 'true', labels: [other]}]\n");
    let worker = user.worker(&["1"]);
    worker.wait_for_log("working on workflow 1");
    let server = user.server.as_ref().unwrap();
    server.signal("STOP");
    worker.signal("TERM");
    let answer = worker.finish();
    server.signal("CONT");
    assert_eq!(answer.code, Some(143));
}
