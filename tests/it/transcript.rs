//! Replays exchanges recorded from a running Torc 1.0.0 and compares status and body.
//!
//! `data/transcript.jsonl` holds all of them in order, and the lines of the workflow's event
//! stream. Differences on purpose stand in `DIFFERENCES` here and in
//! `docs/compatibility.md`.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::server::TestServer;

/// What an exchange is expected to answer instead, and why.
enum Instead {
    /// Another status with the recorded message.
    Status(u16),
    /// Another status, with a message that says more than the recorded one.
    Said(u16),
    /// Another status and body.
    Body(u16, fn(&Value) -> Value),
}

/// Differences on purpose, each by its request and the recorded status.
const DIFFERENCES: &[(&str, u16, Instead)] = &[
    // A caller's mistake is answered 4xx, so that clients do not repeat it for minutes.
    ("GET /workflows?limit=-1", 500, Instead::Status(422)),
    ("GET /workflows?limit=100001", 500, Instead::Status(422)),
    ("GET /workflows?offset=-1", 500, Instead::Status(422)),
    ("PUT /jobs/2/start_job/0/1", 500, Instead::Status(422)),
    (
        "POST /jobs/1/complete_job/running/0",
        500,
        Instead::Status(422),
    ),
    ("POST /results", 500, Instead::Said(409)),
    // Implemented here.
    (
        "GET /workflows/1/ready_job_requirements",
        500,
        Instead::Body(200, |_| {
            json!({
                "num_jobs": 3, "num_cpus": 66, "num_gpus": 1, "memory_gb": 502.0,
                "max_num_nodes": 1, "max_runtime": "PT86400S",
            })
        }),
    ),
    // The recorded server crashed on it.
    (
        "GET /user_data?workflow_id=1",
        0,
        Instead::Body(200, |_| {
            json!({
                "items": [
                    {"id": 1, "workflow_id": 1, "is_ephemeral": false, "name": "cfg",
                     "data": {"x": 1}},
                    {"id": 2, "workflow_id": 1, "is_ephemeral": false, "name": "res",
                     "data": null},
                ],
                "offset": 0, "max_limit": 100_000, "count": 2, "total_count": 2,
                "has_more": false,
            })
        }),
    ),
    // Both spellings, because the published clients disagree.
    (
        "DELETE /files?workflow_id=1",
        200,
        Instead::Body(200, |_| json!({"count": 4, "deleted_count": 4})),
    ),
    // What was asked of the old one is told at once.
    ("POST /access_groups", 500, Instead::Status(409)),
    // Refused for good, so clients should not repeat it.
    ("POST /admin/reload-auth", 500, Instead::Status(422)),
    // The published clients read `success`, and one of them fails where both are there.
    (
        "POST /workflows/1/actions/1/claim",
        200,
        Instead::Body(200, |_| json!({"action_id": 1, "success": true})),
    ),
    (
        "POST /workflows/1/actions/3/claim",
        200,
        Instead::Body(200, |_| json!({"action_id": 3, "success": true})),
    ),
];

#[tokio::test]
async fn recorded_exchanges_are_answered_alike() {
    let server = TestServer::start().await;
    let (mut compared, mut wrong, mut stream) = (0, Vec::new(), None);
    let mut section = String::new();
    for line in include_str!("data/transcript.jsonl").lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        if let Some(name) = exchange["section"].as_str() {
            section = name.to_owned();
            if name == "initialise" {
                stream = Some(Frames::of(&server.api, 1).await);
            }
        } else if exchange["request"].is_string() {
            compared += 1;
            if let Some(difference) = compare(&server.api, &exchange).await {
                wrong.push(format!("[{section}] {difference}"));
            }
        } else {
            let lines = exchange["lines"].as_array().unwrap();
            let recorded = frames(lines.iter().map(|line| line.as_str().unwrap()));
            let ours = stream.take().unwrap().first(recorded.len()).await;
            assert_eq!(ours, recorded);
        }
    }
    assert_eq!(compared, 224);
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    server.stop().await;
}

