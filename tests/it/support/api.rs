//! A bare HTTP client for tests: requests as they are on the wire, answers as JSON.

use serde_json::{Value, json};

use super::http;

/// Talks to one server.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    root: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body; text where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}

impl Api {
    /// For the server at `root`, such as `http://127.0.0.1:8080`.
    pub fn new(root: &str) -> Self {
        Self {
            http: http::client(),
            root: root.to_owned(),
        }
    }

    /// The base URL of the API.
    pub fn url(&self) -> String {
        format!("{}/torc-service/v1", self.root)
    }

    /// The address without the API's path.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Sends `METHOD /path` with a body, unless it is null.
    pub async fn send(&self, request: &str, body: &Value) -> Answer {
        let raw = (!body.is_null()).then(|| body.to_string());
        self.send_raw(request, raw, &[("content-type", "application/json")])
            .await
    }

    /// Sends `METHOD /path` with a body of any text and headers.
    pub async fn send_raw(
        &self,
        request: &str,
        body: Option<String>,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        self.try_send_raw(request, body, headers).await.unwrap()
    }

    /// The same where the connection may end before the answer was read, as it may when
    /// a body is refused unread.
    pub async fn try_send_raw(
        &self,
        request: &str,
        body: Option<String>,
        headers: &[(&'static str, &str)],
    ) -> reqwest::Result<Answer> {
        let (method, path) = request.split_once(' ').unwrap();
        let mut builder = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.url()));
        if let Some(body) = body {
            builder = builder.body(body);
            for (name, value) in headers {
                builder = builder.header(*name, *value);
            }
        } else {
            for (name, value) in headers.iter().filter(|(name, _)| *name != "content-type") {
                builder = builder.header(*name, *value);
            }
        }
        let response = builder.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body })
    }

    /// A `GET` that succeeds.
    pub async fn get(&self, path: &str) -> Value {
        self.send(&format!("GET {path}"), &Value::Null).await.ok()
    }

    /// A `POST` that succeeds.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.send(&format!("POST {path}"), &body).await.ok()
    }

    /// A new workflow's id.
    pub async fn workflow(&self) -> i64 {
        let workflow = self
            .post("/workflows", json!({"name": "w", "user": "u"}))
            .await;
        workflow["id"].as_i64().unwrap()
    }

    /// Jobs named as given, each after the named earlier ones; answers their ids.
    pub async fn jobs(&self, workflow: i64, jobs: &[(&str, &[&str])]) -> Vec<i64> {
        let mut ids: Vec<i64> = Vec::new();
        for (name, after) in jobs {
            let depends_on: Vec<i64> = after
                .iter()
                .map(|name| ids[jobs.iter().position(|(other, _)| other == name).unwrap()])
                .collect();
            let job = json!({
                "workflow_id": workflow, "name": name, "command": "true",
                "depends_on_job_ids": depends_on,
            });
            ids.push(self.post("/jobs", job).await["id"].as_i64().unwrap());
        }
        ids
    }

    /// Initialises a workflow.
    pub async fn initialize(&self, workflow: i64) {
        self.post(
            &format!("/workflows/{workflow}/initialize_jobs"),
            Value::Null,
        )
        .await;
    }

    /// A new compute node's id.
    pub async fn compute_node(&self, workflow: i64) -> i64 {
        let node = json!({
            "workflow_id": workflow, "hostname": "h", "pid": 1,
            "start_time": "2026-01-01T00:00:00Z", "num_cpus": 4, "memory_gb": 8.0,
            "num_gpus": 0, "num_nodes": 1, "compute_node_type": "local", "is_active": true,
        });
        self.post("/compute_nodes", node).await["id"]
            .as_i64()
            .unwrap()
    }

    /// A job of a new workflow, claimed and started by a compute node. Answers the three.
    pub async fn running_job(&self) -> (i64, i64, i64) {
        let flow = self.workflow().await;
        let job = self.jobs(flow, &[("a", &[])]).await[0];
        self.initialize(flow).await;
        let node = self.compute_node(flow).await;
        let claim = format!("/workflows/{flow}/claim_next_jobs?limit=1");
        self.post(&claim, Value::Null).await;
        let start = format!("PUT /jobs/{job}/start_job/0/{node}");
        self.send(&start, &Value::Null).await.ok();
        (flow, job, node)
    }

    /// The status of a job.
    pub async fn status(&self, job: i64) -> String {
        self.get(&format!("/jobs/{job}")).await["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// A result of a job in run 0.
pub fn result(workflow: i64, job: i64, node: i64, status: &str, return_code: i64) -> Value {
    json!({
        "job_id": job, "workflow_id": workflow, "run_id": 0, "attempt_id": 1,
        "compute_node_id": node, "return_code": return_code, "exec_time_minutes": 0.25,
        "completion_time": "2026-01-01T00:10:00.000Z", "status": status,
    })
}
