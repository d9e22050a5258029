//! Initialisation in the background.

use serde_json::{Value, json};
use torc_server::server::ServerConfig;

use crate::support::api::Api;
use crate::support::http;
use crate::support::server::TestServer;

/// The task once it is over.
async fn over(api: &Api, id: i64) -> Value {
    for _ in 0..3000 {
        let task = api.get(&format!("/tasks/{id}")).await;
        if !matches!(task["status"].as_str(), Some("queued" | "running")) {
            return task;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the task does not end");
}

#[tokio::test]
async fn a_task_goes_on_by_itself_and_says_when_it_is_over() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let job = api.jobs(flow, &[("a", &[])]).await[0];
    let url = format!("{}/workflows/{flow}/events/stream", api.url());
    let mut stream = http::get(url).await.unwrap();
    let asked = api
        .send(
            &format!("POST /workflows/{flow}/initialize_jobs?async=true"),
            &Value::Null,
        )
        .await;
    assert_eq!(asked.status, 202);
    assert_eq!(asked.body["status"], "queued");
    assert_eq!(asked.body["operation"], "initialize_jobs");
    let task = over(api, asked.body["id"].as_i64().unwrap()).await;
    assert_eq!(task["status"], "succeeded");
    assert!(task["finished_at_ms"].as_i64() >= task["started_at_ms"].as_i64());
    assert_eq!(api.status(job).await, "ready");
    assert_eq!(
        api.get(&format!("/workflows/{flow}/active_task")).await,
        json!({"task": null})
    );
    let mut told = String::new();
    while !told.contains("event: task_completed") || !told.ends_with("\n\n") {
        let chunk = stream.chunk().await.unwrap().unwrap();
        told.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let data = told.rsplit("data: ").next().unwrap();
    let data: Value = serde_json::from_str(data.trim()).unwrap();
    assert_eq!(data["severity"], "info");
    assert_eq!(data["data"]["task_id"], task["id"]);
    assert_eq!(data["data"]["status"], "succeeded");
    server.stop().await;
}

/// A task that somebody else is carrying out, as a database may have it.
fn leave_task(server: &TestServer, flow: i64, request: &str) {
    server
        .sql()
        .execute(
            "INSERT INTO async_handle (workflow_id, operation, status, created_at_ms, request_json) \
             VALUES (?1, 'initialize_jobs', 'running', 1, ?2)",
            rusqlite::params![flow, request],
        )
        .unwrap();
}

#[tokio::test]
async fn a_workflow_has_one_task_at_a_time() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    leave_task(
        &server,
        flow,
        r#"{"clear_ephemeral_user_data":null,"if_uninitialized":null,"only_uninitialized":false}"#,
    );
    let ask = async |query: &str| {
        let request = format!("POST /workflows/{flow}/initialize_jobs?async=true{query}");
        api.send(&request, &Value::Null).await
    };
    let same = ask("&only_uninitialized=false").await;
    assert_eq!(
        (same.status, &same.body["id"]),
        (202, &json!(1)),
        "{same:?}"
    );
    // What is absent is not the same as false.
    for other in [
        "",
        "&only_uninitialized=true",
        "&clear_ephemeral_user_data=false",
    ] {
        let refused = ask(other).await;
        assert_eq!(refused.status, 409, "{other}: {refused:?}");
        let error = &refused.body["error"];
        assert_eq!(error["error"], "Conflict");
        assert_eq!(error["existing_task_id"], 1);
        assert_eq!(error["existing_operation"], "initialize_jobs");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("different parameters")
        );
    }
    let active = api.get(&format!("/workflows/{flow}/active_task")).await;
    assert_eq!(active["task"]["status"], "running");
    for unknown in ["GET /tasks/99", "GET /workflows/99/active_task"] {
        assert_eq!(
            api.send(unknown, &Value::Null).await.status,
            404,
            "{unknown}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_task_that_a_stop_interrupted_has_failed() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("kept.db");
    let on = |config: &mut ServerConfig| config.database = Some(database.clone());
    let server = TestServer::start_with(on).await;
    let flow = server.api.workflow().await;
    leave_task(&server, flow, "{}");
    server.stop().await;
    let server = TestServer::start_with(on).await;
    let task = server.api.get("/tasks/1").await;
    assert_eq!(task["status"], "failed");
    assert_eq!(task["error"], "server restarted while task was in progress");
    let again = format!("POST /workflows/{flow}/initialize_jobs?async=true");
    let answer = server.api.send(&again, &Value::Null).await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        over(&server.api, answer.body["id"].as_i64().unwrap()).await["status"],
        "succeeded"
    );
    server.stop().await;
}
