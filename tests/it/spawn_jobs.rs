//! Jobs that a running job adds to its workflow.

use serde_json::{Value, json};

use crate::support::api::{Answer, Api, result};
use crate::support::server::TestServer;

async fn spawn(api: &Api, job: i64, body: Value) -> Answer {
    api.send(&format!("POST /jobs/{job}/spawn_jobs"), &body)
        .await
}

#[tokio::test]
async fn spawned_jobs_wait_for_their_caller_and_each_other() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api
        .post(
            "/workflows",
            json!({"name": "w", "user": "u", "env": {"A": "1"}}),
        )
        .await["id"]
        .as_i64()
        .unwrap();
    let needs = json!({"workflow_id": flow, "name": "large", "num_cpus": 2, "num_gpus": 0,
                       "num_nodes": 1, "memory": "1g", "runtime": "PT1H"});
    let needs = api.post("/resource_requirements", needs).await["id"].clone();
    let jobs = api.jobs(flow, &[("caller", &[]), ("other", &[])]).await;
    api.initialize(flow).await;
    let node = api.compute_node(flow).await;
    api.post(
        &format!("/workflows/{flow}/claim_next_jobs?limit=1"),
        Value::Null,
    )
    .await;
    let start = format!("PUT /jobs/{}/start_job/0/{node}", jobs[0]);
    api.send(&start, &Value::Null).await.ok();

    let request = json!({"state": {"step": 1}, "jobs": [
        {"name": "late", "command": "true", "depends_on": ["early", "other"], "priority": 4,
         "labels": ["b", "a"]},
        {"name": "early", "command": "true", "resource_requirements": "large",
         "cancel_on_blocking_job_failure": false},
    ]});
    let spawned = spawn(api, jobs[0], request.clone()).await.ok();
    assert_eq!(spawned["iteration"], 1);
    let ids: Vec<i64> = serde_json::from_value(spawned["spawned_job_ids"].clone()).unwrap();
    let late = api.get(&format!("/jobs/{}", ids[0])).await;
    assert_eq!(late["name"], "late");
    assert_eq!(late["status"], "blocked");
    assert_eq!(late["origin"], "spawn");
    assert_eq!(late["priority"], 4);
    assert_eq!(late["labels"], json!(["a", "b"]));
    assert_eq!(
        late["depends_on_job_ids"],
        json!([jobs[0], jobs[1], ids[1]])
    );
    assert_eq!(
        late["env"],
        json!({"A": "1", "TORC_ORCHESTRATOR_LINEAGE_ID": "caller"})
    );
    let early = api.get(&format!("/jobs/{}", ids[1])).await;
    assert_eq!(early["resource_requirements_id"], needs);
    assert_eq!(early["cancel_on_blocking_job_failure"], false);

    // The same again is answered alike, and stores nothing.
    assert_eq!(spawn(api, jobs[0], request).await.ok(), spawned);
    let records = format!("/user_data?workflow_id={flow}");
    let records = api.get(&records).await["items"].clone();
    assert_eq!(records.as_array().unwrap().len(), 1);
    assert_eq!(records[0]["name"], "__torc_lineage__caller__g000001");
    assert_eq!(records[0]["is_ephemeral"], true);
    let data = json!({"generation": 1, "spawn_count": 2, "state": {"step": 1}});
    assert_eq!(records[0]["data"], data);

    let ending = result(flow, jobs[0], node, "completed", 0);
    api.post(
        &format!("/jobs/{}/complete_job/completed/0", jobs[0]),
        ending,
    )
    .await;
    assert_eq!(api.status(ids[1]).await, "ready");
    assert_eq!(api.status(ids[0]).await, "blocked");
    server.stop().await;
}

