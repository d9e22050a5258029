//! The live event stream: frames, levels, headers, and what a slow reader misses.

use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::http;
use crate::support::server::TestServer;

/// A stream that has been opened.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(api: &Api, flow: i64, level: &str) -> Self {
        let url = format!("{}/workflows/{flow}/events/stream{level}", api.url());
        let response = http::get(url).await.unwrap();
        assert_eq!(response.status(), 200);
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next frame: its name and its data.
    async fn frame(&mut self) -> (String, Value) {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (event, data) = frame.split_once('\n').unwrap();
                let event = event.strip_prefix("event: ").unwrap().to_owned();
                let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                self.text = rest.to_owned();
                return (event, data);
            }
            let chunk = self.response.chunk().await.unwrap();
            let chunk = chunk.expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// A job from its start to its end, as a reader of each level hears of it.
#[tokio::test]
async fn a_reader_hears_what_its_level_lets_through() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let other = api.workflow().await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &[])]).await;
    let mut all = Stream::open(api, flow, "").await;
    let mut errors = Stream::open(api, flow, "?level=ERROR").await;
    let headers = all.response.headers();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(headers["x-accel-buffering"], "no");

    let node = api.compute_node(flow).await;
    api.compute_node(other).await;
    api.initialize(flow).await;
    api.post(&format!("/workflows/{flow}/claim_next_jobs"), Value::Null)
        .await;
    for (job, status, code) in [(jobs[0], "completed", 0), (jobs[1], "failed", 3)] {
        api.send(&format!("PUT /jobs/{job}/start_job/0/{node}"), &Value::Null)
            .await
            .ok();
        let path = format!("/jobs/{job}/complete_job/{status}/0");
        api.post(&path, result(flow, job, node, status, code)).await;
    }

    let (event, frame) = all.frame().await;
    assert_eq!(event, "compute_node_started");
    assert_eq!(frame["workflow_id"], flow);
    assert_eq!(frame["severity"], "info");
    assert!(frame["timestamp"].is_i64());
    assert_eq!(frame["data"]["compute_node_id"], node);
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(all.frame().await.0);
    }
    assert_eq!(
        heard,
        [
            "workflow_reinitialized",
            "job_started",
            "job_completed",
            "job_started",
            "job_failed"
        ]
    );
    let (event, frame) = errors.frame().await;
    assert_eq!(event, "job_failed");
    assert_eq!(frame["event_type"], "job_failed");
    assert_eq!(frame["severity"], "error");
    let data = json!({"job_id": jobs[1], "job_name": "b", "status": "failed", "return_code": 3});
    assert_eq!(frame["data"], data);
    server.stop().await;
}

/// A stream of a workflow that is not there is refused before it begins.
#[tokio::test]
async fn an_unknown_workflow_has_no_stream() {
    let server = TestServer::start().await;
    let answer = server
        .api
        .send("GET /workflows/7/events/stream", &Value::Null)
        .await;
    assert_eq!(answer.status, 404);
    assert!(answer.body["error"]["message"].is_string(), "{answer:?}");
    server.stop().await;
}

/// A reader that does not read is told how much it missed, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_what_it_missed() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let mut stream = Stream::open(api, flow, "").await;
    // Enough to fill the buffers of both sockets and the channel behind them.
    let host = "h".repeat(60_000);
    let node = json!({
        "workflow_id": flow, "hostname": host, "pid": 1, "start_time": "2026-01-01T00:00:00Z",
        "num_cpus": 1, "memory_gb": 1.0, "num_gpus": 0, "num_nodes": 1,
        "compute_node_type": "local", "is_active": true,
    });
    for _ in 0..900 {
        api.post("/compute_nodes", node.clone()).await;
    }
    let (mut dropped, mut heard) = (0, 0);
    while heard + dropped < 900 {
        match stream.frame().await {
            (event, data) if event == "warning" => dropped += data["dropped"].as_i64().unwrap(),
            (event, _) => {
                assert_eq!(event, "compute_node_started");
                heard += 1;
            }
        }
    }
    assert!(dropped > 0, "nothing was dropped");
    assert_eq!(heard + dropped, 900);
    server.stop().await;
}
