//! A server under load, asked as a browser's user and a program ask.

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::api::Api;
use super::http;
use super::process::ServerProcess;

/// A server with callers that write and read until it is dropped.
pub struct Loaded {
    /// Where its database is, `x.db`.
    pub directory: TempDir,
    /// The server.
    pub server: ServerProcess,
    callers: Vec<JoinHandle<()>>,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.callers.iter().for_each(JoinHandle::abort);
    }
}

impl Loaded {
    /// Starts both.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(directory.path(), &["-d", "x.db"]);
        let api = server.api();
        let workflow = api.workflow().await;
        let callers = (0..3).map(|n| tokio::spawn(call(api.clone(), workflow, n)));
        Self {
            callers: callers.collect(),
            directory,
            server,
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.server.port())
    }

    /// Asks as a program does; answers status, type and body.
    pub async fn ask(&self, path: &str, accept: Option<&str>) -> (u16, String, String) {
        let mut request = http::client().get(self.url(path));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        (status, kind, answer.text().await.unwrap())
    }

    /// The JSON of a page that there is.
    pub async fn json(&self, path: &str) -> Value {
        let (status, _, text) = self.ask(path, None).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// One caller: many jobs at once, some alone, lists, claims.
async fn call(api: Api, workflow: i64, caller: u32) {
    for round in 0.. {
        let jobs: Vec<Value> = (0..200)
            .map(|n| {
                let name = format!("{caller}_{round}_{n}");
                json!({"workflow_id": workflow, "name": name, "command": "true"})
            })
            .collect();
        api.send("POST /bulk_jobs", &json!({ "jobs": jobs })).await;
        for n in 0..20 {
            let name = format!("{caller}_{round}_one_{n}");
            let job = json!({"workflow_id": workflow, "name": name, "command": "true"});
            api.send("POST /jobs", &job).await;
        }
        api.get(&format!("/jobs?workflow_id={workflow}&limit=10"))
            .await;
    }
}
