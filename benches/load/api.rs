//! The calls of the contract that the scenarios make, on a connection of their own.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Outcome;
use super::args::Claim;
use super::http::Connection;

/// The run of a workflow that was initialised and never reset.
const RUN: i64 = 0;
/// When every job ended; servers store it and look no further.
const ENDED: &str = "2026-01-01T00:00:00.000Z";
/// More than any scenario claims at once, so that the limit alone decides.
const OFFER: &[u8] = br#"{"num_cpus":1000000,"memory_gb":1000000.0,"num_gpus":0,"num_nodes":1}"#;

/// A caller with a connection.
pub struct Api {
    conn: Connection,
    text: String,
}

/// How a workflow stands, as far as a check needs it.
#[derive(Debug, Deserialize)]
pub struct Status {
    /// Whether the server counts it as over.
    pub is_complete: bool,
    /// Jobs by the names of statuses.
    pub jobs_by_status: std::collections::BTreeMap<String, i64>,
}

#[derive(Deserialize)]
struct Id {
    id: i64,
}

#[derive(Deserialize)]
struct Jobs {
    #[serde(default)]
    jobs: Vec<Id>,
}

#[derive(Deserialize)]
struct Files {
    #[serde(default)]
    files: Vec<Id>,
}

#[derive(Deserialize)]
struct Ended {
    completed: Vec<i64>,
}

#[derive(Deserialize)]
struct Total {
    total_count: i64,
}

impl Api {
    /// A caller with a new connection to `host`.
    pub async fn open(host: &str) -> Outcome<Self> {
        Ok(Self {
            conn: Connection::open(host).await?,
            text: String::new(),
        })
    }

