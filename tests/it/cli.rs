//! The `torc` commands as a user meets them: what they print, and how they exit.

use std::path::Path;

use serde_json::Value;

use crate::support::process::Answer;
use crate::support::root;
use crate::support::user::{User, closed_pipe};

fn example(name: &str) -> String {
    root().join("examples").join(name).display().to_string()
}

const TWO_JOBS: &str = "name: two\njobs:\n- {name: first, command: exit 3}\n\
    - {name: second, command: 'true', depends_on: [first]}\n";

#[test]
fn help_tells_commands_options_and_exit_codes() {
    let user = User::alone();
    let plain = |text: String| text.replace(&user.url(), "URL");
    insta::assert_snapshot!("help", plain(user.good(&["--help"])));
    insta::assert_snapshot!("help_run", plain(user.good(&["run", "--help"])));
    for script in ["bash", "zsh", "fish"] {
        assert!(user.good(&["completions", script]).contains("workflows"));
    }
}

#[test]
fn examples_are_valid() {
    let user = User::alone();
    let jobs = |name: &str| {
        let answer = user.json(&["create", "--dry-run", &example(name)]);
        assert_eq!(answer["valid"], true, "{name}");
        answer["summary"]["job_count"].as_i64()
    };
    assert_eq!(jobs("hundred_jobs.yaml"), Some(100));
    assert_eq!(jobs("diamond.yaml"), Some(4));
    assert_eq!(jobs("pipeline.yaml"), Some(29));
}

#[test]
fn examples_run_with_a_server_of_their_own() {
    let user = User::alone();
    let run = |name: &str, jobs: u64| {
        let file = example(name);
        let options = ["run", &file, "-s", "-q", "--max-parallel-jobs", "32"];
        let answer = user.json(&[options.as_slice(), &["--fail-on-job-failure"]].concat());
        assert_eq!(answer["completed"], jobs, "{name}: {answer}");
        assert_eq!(answer["status"], "complete");
    };
    run("diamond.yaml", 4);
    run("pipeline.yaml", 29);
    run("hundred_jobs.yaml", 100);
    let report = user.path().join("torc_output/diamond/report.txt");
    assert!(
        std::fs::read_to_string(report)
            .unwrap()
            .contains("100 total")
    );
    // The database outlives its server, and can be looked at by the next.
    let list = user.json(&["-s", "workflows", "list"]);
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
}

#[test]
fn the_guides_commands_work_as_printed() {
    let user = User::with_server();
    let created = user.good(&["workflows", "create", &example("diamond.yaml")]);
    assert_eq!(created, "Created workflow 1 (4 jobs)\n");
    let started = user.good(&["workflows", "start", "1"]);
    assert_eq!(started, "Started workflow 1: 1 job ready, 3 blocked\n");
    let url = format!("{}/torc-service/v1", user.url());
    user.good(&["run", &url, "run", "1", "--output-dir", "./output_1"]);
    assert!(user.path().join("output_1/job_stdio").is_dir());
    let status = user.json(&["status", "1"]);
    assert_eq!(status["jobs_by_status"]["completed"], 4);
    assert_eq!(status["is_complete"], true);
}

#[test]
fn a_bad_spec_creates_nothing_and_exits_with_1() {
    let user = User::with_server();
    let file = user.write("bad.yaml", "name: bad\njobs:\n- {name: a, comand: x}\n");
    for command in ["create", "run"] {
        let Answer { code, out, err } = user.torc(&[command, &file]);
        assert_eq!((code, out.as_str()), (Some(1), ""));
        let expected = format!(
            "{file}:3:3: a job needs `command`\n{file}:3:13: unknown key `comand` in a job\n  \
             help: did you mean `command`?\n2 errors in {file}; nothing was created\n"
        );
        assert_eq!(err, expected);
    }
    let answer = user.torc(&["create", "--dry-run", "--json", &file]);
    let told: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(
        (answer.code, &told["valid"]),
        (Some(1), &Value::Bool(false))
    );
    assert_eq!(told["errors"].as_array().unwrap().len(), 2);
    assert_eq!(
        user.json(&["workflows", "list", "-a"])["items"],
        Value::Array(vec![])
    );
}