#[tokio::test]
async fn a_lineage_counts_its_calls_and_ends() {
    let server = TestServer::start().await;
    let api = &server.api;
    let (flow, job, _) = api.running_job().await;
    let change = "UPDATE workflow SET dynamic_jobs = '{\"max_iterations\": 2}'";
    server.sql().execute(change, []).unwrap();
    let step = |name: &str| json!({"lineage": "line", "jobs": [{"name": name, "command": "c"}]});
    for (name, iteration) in [("x", 1), ("y", 2)] {
        assert_eq!(
            spawn(api, job, step(name)).await.ok()["iteration"],
            iteration
        );
    }
    let refused = spawn(api, job, step("z")).await;
    assert_eq!(refused.status, 422);
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("cap of 2 iterations"), "{message}");
    // Another lineage counts for itself; a name that looks like a number is none.
    let other = json!({"lineage": "line__g9", "jobs": [{"name": "w", "command": "c"}]});
    assert_eq!(spawn(api, job, other).await.ok()["iteration"], 1);

    let nothing = spawn(api, job, json!({"lineage": "line", "jobs": []}))
        .await
        .ok();
    assert_eq!(nothing, json!({"spawned_job_ids": [], "iteration": 2}));
    for state in [json!("first"), json!("second")] {
        let end = json!({"lineage": "line", "jobs": [], "state": state});
        assert_eq!(spawn(api, job, end).await.ok()["iteration"], 2);
        let last = format!("/user_data?workflow_id={flow}&name=final");
        let last = api.get(&last).await;
        assert_eq!(last["total_count"], 1);
        assert_eq!(last["items"][0]["name"], "__torc_lineage__line__final");
        assert_eq!(last["items"][0]["data"]["final"], true);
        assert_eq!(last["items"][0]["data"]["state"], state);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_is_carried_out_as_a_whole_or_not_at_all() {
    let server = TestServer::start().await;
    let api = &server.api;
    let (flow, job, _) = api.running_job().await;
    let idle = api.jobs(flow, &[("idle", &[])]).await[0];
    let count = || -> i64 {
        let sql = "SELECT (SELECT count(*) FROM job) + (SELECT count(*) FROM user_data) * 1000";
        server.sql().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let before = count();
    let one = |more: Value| {
        let mut job = json!({"name": "x", "command": "c"});
        job.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"jobs": [{"name": "first", "command": "c"}, job]})
    };
    for (job, body, status, said) in [
        (
            job,
            one(json!({"name": "first"})),
            422,
            "Duplicate job name 'first'",
        ),
        (
            job,
            one(json!({"priority": -1})),
            422,
            "priority must be >= 0",
        ),
        (
            job,
            one(json!({"labels": ["a,b"]})),
            422,
            "label must be non-empty",
        ),
        (
            job,
            one(json!({"resource_requirements": "no"})),
            422,
            "Unknown resource_requirements",
        ),
        (
            job,
            one(json!({"depends_on": ["nobody"]})),
            422,
            "depends on 'nobody'",
        ),
        (
            job,
            one(json!({"depends_on": ["x"]})),
            422,
            "waits for itself",
        ),
        (
            job,
            one(json!({"name": "idle"})),
            422,
            "Inconsistent replay",
        ),
        (job, one(json!({"bogus": 1})), 422, "unknown field `bogus`"),
        (
            job,
            json!({"jobs": [], "bogus": 1}),
            422,
            "unknown field `bogus`",
        ),
        (
            idle,
            json!({"jobs": []}),
            422,
            "to be Running (job_id=2 is Uninitialized)",
        ),
        (99, json!({"jobs": []}), 404, "Job not found with ID: 99"),
    ] {
        let answer = spawn(api, job, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.body.to_string().contains(said), "{body}: {answer:?}");
        assert_eq!(count(), before, "{body} left a trace");
    }
    server
        .sql()
        .execute("UPDATE resource_requirements SET name = 'other'", [])
        .unwrap();
    let answer = spawn(api, job, one(json!({}))).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn of_two_calls_at_once_one_stores_and_both_answer_alike() {
    let server = TestServer::start().await;
    let api = &server.api;
    let (_, job, _) = api.running_job().await;
    let body = json!({"jobs": [{"name": "x", "command": "c"}, {"name": "y", "command": "c"}]});
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (api, body) = (api.clone(), body.clone());
            tokio::spawn(async move { spawn(&api, job, body).await.ok() })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(answers[0]["iteration"], 1);
    server.stop().await;
}
