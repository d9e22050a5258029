//! Requests that no client should send: the right status, a body that says why,
//! and nothing written.

use serde_json::{Value, json};

use crate::support::server::TestServer;

/// Everything the database holds, as text: equal before and after a refusal.
fn contents(server: &TestServer) -> String {
    let sql = server.sql();
    let tables: Vec<String> = sql
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut all = String::new();
    for table in tables {
        let mut statement = sql.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            all.push_str(&table);
            for column in 0..columns {
                all.push_str(&format!(" {:?}", row.get_ref(column).unwrap()));
            }
            all.push('\n');
        }
    }
    all
}

#[tokio::test]
async fn refusals_leave_no_trace() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let other = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &["a"])]).await;
    let strangers = api.jobs(other, &[("x", &[])]).await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;
    let before = contents(&server);

    let job = |more: Value| {
        let mut job = json!({"workflow_id": flow, "name": "n", "command": "true"});
        job.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        job
    };
    let good = job(json!({}));
    let result = crate::support::api::result(flow, jobs[0], node, "completed", 0);
    let mut no_node = result.clone();
    no_node["compute_node_id"] = json!(999);
    let mut no_number = result.clone();
    no_number["return_code"] = json!("zero");
    let complete = format!("POST /jobs/{}/complete_job/completed", jobs[0]);
    let offer = json!({"num_cpus": 1, "memory_gb": 1.0, "num_gpus": 0, "num_nodes": 1});
    let cases: Vec<(String, Value, u16)> = vec![
        ("POST /workflows".into(), json!({"name": "w"}), 422),
        (
            "POST /workflows".into(),
            json!({"name": 1, "user": "u"}),
            422,
        ),
        ("POST /workflows".into(), json!([]), 422),
        (
            "PUT /workflows/999".into(),
            json!({"name": "w", "user": "u"}),
            404,
        ),
        ("DELETE /workflows/999".into(), Value::Null, 404),
        ("DELETE /workflows/abc".into(), Value::Null, 400),
        (
            "DELETE /workflows/99999999999999999999".into(),
            Value::Null,
            400,
        ),
        (
            "POST /jobs".into(),
            job(json!({"depends_on_job_ids": [999]})),
            422,
        ),
        (
            "POST /jobs".into(),
            job(json!({"depends_on_job_ids": strangers})),
            422,
        ),
        (
            "POST /jobs".into(),
            job(json!({"input_file_ids": [5]})),
            422,
        ),
        (
            "POST /jobs".into(),
            job(json!({"resource_requirements_id": 999})),
            422,
        ),
        ("POST /jobs".into(), job(json!({"env": {"a b": "x"}})), 422),
        ("POST /jobs".into(), job(json!({"status": "nonsense"})), 422),
        (
            "POST /bulk_jobs".into(),
            json!({"jobs": [good, job(json!({"priority": -3}))]}),
            422,
        ),
        (
            "POST /bulk_jobs".into(),
            json!({"jobs": [good, job(json!({"name": "m", "output_file_ids": [7]}))]}),
            422,
        ),
        ("GET /jobs?workflow_id=999".into(), Value::Null, 404),
        (
            format!("GET /jobs?workflow_id={flow}&limit=-1"),
            Value::Null,
            422,
        ),
        (
            format!("GET /jobs?workflow_id={flow}&offset=-1"),
            Value::Null,
            422,
        ),
        (
            format!("GET /jobs?workflow_id={flow}&include_relationships=maybe"),
            Value::Null,
            400,
        ),
        (
            format!("POST /workflows/{flow}/claim_next_jobs?limit=-1"),
            Value::Null,
            422,
        ),
        (
            "POST /workflows/999/claim_next_jobs".into(),
            Value::Null,
            404,
        ),
        (
            format!("POST /workflows/{flow}/claim_jobs_based_on_resources/x"),
            offer.clone(),
            400,
        ),
        (
            "POST /workflows/999/claim_jobs_based_on_resources/1".into(),
            offer,
            404,
        ),
        (
            format!("POST /workflows/{flow}/claim_jobs_based_on_resources/1"),
            json!({}),
            422,
        ),
        (
            format!("PUT /jobs/{}/start_job/0/{node}", jobs[0]),
            Value::Null,
            422,
        ),
        (
            format!("PUT /jobs/999/start_job/0/{node}"),
            Value::Null,
            404,
        ),
        (format!("{complete}/7"), result.clone(), 422),
        (format!("{complete}/0"), no_node, 422),
        (format!("{complete}/0"), no_number, 422),
        (
            format!("POST /jobs/{}/complete_job/sideways/0", jobs[0]),
            result.clone(),
            400,
        ),
        (
            format!("POST /jobs/{}/complete_job/running/0", jobs[0]),
            result.clone(),
            422,
        ),
        (
            format!("POST /jobs/{}/complete_job/completed/0", jobs[1]),
            result,
            422,
        ),
        (
            format!("PUT /jobs/{}/manage_status_change/ready/3", jobs[1]),
            Value::Null,
            422,
        ),
        (
            format!("PUT /jobs/{}/manage_status_change/failed/0", jobs[1]),
            Value::Null,
            422,
        ),
        (
            format!("POST /jobs/{}/retry/0?max_retries=3", jobs[0]),
            Value::Null,
            422,
        ),
        ("PATCH /workflows".into(), Value::Null, 405),
        ("GET /nothing/here".into(), Value::Null, 404),
    ];
    for (request, body, status) in cases {
        let answer = api.send(&request, &body).await;
        assert_eq!(answer.status, status, "{request} {body}: {}", answer.body);
        assert_eq!(contents(&server), before, "{request} {body} left a trace");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_as_the_contract_says() {
    let server = TestServer::start().await;
    let json = [("content-type", "application/json")];
    let send = async |raw: &str, headers: &[(&'static str, &str)]| {
        server
            .api
            .send_raw("POST /workflows", Some(raw.to_owned()), headers)
            .await
    };
    assert_eq!(send("{\"name\":", &json).await.status, 400);
    assert_eq!(send("", &json).await.status, 400);
    assert_eq!(
        send("{}", &[("content-type", "text/plain")]).await.status,
        415
    );
    let long = format!("{{\"name\": \"{}\", \"user\": \"u\"}}", "x".repeat(3 << 20));
    assert_eq!(send(&long, &json).await.status, 413);
    let bulk = format!("{{\"jobs\": [], \"pad\": \"{}\"}}", "x".repeat(3 << 20));
    let answer = server
        .api
        .send_raw("POST /bulk_jobs", Some(bulk), &json)
        .await;
    assert_eq!(
        answer.status, 422,
        "bulk requests may be larger: {}",
        answer.body
    );
    server.stop().await;
}

/// Every answer carries the contract's headers, refusals included.
#[tokio::test]
async fn answers_carry_the_contracts_headers() {
    let server = TestServer::start().await;
    for (path, status) in [
        ("/torc-service/v1/ping", 200),
        ("/torc-service/v1/nope", 404),
        ("/", 200),
    ] {
        let response = reqwest::Client::new()
            .get(format!("{}{path}", server.api.root()))
            .header("x-span-id", "mine")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-span-id"], "mine");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["x-frame-options"], "DENY");
    }
    server.stop().await;
}
