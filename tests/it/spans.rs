//! The instrumented functions of the timing guide, driven through the real server: each
//! has its close line, with the fields that the guide shows.

use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::process::{ServerProcess, torc_server};

/// A server that logs a line for each call.
fn timed_server(directory: &std::path::Path) -> ServerProcess {
    let mut command = torc_server();
    command
        .current_dir(directory)
        .args(["run", "--host", "127.0.0.1", "--port", "0", "--no-console"])
        .args(["-d", "x.db"])
        .env("RUST_LOG", "debug")
        .env("TORC_TIMING_ENABLED", "1");
    ServerProcess::spawn(command)
}

/// The spans of all close lines, as `name{fields}`.
fn closed(log: &str) -> Vec<&str> {
    log.lines()
        .filter_map(|line| {
            line.split_once(": close time.busy=")?
                .0
                .split_once("DEBUG ")
        })
        .map(|(_, span)| span)
        .collect()
}

/// Stops the server; every one of `spans` must have a close line.
fn expect_closed(server: ServerProcess, spans: &[String]) {
    server.signal("TERM");
    let (_, log) = server.wait();
    let closed = closed(&log);
    let missing: Vec<_> = spans
        .iter()
        .filter(|span| !closed.contains(&span.as_str()))
        .collect();
    assert!(missing.is_empty(), "no {missing:#?} in {closed:#?}");
}

async fn put(api: &Api, path: &str, body: Value) {
    api.send(&format!("PUT {path}"), &body).await.ok();
}

/// A run from creation to reset, with every function of the guide.
#[tokio::test]
async fn the_functions_of_the_guide_have_close_lines() {
    let directory = tempfile::tempdir().unwrap();
    let server = timed_server(directory.path());
    let api = server.api();
    let w = api.workflow().await;
    let first = api.jobs(w, &[("a", &[]), ("b", &["a"])]).await;
    let (a, b) = (first[0], first[1]);
    let bulk = |name: &str| json!({"workflow_id": w, "name": name, "command": "true"});
    api.post("/bulk_jobs", json!({"jobs": [bulk("c"), bulk("d")]}))
        .await;
    api.get(&format!("/jobs/{a}")).await;
    api.get(&format!("/jobs?workflow_id={w}")).await;
    api.get("/workflows").await;
    api.initialize(w).await;
    api.get(&format!("/workflows/{w}/ready_job_requirements"))
        .await;
    let node = api.compute_node(w).await;
    api.post(
        &format!("/workflows/{w}/claim_next_jobs?limit=1"),
        Value::Null,
    )
    .await;
    put(&api, &format!("/jobs/{a}/start_job/0/{node}"), Value::Null).await;
    let ended = result(w, a, node, "completed", 0);
    api.post(&format!("/jobs/{a}/complete_job/completed/0"), ended)
        .await;
    let offer = json!({"num_cpus": 1, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1});
    let claim = format!("/workflows/{w}/claim_jobs_based_on_resources/5");
    api.post(&claim, offer).await;
    let manage = format!("/jobs/{b}/manage_status_change/ready/0");
    put(&api, &manage, Value::Null).await;
    let changed = format!("/workflows/{w}/process_changed_job_inputs");
    api.post(&changed, Value::Null).await;
    api.get(&format!("/workflows/{w}/is_complete")).await;
    api.get(&format!("/workflows/{w}/status")).await;
    let actions = format!("/workflows/{w}/actions");
    let action = json!({
        "workflow_id": w, "trigger_type": "on_worker_start", "action_type": "run_commands",
        "action_config": {"commands": ["true"]},
    });
    let action = &api.post(&actions, action).await["id"];
    api.get(&format!("{actions}/pending")).await;
    api.post(&format!("{actions}/{action}/claim"), json!({}))
        .await;
    put(&api, &format!("/workflows/{w}/cancel"), Value::Null).await;
    api.post(&format!("/workflows/{w}/reset_status"), Value::Null)
        .await;
    let expected = [
        format!("create_workflow{{workflow_id={w}}}"),
        format!("create_job{{workflow_id={w}}}"),
        format!("create_jobs{{workflow_id={w} jobs=2}}"),
        format!("get_job{{job_id={a}}}"),
        format!("list_jobs{{workflow_id={w}}}"),
        "list_workflows".to_owned(),
        format!("get_ready_job_requirements{{workflow_id={w}}}"),
        format!("claim_next_jobs{{workflow_id={w} limit=1}}"),
        format!("claim_jobs_based_on_resources{{workflow_id={w} limit=5}}"),
        format!("prepare_ready_jobs{{workflow_id={w} limit=1}}"),
        format!("prepare_ready_jobs{{workflow_id={w} limit=5}}"),
        format!("start_job{{job_id={a} run_id=0 compute_node_id={node}}}"),
        format!("complete_job{{job_id={a} status=Completed run_id=0}}"),
        format!("manage_status_change{{job_id={b} status=Ready run_id=0}}"),
        format!("update_job_status{{job_id={a} status=\"completed\"}}"),
        format!("process_changed_job_inputs{{workflow_id={w} dry_run=false}}"),
        format!("is_workflow_complete{{workflow_id={w}}}"),
        format!("get_workflow_status{{workflow_id={w}}}"),
        format!("get_pending_actions{{workflow_id={w}}}"),
        format!("claim_action{{workflow_id={w} action_id={action}}}"),
        format!("cancel_workflow{{workflow_id={w}}}"),
        format!("reset_workflow_status{{workflow_id={w} force=false}}"),
    ];
    expect_closed(server, &expected);
}

