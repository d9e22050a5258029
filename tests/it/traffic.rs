//! What administrators see of requests.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::server::TestServer;

/// The live stream of requests.
struct Stream {
    response: reqwest::Response,
    bytes: Vec<u8>,
}

impl Stream {
    async fn open(api: &Api, query: &str) -> Self {
        let url = format!("{}/admin/api-events/stream{query}", api.url());
        let response = http::get(url).await.unwrap();
        assert_eq!(response.status(), 200);
        Self {
            response,
            bytes: Vec::new(),
        }
    }

    /// The next request on it to this path.
    async fn of(&mut self, path: &str) -> Value {
        loop {
            while let Some(end) = self.bytes.windows(2).position(|two| two == b"\n\n") {
                let frame: Vec<u8> = self.bytes.drain(..end + 2).collect();
                let data = frame.strip_prefix(b"event: api\ndata: ").unwrap();
                let event: Value = serde_json::from_slice(data).unwrap();
                if event["path"] == format!("/torc-service/v1{path}") {
                    return event;
                }
            }
            let chunk = self.response.chunk().await.unwrap().unwrap();
            self.bytes.extend_from_slice(&chunk);
        }
    }
}

#[tokio::test]
async fn requests_are_streamed_with_bodies_for_who_asks() {
    let server = TestServer::start().await;
    let api = &server.api;
    let mut plain = Stream::open(api, "").await;
    let mut full = Stream::open(api, "?include_bodies=true").await;
    let body = json!({"name": "ü".repeat(5000), "user": "u"}).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-torc-client-user", "ada"),
    ];
    let request = "POST /workflows?x=1";
    let answer = api.send_raw(request, Some(body.clone()), &headers).await;
    assert_eq!(answer.status, 200);
    let event = plain.of("/workflows").await;
    assert_eq!(event["method"], "POST");
    assert_eq!(event["query"], "x=1");
    assert_eq!(event["status"], 200);
    assert_eq!(event["user"], "ada");
    assert!(event["request_id"].is_string() && event["latency_ms"].is_number());
    assert_eq!(
        (event.get("request_body"), event.get("response_body")),
        (None, None)
    );
    let event = full.of("/workflows").await;
    assert_eq!(event["request_body"]["bytes"], body.len());
    assert_eq!(event["request_body"]["truncated"], true);
    let shown = event["request_body"]["text"].as_str().unwrap();
    assert!(body.starts_with(shown) && (8191..=8192).contains(&shown.len()));
    let text = event["response_body"]["text"].as_str().unwrap();
    assert!(text.contains("\"id\":1"), "{text}");

    // What is no text is counted, not shown; a request that fails is told as well.
    let answer = api.send("GET /jobs/77", &Value::Null).await;
    assert_eq!(answer.status, 404);
    assert_eq!(plain.of("/jobs/77").await["status"], 404);
    server.stop().await;
}

#[tokio::test]
async fn requests_and_bytes_are_counted_by_the_second() {
    let server = TestServer::start().await;
    let api = &server.api;
    let body = json!({"name": "w", "user": "u"}).to_string();
    let created = api
        .post("/workflows", serde_json::from_str(&body).unwrap())
        .await;
    for _ in 0..3 {
        api.send("GET /workflows/77", &Value::Null).await;
    }
    let stats = api.get("/admin/api-stats").await;
    assert_eq!(stats["interval_seconds"], 60);
    assert_eq!(stats["window_seconds"], 3600);
    let buckets = stats["buckets"].as_array().unwrap();
    assert_eq!(buckets.len(), 60);
    let sum = |name: &str| -> u64 { buckets.iter().map(|it| it[name].as_u64().unwrap()).sum() };
    assert_eq!(
        (sum("request_count"), sum("status_2xx"), sum("status_4xx")),
        (4, 1, 3)
    );
    assert_eq!(sum("bytes_in"), body.len() as u64);
    assert!(sum("bytes_out") > created.to_string().len() as u64);
    let start = buckets[0]["start_ms"].as_i64().unwrap();
    assert_eq!(start % 60_000, 0);
    assert_eq!(buckets[1]["start_ms"].as_i64().unwrap(), start - 60_000);
    for (query, interval, window, count) in [
        ("?interval_seconds=0", 1, 3600, 3600),
        ("?window_seconds=5&interval_seconds=10", 10, 10, 1),
        (
            "?window_seconds=999999&interval_seconds=1800",
            1800,
            3600,
            2,
        ),
        (
            "?window_seconds=-1&interval_seconds=-9223372036854775808",
            1,
            1,
            1,
        ),
    ] {
        let stats = api.get(&format!("/admin/api-stats{query}")).await;
        assert_eq!(stats["interval_seconds"], interval, "{query}");
        assert_eq!(stats["window_seconds"], window, "{query}");
        assert_eq!(stats["buckets"].as_array().unwrap().len(), count, "{query}");
    }
    server.stop().await;
}
