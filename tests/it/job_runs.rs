//! Jobs in a run: started, ended, released, cancelled, tried again.

use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::server::TestServer;

async fn complete(api: &Api, flow: i64, job: i64, node: i64, status: &str, code: i64) -> u16 {
    let request = format!("POST /jobs/{job}/complete_job/{status}/0");
    api.send(&request, &result(flow, job, node, status, code))
        .await
        .status
}

/// A join waits for its last predecessor, whichever order they end in.
#[tokio::test]
async fn the_last_ending_releases_the_join() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let jobs = api
        .jobs(
            flow,
            &[("left", &[]), ("right", &[]), ("join", &["left", "right"])],
        )
        .await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;

    assert_eq!(
        complete(api, flow, jobs[1], node, "completed", 0).await,
        200
    );
    assert_eq!(api.status(jobs[2]).await, "blocked");
    assert_eq!(
        complete(api, flow, jobs[0], node, "completed", 0).await,
        200
    );
    assert_eq!(api.status(jobs[2]).await, "ready");
    server.stop().await;
}

/// A failure cancels what waited for it and all behind that; who asked to run
/// anyway runs. A job with another blocker still open stays blocked until it ends.
#[tokio::test]
async fn a_failure_cancels_those_behind_it() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let jobs = api
        .jobs(
            flow,
            &[
                ("bad", &[]),
                ("slow", &[]),
                ("behind", &["bad"]),
                ("further", &["behind"]),
                ("both", &["bad", "slow"]),
            ],
        )
        .await;
    let stubborn = json!({
        "workflow_id": flow, "name": "stubborn", "command": "true",
        "depends_on_job_ids": [jobs[0]], "cancel_on_blocking_job_failure": false,
    });
    let stubborn = api.post("/jobs", stubborn).await["id"].as_i64().unwrap();
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;

    complete(api, flow, jobs[0], node, "failed", 1).await;
    assert_eq!(api.status(jobs[2]).await, "canceled");
    assert_eq!(api.status(jobs[3]).await, "canceled");
    assert_eq!(api.status(jobs[4]).await, "blocked");
    assert_eq!(api.status(stubborn).await, "ready");
    complete(api, flow, jobs[1], node, "completed", 0).await;
    assert_eq!(api.status(jobs[4]).await, "canceled");
    server.stop().await;
}

/// Files and user data cause dependencies when a run is set up.
#[tokio::test]
async fn inputs_wait_for_the_jobs_that_write_them() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let file = json!({"workflow_id": flow, "name": "f", "path": "f"});
    let file = api.post("/files", file).await["id"].clone();
    let data = json!({"workflow_id": flow, "name": "d"});
    let data = api.post("/user_data", data).await["id"].clone();
    let job = |name: &str, links: Value| {
        let mut job = json!({"workflow_id": flow, "name": name, "command": "true"});
        job.as_object_mut()
            .unwrap()
            .extend(links.as_object().unwrap().clone());
        job
    };
    let writer = job(
        "writer",
        json!({"output_file_ids": [file], "output_user_data_ids": [data]}),
    );
    let writer = api.post("/jobs", writer).await["id"].as_i64().unwrap();
    let reads_file = api
        .post(
            "/jobs",
            job("reads file", json!({"input_file_ids": [file]})),
        )
        .await;
    let reads_data = api
        .post(
            "/jobs",
            job("reads data", json!({"input_user_data_ids": [data]})),
        )
        .await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;

    for reader in [&reads_file, &reads_data] {
        let reader = reader["id"].as_i64().unwrap();
        assert_eq!(api.status(reader).await, "blocked");
        let model = api.get(&format!("/jobs/{reader}")).await;
        assert_eq!(model["depends_on_job_ids"], json!([writer]));
    }
    complete(api, flow, writer, node, "completed", 0).await;
    assert_eq!(
        api.status(reads_file["id"].as_i64().unwrap()).await,
        "ready"
    );
    assert_eq!(
        api.status(reads_data["id"].as_i64().unwrap()).await,
        "ready"
    );
    server.stop().await;
}

