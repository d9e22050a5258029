//! What a worker tells: the server of itself, people of its progress, programs of its end.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::http;
use crate::support::process::output_bounded;
use crate::support::user::User;

const ONE_JOB: &str = "name: one\njobs: [{name: a, command: 'true'}]\n";

fn node(user: &User, id: usize) -> serde_json::Value {
    let server = user.server.as_ref().unwrap();
    let url = format!(
        "http://127.0.0.1:{}/torc-service/v1/compute_nodes/{id}",
        server.port()
    );
    let get = async { http::get(url).await.unwrap().json().await.unwrap() };
    tokio::runtime::Runtime::new().unwrap().block_on(get)
}

#[test]
fn a_worker_registers_what_it_offers() {
    let user = User::with_server();
    user.create(ONE_JOB);
    user.good(&["run", "1"]);
    let own = node(&user, 1);
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert_eq!(own["num_cpus"], cpus, "{own}");
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let kib: f64 = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    let gib = own["memory_gb"].as_f64().unwrap();
    assert!((gib - kib / f64::from(1 << 20)).abs() < 0.01, "{own}");
    assert_eq!(
        (&own["num_gpus"], &own["is_active"]),
        (&json!(0), &json!(false))
    );

    let said = ["--num-cpus", "3", "--memory-gb", "1.5", "--num-gpus", "2"];
    user.good(&[&["run", "1"], &said[..], &["--label", "a,b"]].concat());
    let told = node(&user, 2);
    for (field, value) in [
        ("num_cpus", json!(3)),
        ("memory_gb", json!(1.5)),
        ("num_gpus", json!(2)),
        ("labels", json!(["a", "b"])),
    ] {
        assert_eq!(told[field], value, "{told}");
    }
}

/// Nobody sees a bar there: lines, one now and then.
#[test]
fn progress_is_told_in_lines_where_there_is_no_terminal() {
    let user = User::with_server();
    let spec = "name: slow\njobs:\n- {name: a, command: 'true'}\n\
        - {name: b, command: 'sleep 8', depends_on: [a]}\n";
    let file = user.write("slow.yaml", spec);
    let answer = user.torc(&["run", &file]);
    assert_eq!(answer.code, Some(0));
    let lines: Vec<&str> = answer.err.lines().take(3).collect();
    assert_eq!(
        lines,
        [
            "Created workflow 1 (2 jobs)",
            "working on workflow 1, run 1",
            "1 of 2 jobs have ended, 1 running here",
        ]
    );
    assert_eq!(
        answer.out,
        "Workflow 1: the workflow is complete; this worker: 2 completed\n"
    );
    let quiet = user.torc(&["run", "1", "--quiet"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""));
}

#[test]
fn the_summary_for_programs_is_whole() {
    let user = User::with_server();
    user.create(ONE_JOB);
    let answer = user.json(&["run", "1"]);
    let none = [
        "failed",
        "pending_failed",
        "terminated",
        "canceled",
        "superseded",
        "given_back",
        "refused",
        "unreported",
    ];
    for field in none {
        assert_eq!(answer[field], 0, "{field}: {answer}");
    }
    assert_eq!(
        (&answer["completed"], &answer["status"]),
        (&json!(1), &json!("complete"))
    );
}

/// What nobody can run here is named, so that an idle worker is no riddle.
#[test]
fn requirements_beyond_this_machine_are_told() {
    let user = User::with_server();
    let spec = "name: large\ncompute_node_wait_for_new_jobs_seconds: 1\n\
        resource_requirements:\n- {name: huge, num_cpus: 5, memory: 8g, num_gpus: 1}\n\
        - {name: small, num_cpus: 1, memory: 1m}\njobs:\n\
        - {name: a, command: 'true', resource_requirements: huge}\n\
        - {name: b, command: 'true', resource_requirements: small}\n";
    user.create(spec);
    let limits = ["run", "1", "--num-cpus", "4", "--memory-gb", "4"];
    let answer = user.torc(&[&limits[..], &["--fail-on-job-failure"]].concat());
    let told =
        "requirements huge (5 CPUs, 8g, 1 GPUs) do not fit this worker (4 CPUs, 4.0 GiB, 0 GPUs)";
    assert!(answer.err.contains(told), "{answer:?}");
    // An end without work is no success for those who ask for one.
    assert_eq!(answer.code, Some(1));
    assert!(
        answer
            .err
            .contains("error: 1 job of workflow 1 not completed"),
        "{answer:?}"
    );
    let lenient = user.torc(&limits);
    assert_eq!(lenient.code, Some(0));
}

#[test]
fn a_canceled_workflow_is_no_success_for_those_who_ask_for_one() {
    let user = User::with_server();
    user.create("name: long\njobs: [{name: a, command: 'touch on; exec sleep 600'}]\n");
    let worker = user.worker(&["1", "--fail-on-job-failure"]);
    user.wait_for_file("on");
    user.good(&["cancel", "1", "-y"]);
    let answer = worker.finish();
    assert_eq!(answer.code, Some(1), "{answer:?}");
}

/// On a terminal there are colours, unless `NO_COLOR` says otherwise: in tables and in
/// the log.
#[test]
fn no_color_means_none() {
    let user = User::with_server();
    user.create(ONE_JOB);
    let torc = user.command(&[]).get_program().display().to_string();
    let on_a_terminal = |line: &str, no_color: Option<&str>| {
        let mut script = Command::new("script");
        script
            .args(["-qec", line, "/dev/null"])
            .env("TORC_API_URL", user.url())
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        if let Some(value) = no_color {
            script.env("NO_COLOR", value);
        }
        output_bounded(&mut script).out
    };
    for (no_color, expected) in [(None, true), (Some("1"), false), (Some(""), true)] {
        let table = on_a_terminal(&format!("{torc} jobs list 1"), no_color);
        assert!(table.contains("uninitialized"), "{table}");
        assert_eq!(table.contains('\u{1b}'), expected, "{no_color:?}: {table}");
        let line = format!("{torc} ping --log-level hyper_util=trace >/dev/null");
        let log = on_a_terminal(&line, no_color);
        assert!(log.contains("TRACE"), "{log}");
        assert_eq!(log.contains('\u{1b}'), expected, "{no_color:?}: {log}");
    }
}