/// In every format a mistake has its line and column, and warnings are told with it.
#[test]
fn mistakes_have_their_place_in_every_format() {
    let user = User::alone();
    for (name, text, told) in [
        (
            "a.json",
            "{\"name\": \"n\",\n \"jobs\": [{\"name\": \"a\", \"command\": 1}]}",
            "a.json:2:36: `command` must be a string, this is an integer",
        ),
        (
            "b.json",
            "{\"name\": \"n\",\n  // a comment\n \"jobs\": []}",
            "b.json:2:3: not valid JSON",
        ),
        (
            "c.json5",
            "{name: 'n',\n jobs: [\n  {name: 'a', comand: 'c'}]}",
            "c.json5:3:15: unknown key `comand` in a job",
        ),
        (
            "d.json5",
            "{name: 'n',\n jobs: [{name: 'a' command: 'c'}]}",
            "d.json5:2:",
        ),
        (
            "e.yaml",
            "name: n\nenable_ro_crate: true\njobs: 3\n",
            "warning: e.yaml:2:18: `enable_ro_crate` has no effect",
        ),
        (
            "e.yaml",
            "name: n\nenable_ro_crate: true\njobs: 3\n",
            "e.yaml:3:7: `jobs`",
        ),
    ] {
        user.write(name, text);
        let Answer { code, err, .. } = user.torc(&["create", "--dry-run", name]);
        assert_eq!(code, Some(1), "{name}: {err}");
        assert!(err.contains(told), "{name}: {err}");
    }
    let told = user.torc(&["create", "--dry-run", "--json", "e.yaml"]);
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["warnings"].as_array().unwrap().len(), 1, "{told}");
}

#[test]
fn a_failed_job_fails_the_command_only_when_asked() {
    let user = User::with_server();
    let file = user.write("two.yaml", TWO_JOBS);
    let answer = user.json(&["run", &file]);
    assert_eq!(
        (&answer["failed"], &answer["status"]),
        (&1.into(), &"complete".into())
    );
    let strict = user.torc(&["run", &file, "--fail-on-job-failure"]);
    assert_eq!(strict.code, Some(1));
    assert!(
        strict.err.contains("torc results list 2 --failed"),
        "{}",
        strict.err
    );
    let failed = user.json(&["results", "list", "2", "--failed"]);
    assert_eq!(failed["items"][0]["return_code"], 3);
    assert_eq!(failed["items"].as_array().unwrap().len(), 1);
    let csv = user.good(&["jobs", "list", "2", "-f", "csv"]);
    let names: Vec<&str> = csv
        .lines()
        .filter_map(|line| line.split(',').nth(1))
        .collect();
    assert_eq!(names, ["name", "first", "second"]);
}