/// The event stream of a workflow.
struct Frames {
    response: reqwest::Response,
    text: String,
}

impl Frames {
    async fn of(api: &Api, workflow: i64) -> Self {
        let url = format!("{}/workflows/{workflow}/events/stream", api.url());
        let response = http::get(url).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            response,
            text: String::new(),
        }
    }

    /// Its first events.
    async fn first(mut self, count: usize) -> Vec<Value> {
        while self.text.matches("\n\n").count() < count {
            let chunk = self.response.chunk().await.unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        frames(self.text.lines())
    }
}

/// The events in the lines of a stream, as name and data.
fn frames<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Value> {
    let lines: Vec<&str> = lines.filter(|line| line.contains(": ")).collect();
    let named = lines.iter().zip(lines.iter().skip(1));
    let named = named.filter_map(|(first, second)| {
        let name = first.strip_prefix("event: ")?;
        let data: Value = serde_json::from_str(second.strip_prefix("data: ")?).unwrap();
        Some(json!([name, normalized(data)]))
    });
    named.collect()
}

/// Asks until a task is over; the recorded one was at once.
async fn settled(api: &Api, request: &str) {
    if !request.starts_with("GET /tasks/1") {
        return;
    }
    for _ in 0..3000 {
        let answer = api.send(request, &Value::Null).await;
        if !matches!(answer.body["status"].as_str(), Some("queued" | "running")) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the task does not end");
}

async fn compare(api: &Api, exchange: &Value) -> Option<String> {
    let request = exchange["request"].as_str().unwrap();
    settled(api, request).await;
    let answer = match exchange["raw_body"].as_str() {
        Some(raw) => {
            let json = exchange["status"] != 415;
            let kind = if json {
                "application/json"
            } else {
                "text/plain"
            };
            api.send_raw(request, Some(raw.to_owned()), &[("content-type", kind)])
                .await
        }
        None => api.send(request, &exchange["body"]).await,
    };
    let recorded = exchange["status"].as_u64().unwrap() as u16;
    let difference = DIFFERENCES
        .iter()
        .find(|(other, status, _)| *other == request && *status == recorded);
    let (status, body) = match difference {
        None => (recorded, exchange["response"].clone()),
        Some((_, _, Instead::Body(status, body))) => (*status, body(&exchange["response"])),
        Some((_, _, Instead::Status(status))) => {
            let (ours, theirs) = (
                &answer.body["error"]["message"],
                &exchange["response"]["error"]["message"],
            );
            return (answer.status != *status || ours != theirs)
                .then(|| format!("{request}: {answer:?}, expected {status} and {theirs}"));
        }
        Some((_, _, Instead::Said(status))) => {
            let has_message = answer.body["error"]["message"].is_string();
            return (answer.status != *status || !has_message)
                .then(|| format!("{request}: {answer:?}, expected {status}"));
        }
    };
    let (ours, theirs) = (normalized(answer.body.clone()), normalized(body));
    (answer.status != status || ours != theirs).then(|| {
        format!(
            "{request}\n  ours:   {} {ours}\n  theirs: {status} {theirs}",
            answer.status
        )
    })
}

/// Fields whose values depend on the moment, and on what was built.
const OF_THE_MOMENT: [&str; 12] = [
    "timestamp",
    "start_time",
    "version",
    "git_hash",
    "torc:git_hash",
    "url",
    "created_at",
    "created_at_ms",
    "started_at_ms",
    "finished_at_ms",
    "executed_at",
    "now_ms",
];

/// Takes out what depends on the moment.
fn normalized(mut body: Value) -> Value {
    match &mut body {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if OF_THE_MOMENT.contains(&name.as_str()) {
                    *value = json!("normalized");
                } else if name == "buckets" {
                    // How much was asked depends on the moment; what is told of it does not.
                    let told = value[0].as_object().unwrap();
                    *value = told.keys().cloned().collect();
                } else {
                    *value = normalized(value.take());
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = normalized(item.take());
            }
        }
        _ => {}
    }
    body
}
