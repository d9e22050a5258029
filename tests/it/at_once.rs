//! Many callers at once: each job has one worker, each ending one author, and what is
//! deleted is gone as a whole.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::server::TestServer;

async fn many_jobs(api: &Api, flow: i64, count: usize) {
    let jobs: Vec<Value> = (0..count)
        .map(|n| json!({"workflow_id": flow, "name": format!("j{n}"), "command": "true"}))
        .collect();
    api.post("/bulk_jobs", json!({"jobs": jobs})).await;
    api.initialize(flow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_claimers_never_get_a_job_twice() {
    const JOBS: usize = 2_000;
    let server = TestServer::start().await;
    let flow = server.api.workflow().await;
    many_jobs(&server.api, flow, JOBS).await;
    let claimers: Vec<_> = (0..64)
        .map(|n| {
            let api = server.api.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                // Both ways to claim, side by side.
                let (path, body) = if n % 2 == 0 {
                    (
                        format!("/workflows/{flow}/claim_next_jobs?limit=7"),
                        Value::Null,
                    )
                } else {
                    let room = json!({"num_cpus": 7, "memory_gb": 64.0, "num_gpus": 0,
                                      "num_nodes": 1});
                    (
                        format!("/workflows/{flow}/claim_jobs_based_on_resources/7"),
                        room,
                    )
                };
                loop {
                    let claimed = api.post(&path, body.clone()).await;
                    let jobs = claimed["jobs"].as_array().unwrap();
                    if jobs.is_empty() {
                        return mine;
                    }
                    mine.extend(jobs.iter().map(|job| job["id"].as_i64().unwrap()));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), JOBS);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), JOBS);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_completions_of_a_job_one_wins() {
    let server = TestServer::start().await;
    let api = &server.api;
    let (flow, job, node) = api.running_job().await;
    let calls: Vec<_> = (0..16)
        .map(|n| {
            let api = api.clone();
            let (status, code) = if n % 2 == 0 {
                ("completed", 0)
            } else {
                ("failed", 1)
            };
            let request = format!("POST /jobs/{job}/complete_job/{status}/0");
            let body = result(flow, job, node, status, code);
            tokio::spawn(async move { (status, api.send(&request, &body).await) })
        })
        .collect();
    let mut won = Vec::new();
    for call in calls {
        let (status, answer) = call.await.unwrap();
        match answer.status {
            200 => won.push(status),
            422 => {
                let message = answer.body["error"]["message"].as_str().unwrap().to_owned();
                assert!(message.contains("already complete"), "{message}");
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(api.status(job).await, won[0]);
    let results = api
        .get(&format!("/results?workflow_id={flow}&all_runs=true"))
        .await;
    assert_eq!(results["total_count"], 1);
    server.stop().await;
}

/// Workers go on until they are told that the workflow is gone; every answer on the way is
/// a success or a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_under_load_is_gone_as_a_whole() {
    let server = TestServer::start().await;
    let api = &server.api;
    for _ in 0..3 {
        let flow = api.workflow().await;
        many_jobs(api, flow, 400).await;
        let node = api.compute_node(flow).await;
        let begun = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let (api, begun) = (api.clone(), Arc::clone(&begun));
                tokio::spawn(async move { work(&api, flow, node, &begun).await })
            })
            .collect();
        while !begun.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        api.send(&format!("DELETE /workflows/{flow}"), &Value::Null)
            .await
            .ok();
        for worker in workers {
            worker.await.unwrap();
        }
        let sql = server.sql();
        for table in [
            "workflow",
            "job",
            "result",
            "workflow_result",
            "compute_node",
            "event",
        ] {
            let left: i64 = sql
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(left, 0, "{table}");
        }
    }
    server.stop().await;
}

async fn work(api: &Api, flow: i64, node: i64, begun: &AtomicBool) {
    let refusal = |answer: &crate::support::api::Answer| {
        assert!(matches!(answer.status, 404 | 422), "{answer:?}");
    };
    loop {
        let claim = format!("POST /workflows/{flow}/claim_next_jobs?limit=3");
        let claimed = api.send(&claim, &Value::Null).await;
        if claimed.status != 200 {
            return refusal(&claimed);
        }
        let jobs = claimed.body["jobs"].as_array().unwrap().clone();
        for job in &jobs {
            let job = job["id"].as_i64().unwrap();
            let start = format!("PUT /jobs/{job}/start_job/0/{node}");
            let started = api.send(&start, &Value::Null).await;
            let end = format!("POST /jobs/{job}/complete_job/completed/0");
            let ended = api
                .send(&end, &result(flow, job, node, "completed", 0))
                .await;
            for answer in [started, ended] {
                if answer.status != 200 {
                    refusal(&answer);
                }
            }
            begun.store(true, Ordering::Relaxed);
        }
        if jobs.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