/// Two completions of one job at the same moment: one is recorded.
#[tokio::test]
async fn a_job_ends_once() {
    let server = TestServer::start().await;
    let api = server.api.clone();
    let flow = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[])]).await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;
    let attempts = (0..8).map(|_| complete(&api, flow, jobs[0], node, "completed", 0));
    let statuses = futures_util::future::join_all(attempts).await;
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| matches!(status, 200 | 422)),
        "{statuses:?}"
    );
    let results = api
        .get(&format!("/results?workflow_id={flow}&all_runs=true"))
        .await;
    assert_eq!(results["total_count"], 1);
    server.stop().await;
}

/// Repeating a completion under its key is a success; under another it is not.
#[tokio::test]
async fn a_repeated_completion_is_a_success_for_its_key() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &["a"])]).await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;
    let body = json!({"completions": [{
        "job_id": jobs[0], "status": "completed", "run_id": 0,
        "result": result(flow, jobs[0], node, "completed", 0),
    }]});
    let request = format!("POST /workflows/{flow}/batch_complete_jobs");
    let send = async |key| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        api.send_raw(&request, Some(body.to_string()), &headers)
            .await
            .ok()
    };
    assert_eq!(send("one").await["completed"], json!([jobs[0]]));
    assert_eq!(send("one").await["completed"], json!([jobs[0]]));
    let refused = send("two").await;
    assert_eq!(refused["completed"], json!([]));
    assert!(
        refused["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("already complete")
    );
    assert_eq!(api.status(jobs[1]).await, "ready");
    server.stop().await;
}

/// Only bad endings are reset, with everything behind them; good ones stay.
#[tokio::test]
async fn resetting_failed_jobs_resets_what_depends_on_them() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let jobs = api
        .jobs(flow, &[("good", &[]), ("bad", &[]), ("behind", &["bad"])])
        .await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;
    complete(api, flow, jobs[0], node, "completed", 0).await;
    complete(api, flow, jobs[1], node, "failed", 3).await;
    assert_eq!(api.status(jobs[2]).await, "canceled");
    let request = format!("POST /workflows/{flow}/reset_job_status?failed_only=true");
    let answer = api.send(&request, &Value::Null).await.ok();
    assert_eq!(answer["updated_count"], 2);
    assert_eq!(api.status(jobs[0]).await, "completed");
    assert_eq!(api.status(jobs[1]).await, "uninitialized");
    assert_eq!(api.status(jobs[2]).await, "uninitialized");
    api.post(
        &format!("/workflows/{flow}/initialize_jobs?only_uninitialized=true"),
        Value::Null,
    )
    .await;
    assert_eq!(api.status(jobs[1]).await, "ready");
    assert_eq!(api.status(jobs[2]).await, "blocked");
    server.stop().await;
}

/// Endings that another program wrote down without releasing anybody are swept up.
#[tokio::test]
async fn the_sweep_releases_what_another_program_left() {
    let server = TestServer::start_with(|config| {
        config.sweep_interval = std::time::Duration::from_millis(50);
    })
    .await;
    let api = &server.api;
    let flow = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &["a"])]).await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;
    let sql = server.sql();
    sql.execute_batch(&format!(
        "BEGIN IMMEDIATE; UPDATE job SET status = 5 WHERE id = {0}; \
         INSERT INTO result (workflow_id, job_id, run_id, compute_node_id, return_code, \
           exec_time_minutes, completion_time, status) \
         VALUES ({flow}, {0}, 0, {node}, 0, 0.1, '2026-01-01T00:00:00Z', 5); COMMIT;",
        jobs[0]
    ))
    .unwrap();
    for _ in 0..200 {
        if api.status(jobs[1]).await == "ready" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(api.status(jobs[1]).await, "ready");
    server.stop().await;
}
