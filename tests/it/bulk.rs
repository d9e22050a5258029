//! Many jobs at once: created, initialised, listed, deleted. What is done by sets of rows
//! must come to what single jobs would have come to.

use serde_json::{Value, json};

use crate::support::server::{TestServer, check_invariants};

fn jobs(flow: i64, names: impl Iterator<Item = usize>) -> Value {
    let jobs: Vec<Value> = names
        .map(|n| json!({"workflow_id": flow, "name": format!("job{n}"), "command": "true"}))
        .collect();
    json!({ "jobs": jobs })
}

fn ids(answer: &Value) -> Vec<i64> {
    let jobs = answer["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["id"].as_i64().unwrap()).collect()
}

/// Each answer has the id under which its own job is stored, however many there are.
#[tokio::test]
async fn bulk_jobs_are_answered_with_their_own_ids() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    for count in [1, 49, 50, 51, 207] {
        let other = api.workflow().await;
        let made = api.post("/bulk_jobs", jobs(other, 0..count)).await;
        assert_eq!(ids(&made).len(), count);
        for (n, id) in ids(&made).into_iter().enumerate().step_by(17) {
            let stored = api.get(&format!("/jobs/{id}")).await;
            assert_eq!(stored["name"], format!("job{n}"), "of {count}");
            assert_eq!(stored["workflow_id"], other);
        }
    }
    // What is deleted does not lend its ids to others.
    let first = ids(&api.post("/bulk_jobs", jobs(flow, 0..60)).await);
    api.send(&format!("DELETE /jobs?workflow_id={flow}"), &Value::Null)
        .await
        .ok();
    let second = ids(&api.post("/bulk_jobs", jobs(flow, 0..60)).await);
    assert!(second[0] > first[59], "{second:?} after {first:?}");
    check_invariants(&server.database());
    server.stop().await;
}

/// A request cannot refer to jobs that it is about to make: nothing of it is kept.
#[tokio::test]
async fn bulk_jobs_wait_only_for_jobs_that_are_there() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let there = ids(&api.post("/bulk_jobs", jobs(flow, 0..1)).await)[0];
    let mut request = jobs(flow, 1..4);
    request["jobs"][0]["depends_on_job_ids"] = json!([there]);
    request["jobs"][1]["depends_on_job_ids"] = json!([there + 3]);
    let refused = api.send("POST /bulk_jobs", &request).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let message = refused.body.to_string();
    let expected = format!("job 'job2' refers to job {}", there + 3);
    assert!(message.contains(&expected), "{message}");
    let page = api.get(&format!("/jobs?workflow_id={flow}")).await;
    assert_eq!(page["total_count"], 1);
    server.stop().await;
}

/// Fresh jobs in large numbers are made ready by one statement, without the triggers that
/// count; single jobs are counted by them before and after.
#[tokio::test]
async fn counts_stay_right_when_thousands_become_ready() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let made = ids(&api.post("/bulk_jobs", jobs(flow, 0..2_500)).await);
    let dependent = json!({
        "workflow_id": flow, "name": "last", "command": "true", "depends_on_job_ids": [made[0]],
    });
    api.post("/jobs", dependent).await;
    let disabled = json!({
        "workflow_id": flow, "name": "job1", "command": "true", "status": "disabled",
    });
    api.send(&format!("PUT /jobs/{}", made[1]), &disabled)
        .await
        .ok();
    // As a worker that was killed leaves it.
    let started = format!(
        "UPDATE job SET status = 4, start_time = 'x' WHERE id = {}",
        made[2]
    );
    server.sql().execute_batch(&started).unwrap();

    let total = async |status: &str| -> i64 {
        let path = format!("/jobs?workflow_id={flow}&status={status}&limit=3");
        let page = api.get(&path).await;
        assert!(page["items"].as_array().unwrap().len() <= 3);
        page["total_count"].as_i64().unwrap()
    };
    api.initialize(flow).await;
    assert_eq!(total("ready").await, 2_499);
    assert_eq!(total("blocked").await, 1);
    assert_eq!(total("disabled").await, 1);
    assert_eq!(total("uninitialized").await, 0);
    let claimed = api
        .post(
            &format!("/workflows/{flow}/claim_next_jobs?limit=7"),
            Value::Null,
        )
        .await;
    assert_eq!(claimed["jobs"].as_array().unwrap().len(), 7);
    assert_eq!(total("ready").await, 2_492);
    assert_eq!(total("pending").await, 7);
    let all = api.get(&format!("/jobs?workflow_id={flow}&limit=1")).await;
    assert_eq!(all["total_count"], 2_501);
    let named = api
        .get(&format!(
            "/jobs?workflow_id={flow}&status=ready&name=job249&limit=1"
        ))
        .await;
    assert_eq!(named["total_count"], 11, "job249 and job2490 to job2499");
    check_invariants(&server.database());
    server.stop().await;
}

/// What is written goes into the database while the server runs, not only at its end.
#[tokio::test]
async fn the_log_is_moved_while_the_server_writes() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let body = json!({"workflow_id": flow, "timestamp": 0, "data": "x".repeat(1_000_000)});
    for _ in 0..120 {
        api.post("/events", body.clone()).await;
    }
    let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len() >> 20;
    let log = size(&server.database().with_extension("db-wal"));
    let moved = size(&server.database());
    assert!(log < 64, "the log has {log} MiB");
    assert!(moved > 60, "the database has {moved} MiB");
    server.stop().await;
}