/// Whatever moves a job's status does it in `update_job_status`: one job, or a set.
#[tokio::test]
async fn every_move_of_a_status_has_its_span() {
    let directory = tempfile::tempdir().unwrap();
    let server = timed_server(directory.path());
    let api = server.api();
    let w = api.workflow().await;
    let after_first: &[&str] = &["a"];
    let jobs = [
        ("a", &[][..]),
        ("b", after_first),
        ("c", after_first),
        ("d", &["b"]),
        ("off", &[]),
    ];
    let ids = api.jobs(w, &jobs).await;
    let (a, b, off) = (ids[0], ids[1], ids[4]);
    let disabled = json!({
        "workflow_id": w, "name": "off", "command": "true", "status": "disabled",
    });
    put(&api, &format!("/jobs/{off}"), disabled).await;
    api.initialize(w).await;
    let node = api.compute_node(w).await;
    let claim = format!("/workflows/{w}/claim_next_jobs?limit=1");
    for job in [a, b] {
        api.post(&claim, Value::Null).await;
        let start = format!("/jobs/{job}/start_job/0/{node}");
        put(&api, &start, Value::Null).await;
        let ended = result(w, job, node, "completed", 0);
        api.post(&format!("/jobs/{job}/complete_job/completed/0"), ended)
            .await;
    }
    api.post(&claim, Value::Null).await;
    put(&api, &format!("/workflows/{w}/cancel"), Value::Null).await;
    let reset = format!("/jobs/{a}/manage_status_change/uninitialized/0");
    put(&api, &reset, Value::Null).await;
    api.post(&format!("/workflows/{w}/reset_job_status"), Value::Null)
        .await;
    let one =
        |job: i64, status: &str| format!("update_job_status{{job_id={job} status=\"{status}\"}}");
    let set = |status: &str, jobs: usize| {
        format!("update_job_status{{workflow_id={w} status=\"{status}\" jobs={jobs}}}")
    };
    let expected = [
        one(off, "disabled"),
        set("ready", 1),
        one(a, "pending"),
        one(a, "running"),
        one(a, "completed"),
        // Both dependents of the first, then the one of the second.
        set("ready", 2),
        one(ids[3], "ready"),
        set("canceled", 1),
        one(a, "uninitialized"),
        // The one dependent that has ended, and at last all that are left.
        set("uninitialized", 1),
        set("uninitialized", 3),
    ];
    expect_closed(server, &expected);
}