    /// Makes a workflow and a compute node for its workers; answers both ids.
    pub async fn create_workflow(&mut self) -> Outcome<(i64, i64)> {
        let body = br#"{"name":"load","user":"load"}"#;
        let flow = self.conn.ok("POST", format_args!("/workflows"), body).await;
        let flow: Id = serde_json::from_slice(flow?)?;
        let body = format!(
            r#"{{"workflow_id":{},"hostname":"load","pid":1,"start_time":"{ENDED}","num_cpus":64,
               "memory_gb":64.0,"num_gpus":0,"num_nodes":1,"compute_node_type":"local","is_active":true}}"#,
            flow.id
        );
        let path = format_args!("/compute_nodes");
        let node = self.conn.ok("POST", path, body.as_bytes()).await?;
        let node: Id = serde_json::from_slice(node)?;
        Ok((flow.id, node.id))
    }

    /// Makes the `nth` of a workflow's resource requirements.
    pub async fn create_needs(&mut self, flow: i64, nth: usize) -> Outcome<i64> {
        let body = format!(
            r#"{{"workflow_id":{flow},"name":"kind{nth}","num_cpus":{},"num_gpus":0,"num_nodes":1,
               "memory":"{}m","runtime":"PT{}M"}}"#,
            nth % 8 + 1,
            nth % 16 + 1,
            nth % 30 + 1
        );
        let path = format_args!("/resource_requirements");
        let made = self.conn.ok("POST", path, body.as_bytes()).await?;
        Ok(serde_json::from_slice::<Id>(made)?.id)
    }

    /// Creates jobs; answers their ids, and how long the server took.
    pub async fn create_jobs(&mut self, body: &[u8]) -> Outcome<(Vec<i64>, Duration)> {
        let begun = Instant::now();
        let made = self.conn.ok("POST", format_args!("/bulk_jobs"), body);
        let made = made.await?;
        let took = begun.elapsed();
        let made: Jobs = serde_json::from_slice(made)?;
        Ok((made.jobs.into_iter().map(|job| job.id).collect(), took))
    }

    /// Creates files; answers their ids.
    pub async fn create_files(&mut self, body: &[u8]) -> Outcome<Vec<i64>> {
        let made = self.conn.ok("POST", format_args!("/bulk_files"), body);
        let made: Files = serde_json::from_slice(made.await?)?;
        Ok(made.files.into_iter().map(|file| file.id).collect())
    }

    /// Initialises a workflow; answers how long the server took.
    pub async fn initialize(&mut self, flow: i64) -> Outcome<Duration> {
        let begun = Instant::now();
        let path = format_args!("/workflows/{flow}/initialize_jobs");
        self.conn.ok("POST", path, b"").await?;
        Ok(begun.elapsed())
    }

    /// Claims up to `limit` jobs into `ids`.
    pub async fn claim(
        &mut self,
        flow: i64,
        way: Claim,
        limit: usize,
        ids: &mut Vec<i64>,
    ) -> Outcome<()> {
        let answer = match way {
            Claim::Next => {
                let path = format_args!("/workflows/{flow}/claim_next_jobs?limit={limit}");
                self.conn.ok("POST", path, b"").await?
            }
            Claim::Resources => {
                let path = format_args!("/workflows/{flow}/claim_jobs_based_on_resources/{limit}");
                self.conn.ok("POST", path, OFFER).await?
            }
        };
        let claimed: Jobs = serde_json::from_slice(answer)?;
        ids.clear();
        ids.extend(claimed.jobs.into_iter().map(|job| job.id));
        Ok(())
    }

    /// Starts a claimed job.
    pub async fn start(&mut self, job: i64, node: i64) -> Outcome<()> {
        let path = format_args!("/jobs/{job}/start_job/{RUN}/{node}");
        self.conn.ok("PUT", path, b"").await?;
        Ok(())
    }

    /// Completes a job.
    pub async fn complete(&mut self, flow: i64, node: i64, job: i64) -> Outcome<()> {
        self.text.clear();
        write_result(&mut self.text, flow, node, job)?;
        let path = format_args!("/jobs/{job}/complete_job/completed/{RUN}");
        self.conn.ok("POST", path, self.text.as_bytes()).await?;
        Ok(())
    }

    /// Completes several jobs in one request, which must accept them all.
    pub async fn complete_all(&mut self, flow: i64, node: i64, jobs: &[i64]) -> Outcome<()> {
        self.text.clear();
        self.text.push_str(r#"{"completions":["#);
        for (nth, job) in jobs.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            write!(
                self.text,
                r#"{comma}{{"job_id":{job},"status":"completed","run_id":{RUN},"result":"#
            )?;
            write_result(&mut self.text, flow, node, *job)?;
            self.text.push('}');
        }
        self.text.push_str("]}");
        let path = format_args!("/workflows/{flow}/batch_complete_jobs");
        let answer = self.conn.ok("POST", path, self.text.as_bytes()).await?;
        let ended: Ended = serde_json::from_slice(answer)?;
        if ended.completed.len() == jobs.len() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&answer[..answer.len().min(300)]);
        Err(format!("not all of a batch were completed: {text}").into())
    }

    /// Makes a claimed job ready again.
    pub async fn make_ready(&mut self, job: i64) -> Outcome<()> {
        let path = format_args!("/jobs/{job}/manage_status_change/ready/{RUN}");
        self.conn.ok("PUT", path, b"").await?;
        Ok(())
    }

    /// How a workflow stands.
    pub async fn status(&mut self, flow: i64) -> Outcome<Status> {
        let path = format_args!("/workflows/{flow}/status");
        Ok(serde_json::from_slice(
            self.conn.ok("GET", path, b"").await?,
        )?)
    }

    /// How many results a workflow has.
    pub async fn results(&mut self, flow: i64) -> Outcome<i64> {
        let path = format_args!("/results?workflow_id={flow}&limit=1");
        let page: Total = serde_json::from_slice(self.conn.ok("GET", path, b"").await?)?;
        Ok(page.total_count)
    }
}

fn write_result(text: &mut String, flow: i64, node: i64, job: i64) -> std::fmt::Result {
    write!(
        text,
        r#"{{"job_id":{job},"workflow_id":{flow},"run_id":{RUN},"attempt_id":1,"compute_node_id":{node},"return_code":0,"exec_time_minutes":0.01,"completion_time":"{ENDED}","status":"completed"}}"#
    )
}
