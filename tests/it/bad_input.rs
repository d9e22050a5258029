//! Requests that no client should send: the right status, a body that says why,
//! and nothing written.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::http;
use crate::support::process::{HANG, ServerProcess};
use crate::support::server::check_invariants;

/// Everything the database holds, as text: equal before and after a refusal.
fn contents(database: &Path) -> String {
    let sql = rusqlite::Connection::open(database).unwrap();
    sql.busy_timeout(HANG).unwrap();
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
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let database = directory.path().join("x.db");
    let api = &server.api();
    let flow = api.workflow().await;
    let other = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &["a"])]).await;
    let strangers = api.jobs(other, &[("x", &[])]).await;
    let node = api.compute_node(flow).await;
    api.initialize(flow).await;
    let before = contents(&database);

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
    let at = |request: &str| request.to_owned();
    let no = Value::Null;
    let unknown = "Workflow not found with ID: 999";
    // Request, body, status and part of what is said about it.
    let cases: Vec<(String, Value, u16, &str)> = vec![
        (
            at("POST /workflows"),
            json!({"name": "w"}),
            422,
            "missing field `user`",
        ),
        (
            at("POST /workflows"),
            json!({"name": 1, "user": "u"}),
            422,
            "expected a string",
        ),
        (at("POST /workflows"), json!([]), 422, "expected an object"),
        (
            at("PUT /workflows/999"),
            json!({"name": "w", "user": "u"}),
            404,
            unknown,
        ),
        (at("DELETE /workflows/999"), no.clone(), 404, unknown),
        (
            at("DELETE /workflows/abc"),
            no.clone(),
            400,
            "Cannot parse `abc`",
        ),
        (
            at("DELETE /workflows/99999999999999999999"),
            no.clone(),
            400,
            "Cannot parse",
        ),
        (
            at("POST /jobs"),
            job(json!({"depends_on_job_ids": [999]})),
            422,
            "refers to job 999",
        ),
        (
            at("POST /jobs"),
            job(json!({"depends_on_job_ids": strangers})),
            422,
            "refers to job 3",
        ),
        (
            at("POST /jobs"),
            job(json!({"input_file_ids": [5]})),
            422,
            "refers to file 5",
        ),
        (
            at("POST /jobs"),
            job(json!({"resource_requirements_id": 999})),
            422,
            "refers to resource requirements 999",
        ),
        (
            at("POST /jobs"),
            job(json!({"env": {"a b": "x"}})),
            422,
            "Invalid job env key 'a b'",
        ),
        (
            at("POST /jobs"),
            job(json!({"status": "nonsense"})),
            422,
            "unknown variant `nonsense`",
        ),
        (
            at("POST /bulk_jobs"),
            json!({"jobs": [good, job(json!({"name": "m", "priority": -3}))]}),
            422,
            "priority must be >= 0",
        ),
        (
            at("POST /bulk_jobs"),
            json!({"jobs": [good, job(json!({"name": "m", "output_file_ids": [7]}))]}),
            422,
            "job 'm' refers to file 7",
        ),
        (at("GET /jobs?workflow_id=999"), no.clone(), 404, unknown),
        (
            format!("GET /jobs?workflow_id={flow}&limit=-1"),
            no.clone(),
            422,
            "limit cannot be negative",
        ),
        (
            format!("GET /jobs?workflow_id={flow}&offset=-1"),
            no.clone(),
            422,
            "offset cannot be negative",
        ),
        (
            format!("GET /jobs?workflow_id={flow}&include_relationships=maybe"),
            no.clone(),
            400,
            "was not `true` or `false`",
        ),
        (
            format!("POST /workflows/{flow}/claim_next_jobs?limit=-1"),
            no.clone(),
            422,
            "limit cannot be negative",
        ),
        (
            at("POST /workflows/999/claim_next_jobs"),
            no.clone(),
            404,
            unknown,
        ),
        (
            format!("POST /workflows/{flow}/claim_jobs_based_on_resources/x"),
            offer.clone(),
            400,
            "with value `x`",
        ),
        (
            at("POST /workflows/999/claim_jobs_based_on_resources/1"),
            offer,
            404,
            unknown,
        ),
        (
            format!("POST /workflows/{flow}/claim_jobs_based_on_resources/1"),
            json!({}),
            422,
            "missing field `num_cpus`",
        ),
        (
            format!("PUT /jobs/{}/start_job/0/{node}", jobs[0]),
            no.clone(),
            422,
            "invalid status=ready",
        ),
        (
            format!("PUT /jobs/999/start_job/0/{node}"),
            no.clone(),
            404,
            "Job not found with ID: 999",
        ),
        (
            format!("{complete}/7"),
            result.clone(),
            422,
            "does not match target run_id=7",
        ),
        (
            format!("{complete}/0"),
            no_node,
            422,
            "compute_node_id=999 does not exist",
        ),
        (
            format!("{complete}/0"),
            no_number,
            422,
            "return_code: invalid type",
        ),
        (
            format!("POST /jobs/{}/complete_job/sideways/0", jobs[0]),
            result.clone(),
            400,
            "unknown variant `sideways`",
        ),
        (
            format!("POST /jobs/{}/complete_job/running/0", jobs[0]),
            result.clone(),
            422,
            "'running' is not a terminal status",
        ),
        (
            format!("POST /jobs/{}/complete_job/completed/0", jobs[1]),
            result,
            422,
            "does not match target job_id=2",
        ),
        (
            format!("PUT /jobs/{}/manage_status_change/ready/3", jobs[1]),
            no.clone(),
            422,
            "Run ID mismatch: provided 3",
        ),
        (
            format!("PUT /jobs/{}/manage_status_change/failed/0", jobs[1]),
            no.clone(),
            422,
            "Use complete_job API instead",
        ),
        (
            format!("POST /jobs/{}/retry/0?max_retries=3", jobs[0]),
            no.clone(),
            422,
            "status is Ready",
        ),
        (at("PATCH /workflows"), no.clone(), 405, ""),
        (at("GET /nothing/here"), no, 404, ""),
    ];
    for (request, body, status, told) in cases {
        let answer = api.send(&request, &body).await;
        assert_eq!(answer.status, status, "{request} {body}: {}", answer.body);
        let said = said(&answer.body);
        assert!(said.contains(told), "{request} {body}: {said}");
        assert_eq!(contents(&database), before, "{request} {body} left a trace");
    }
    stop(server, &database);
}