#[test]
fn a_workflow_can_be_started_again_but_not_under_its_workers() {
    let user = User::with_server();
    let file = user.write(
        "slow.yaml",
        "name: slow\njobs: [{name: a, command: 'sleep 30'}]\n",
    );
    user.good(&["create", &file]);
    user.good(&["workflows", "start", "1"]);
    let worker = user.worker(&["1", "-q"]);
    user.wait_for_jobs("1", "running", 1);
    let refused = user.torc(&["workflows", "start", "1"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("1 job of workflow 1 is at work"),
        "{}",
        refused.err
    );
    assert_eq!(user.good(&["cancel", "1", "-y"]), "Canceled workflow 1\n");
    assert_eq!(worker.finish().code, Some(0));
    assert_eq!(user.json(&["status", "1"])["is_canceled"], true);
    user.good(&["workflows", "start", "1"]);
    let status = user.json(&["status", "1"]);
    assert_eq!(status["is_canceled"], false);
    assert_eq!(status["jobs_by_status"]["ready"], 1);
    assert_eq!(user.json(&["workflows", "get", "1"])["run_id"], 2);
}

#[test]
fn missing_input_files_are_told_before_a_job_fails_over_them() {
    let user = User::with_server();
    let spec = "name: n\nfiles: [{name: data, path: data.txt}]\n\
        jobs: [{name: a, command: 'cat ${files.input.data}'}]\n";
    let file = user.write("n.yaml", spec);
    user.good(&["create", &file]);
    let refused = user.torc(&["workflows", "start", "1"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("do not exist: data (data.txt)"),
        "{}",
        refused.err
    );
    user.write("data.txt", "x");
    user.good(&["workflows", "start", "1"]);
}

#[test]
fn deleting_asks_first() {
    let user = User::with_server();
    let file = user.write("two.yaml", TWO_JOBS);
    for _ in 0..3 {
        user.good(&["create", &file]);
    }
    let refused = user.torc(&["delete", "1"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("--no-prompts"), "{}", refused.err);
    assert_eq!(
        user.good(&["delete", "1", "--force"]),
        "Deleted workflow 1\n"
    );
    // One that is not there does not keep the others.
    let mixed = user.torc(&["delete", "--no-prompts", "99", "2"]);
    assert_eq!(
        (mixed.code, mixed.out.as_str()),
        (Some(1), "Deleted workflow 2\n")
    );
    let list = user.json(&["workflows", "list"]);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_created_carries_its_user_and_place() {
    let user = User::with_server();
    let file = user.write("two.yaml", TWO_JOBS);
    let created = user.json(&["create", &file]);
    assert_eq!(
        (&created["workflow_id"], &created["job_count"]),
        (&1.into(), &2.into())
    );
    let workflow = user.json(&["workflows", "get", "1"]);
    assert_eq!(workflow["user"], "ada");
    assert_eq!(workflow["resource_monitor_config"]["jobs"]["enabled"], true);
    let place = workflow["submission_directory"].as_str().unwrap();
    assert_eq!(Path::new(place), user.path().canonicalize().unwrap());
    user.good(&["create", &file, "--no-resource-monitoring"]);
    let bare = user.json(&["workflows", "get", "2"]);
    assert_eq!(bare["resource_monitor_config"], Value::Null);
    let job = user.json(&["jobs", "get", "2"]);
    assert_eq!(job["depends_on_job_ids"], serde_json::json!([1]));
}

#[test]
fn options_stand_before_the_command_or_after_it() {
    let user = User::with_server();
    let expected = "{\n  \"status\": \"ok\"\n}\n";
    assert_eq!(user.good(&["--json", "ping"]), expected);
    assert_eq!(user.good(&["ping", "-f", "json"]), expected);
    assert_eq!(user.good(&["ping"]), "Server is running\n");
}

#[test]
fn a_command_line_without_sense_exits_with_2() {
    let user = User::alone();
    for (arguments, told) in [
        (&["worklfows"][..], "'workflows'"),
        (&["ping", "--formt", "json"], "--format"),
        (&["run", "1", "walk", "2"], "unexpected argument"),
        (&["run", "1", "--time-limit", "1:00"], "ISO 8601"),
        (
            &["ping", "--url", "ftp://localhost"],
            "not a usable server URL",
        ),
        (&["--db", "x.db", "ping"], "--standalone"),
        (
            &["ping", "--log-level", "a=b=c"],
            "neither a log level nor a filter",
        ),
        (&["jobs", "list", "1", "-s", "done"], "completed"),
        (&["delete"], "<IDS>"),
        (&[], "Usage"),
    ] {
        let Answer { code, err, .. } = user.torc(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert!(err.contains(told), "{arguments:?}: {err}");
    }
}

#[test]
fn a_server_that_is_not_there_exits_with_1_and_advice() {
    let user = User::alone();
    let Answer { code, err, .. } = user.torc(&["status", "1"]);
    assert_eq!(code, Some(1));
    let expected = "error: cannot reach the server at http://127.0.0.1:1/torc-service/v1: ";
    assert!(err.starts_with(expected), "{err}");
    assert!(
        err.contains("torc-server run") && err.contains("`torc -s COMMAND`"),
        "{err}"
    );
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let user = User::with_server();
    let mut spec = "name: many\nparameters: {i: '1:3000'}\njobs:\n".to_owned();
    spec += "- {name: 'a_job_with_a_name_{i}', command: 'true', use_parameters: [i]}\n";
    let file = user.write("many.yaml", &spec);
    user.good(&["create", &file]);
    let answer = user.torc_to(&["jobs", "list", "1"], closed_pipe());
    assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
}

/// What is left to do is done, and the exit code tells of it.
#[test]
fn a_reader_that_has_enough_hides_no_verdict() {
    let user = User::with_server();
    let file = user.write("two.yaml", TWO_JOBS);
    let strict = user.torc_to(&["run", &file, "--fail-on-job-failure"], closed_pipe());
    assert_eq!(strict.code, Some(1), "{}", strict.err);
    for _ in 0..2 {
        user.good(&["create", &file]);
    }
    let deleted = user.torc_to(&["delete", "1", "2", "3", "-y"], closed_pipe());
    assert_eq!((deleted.code, deleted.err.as_str()), (Some(0), ""));
    assert_eq!(
        user.json(&["workflows", "list"])["items"],
        Value::Array(vec![])
    );
    let bad = user.write("bad.yaml", "name: bad\n");
    let told = user.torc_to(&["create", "--dry-run", "--json", &bad], closed_pipe());
    assert_eq!(told.code, Some(1));
}