/// What an answer says: the contract's body for errors, or the framework's plain text.
fn said(body: &Value) -> &str {
    match body {
        Value::String(text) => text,
        object => object["error"]["message"]
            .as_str()
            .unwrap_or_else(|| panic!("no error body: {object}")),
    }
}

/// Ends the server and checks what must hold in every database.
fn stop(server: ServerProcess, database: &Path) {
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    check_invariants(database);
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused_as_the_contract_says() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let database = directory.path().join("x.db");
    let api = server.api();
    let before = contents(&database);
    let json = [("content-type", "application/json")];
    let send = async |raw: &str, headers: &[(&'static str, &str)]| {
        for _ in 0..100 {
            let body = Some(raw.to_owned());
            // A body that is refused unread may take its connection along.
            if let Ok(answer) = api.try_send_raw("POST /workflows", body, headers).await {
                return answer;
            }
        }
        panic!("never answered");
    };
    let long = format!("{{\"name\": \"{}\", \"user\": \"u\"}}", "x".repeat(3 << 20));
    for (raw, headers, status, told) in [
        (
            "{\"name\":",
            json,
            400,
            "Failed to parse the request body as JSON",
        ),
        ("", json, 400, "EOF while parsing"),
        (
            "{}",
            [("content-type", "text/plain")],
            415,
            "Content-Type: application/json",
        ),
        (long.as_str(), json, 413, "length limit exceeded"),
    ] {
        let answer = send(raw, &headers).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(said(&answer.body).contains(told), "{}", answer.body);
    }
    let bulk = format!("{{\"jobs\": [], \"pad\": \"{}\"}}", "x".repeat(3 << 20));
    // The answer to the body that was too long said that its connection ends.
    let answer = api.send_raw("POST /bulk_jobs", Some(bulk), &json).await;
    assert_eq!(answer.status, 422, "bulk requests may be larger");
    assert!(
        said(&answer.body).contains("non-empty `jobs`"),
        "{}",
        answer.body
    );
    assert_eq!(contents(&database), before);
    stop(server, &database);
}

/// Every answer carries the contract's headers, refusals included.
#[tokio::test]
async fn answers_carry_the_contracts_headers() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
    let api = server.api();
    for (path, status) in [
        ("/torc-service/v1/ping", 200),
        ("/torc-service/v1/nope", 404),
        ("/", 200),
    ] {
        let response = http::client()
            .get(format!("{}{path}", api.root()))
            .header("x-span-id", "mine")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-span-id"], "mine");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["x-frame-options"], "DENY");
    }
}
