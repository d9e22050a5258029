//! Claims: who gets which jobs, in which order, and nobody twice.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::server::TestServer;

fn ids(answer: &Value) -> Vec<i64> {
    answer["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_i64().unwrap())
        .collect()
}

async fn by_resources(api: &Api, flow: i64, limit: i64, offer: Value) -> Vec<i64> {
    let path = format!("/workflows/{flow}/claim_jobs_based_on_resources/{limit}");
    ids(&api.post(&path, offer).await)
}

async fn requirements(api: &Api, flow: i64, name: &str, cpus: i64, memory: &str) -> i64 {
    let body = json!({"workflow_id": flow, "name": name, "num_cpus": cpus, "memory": memory,
                      "runtime": "PT1M"});
    api.post("/resource_requirements", body).await["id"]
        .as_i64()
        .unwrap()
}

async fn job(api: &Api, flow: i64, more: Value) -> i64 {
    let mut body = json!({"workflow_id": flow, "name": "j", "command": "true"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    api.post("/jobs", body).await["id"].as_i64().unwrap()
}

/// Many workers at once: every job goes to exactly one of them.
#[tokio::test]
async fn no_job_is_claimed_twice() {
    let server = TestServer::start().await;
    let api = server.api.clone();
    let flow = api.workflow().await;
    let jobs: Vec<Value> = (0..300)
        .map(|n| json!({"workflow_id": flow, "name": format!("j{n}"), "command": "true"}))
        .collect();
    api.post("/bulk_jobs", json!({"jobs": jobs})).await;
    api.initialize(flow).await;
    let workers = (0..16).map(|worker| {
        let api = api.clone();
        async move {
            let mut mine = Vec::new();
            loop {
                let got = if worker % 2 == 0 {
                    let path = format!("/workflows/{flow}/claim_next_jobs?limit=3");
                    ids(&api.post(&path, Value::Null).await)
                } else {
                    let offer =
                        json!({"num_cpus": 2, "memory_gb": 1.0, "num_gpus": 0, "num_nodes": 1});
                    by_resources(&api, flow, 5, offer).await
                };
                if got.is_empty() {
                    return mine;
                }
                mine.extend(got);
            }
        }
    });
    let claimed: Vec<i64> = futures_util::future::join_all(workers).await.concat();
    assert_eq!(claimed.len(), 300);
    assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), 300);
    server.stop().await;
}

/// Priority first, then the largest needs, then age; what does not fit is skipped.
#[tokio::test]
async fn claims_pack_what_fits_in_order() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let big = requirements(api, flow, "big", 3, "1g").await;
    let small = requirements(api, flow, "small", 1, "1g").await;
    let huge = requirements(api, flow, "huge", 64, "1g").await;
    let first_small = job(api, flow, json!({"resource_requirements_id": small})).await;
    let first_big = job(api, flow, json!({"resource_requirements_id": big})).await;
    job(api, flow, json!({"resource_requirements_id": big})).await;
    job(
        api,
        flow,
        json!({"resource_requirements_id": huge, "priority": 9}),
    )
    .await;
    let urgent = job(
        api,
        flow,
        json!({"resource_requirements_id": small, "priority": 5}),
    )
    .await;
    api.initialize(flow).await;
    let offer = json!({"num_cpus": 5, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1});
    // 1 for the urgent one, 3 for one big; the second big does not fit, a small one does.
    assert_eq!(
        by_resources(api, flow, 10, offer).await,
        [urgent, first_big, first_small]
    );
    server.stop().await;
}

/// Workers without labels take unlabeled jobs, workers with labels only jobs whose labels they all have.
#[tokio::test]
async fn labels_decide_who_may_claim() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let plain = job(api, flow, json!({})).await;
    let a = job(api, flow, json!({"labels": ["a"]})).await;
    let ab = job(api, flow, json!({"labels": ["a", "b"]})).await;
    api.initialize(flow).await;
    let next = async |labels: &str| {
        let path = format!("/workflows/{flow}/claim_next_jobs?limit=10&labels={labels}");
        ids(&api.post(&path, Value::Null).await)
    };
    assert_eq!(next("b").await, Vec::<i64>::new());
    assert_eq!(next("a").await, [a]);
    assert_eq!(next("a,b,c").await, [ab]);
    assert_eq!(next("").await, [plain]);
    server.stop().await;
}

/// Jobs of another scheduler are taken only when there are no others and nobody insists.
#[tokio::test]
async fn other_schedulers_jobs_come_last() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let theirs = job(api, flow, json!({"scheduler_id": 7})).await;
    let free = job(api, flow, json!({})).await;
    api.initialize(flow).await;
    let offer = json!({"num_cpus": 4, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1});
    assert_eq!(by_resources(api, flow, 10, offer.clone()).await, [free]);
    let strict =
        format!("/workflows/{flow}/claim_jobs_based_on_resources/10?strict_scheduler_match=true");
    assert_eq!(
        ids(&api.post(&strict, offer.clone()).await),
        Vec::<i64>::new()
    );
    assert_eq!(by_resources(api, flow, 10, offer).await, [theirs]);
    server.stop().await;
}

/// A claim whose answer was lost is repeated under its key, and answers the same jobs.
#[tokio::test]
async fn a_repeated_claim_answers_the_same_jobs() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    for _ in 0..5 {
        job(api, flow, json!({})).await;
    }
    api.initialize(flow).await;
    let claim = async |key: &str| {
        let request = format!("POST /workflows/{flow}/claim_next_jobs?limit=2");
        ids(&api
            .send_raw(&request, None, &[("idempotency-key", key)])
            .await
            .ok())
    };
    let first = claim("k1").await;
    assert_eq!(first.len(), 2);
    assert_eq!(claim("k1").await, first);
    let second = claim("k2").await;
    assert!(second.iter().all(|id| !first.contains(id)));
    server.stop().await;
}

/// The key stands for its jobs as long as they are the claimer's, also when one of them
/// has been started; a key that cannot be kept is refused.
#[tokio::test]
async fn a_key_outlives_the_start_of_its_jobs() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let node = api.compute_node(flow).await;
    for _ in 0..4 {
        job(api, flow, json!({})).await;
    }
    api.initialize(flow).await;
    let claim = async |key: &str| {
        let request = format!("POST /workflows/{flow}/claim_next_jobs?limit=2");
        api.send_raw(&request, None, &[("idempotency-key", key)])
            .await
    };
    let first = ids(&claim("k").await.ok());
    for job in &first {
        let start = format!("PUT /jobs/{job}/start_job/0/{node}");
        api.send(&start, &Value::Null).await.ok();
        assert_eq!(ids(&claim("k").await.ok()), first);
    }
    let longest = "k".repeat(200);
    let refused = claim(&format!("{longest}k")).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(ids(&claim(&longest).await.ok()).len(), 2);
    server.stop().await;
}

/// A scheduler's number 0 is how an absent one is shown: such a job is anybody's, also
/// after it was read and sent back unchanged.
#[tokio::test]
async fn a_job_sent_back_as_it_was_read_stays_as_it_was() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let plain = job(api, flow, json!({})).await;
    let zero = job(
        api,
        flow,
        json!({"scheduler_id": 0, "failure_handler_id": 0}),
    )
    .await;
    let row = |id: i64| {
        server
            .sql()
            .query_row(
                "SELECT name || command || ifnull(scheduler_id, '-') || ifnull(failure_handler_id, '-') \
                 || ifnull(invocation_script, '-') || priority || status FROM job WHERE id = ?",
                [id],
                |row| row.get::<_, String>(0),
            )
            .unwrap()
    };
    assert_eq!(row(plain), row(zero));
    let read = api.get(&format!("/jobs/{plain}")).await;
    assert_eq!(read["scheduler_id"], 0);
    api.send(&format!("PUT /jobs/{plain}"), &read).await.ok();
    assert_eq!(row(plain), row(zero));

    api.initialize(flow).await;
    let strict =
        format!("/workflows/{flow}/claim_jobs_based_on_resources/10?strict_scheduler_match=true");
    let offer = json!({"num_cpus": 4, "memory_gb": 8.0, "num_gpus": 0, "num_nodes": 1});
    assert_eq!(ids(&api.post(&strict, offer).await), [plain, zero]);
    server.stop().await;
}

/// What is wrong is told in the order of the contract: who is asked, then what is asked.
#[tokio::test]
async fn refusals_come_in_order() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let claim = async |flow: i64, limit: i64, more: Value| {
        let mut offer = json!({"num_cpus": 1, "memory_gb": 1.0, "num_gpus": 0, "num_nodes": 1});
        offer
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let request = format!("POST /workflows/{flow}/claim_jobs_based_on_resources/{limit}");
        api.send(&request, &offer).await.status
    };
    let odd = json!({"time_limit": "soon"});
    assert_eq!(claim(99, 1, odd.clone()).await, 404);
    assert_eq!(claim(flow, 1, json!({"labels": [" a"]})).await, 422);
    assert_eq!(claim(flow, 1, odd.clone()).await, 422);
    assert_eq!(claim(flow, 0, odd.clone()).await, 200);
    assert_eq!(claim(flow, i64::MAX, json!({})).await, 200);
    api.send(&format!("PUT /workflows/{flow}/cancel"), &Value::Null)
        .await
        .ok();
    assert_eq!(claim(flow, 1, odd).await, 200);
    server.stop().await;
}

/// Sums beyond what an integer holds are answered as the largest one, not as a failure.
#[tokio::test]
async fn enormous_needs_can_be_summed_up() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let huge = requirements(api, flow, "huge", i64::MAX, "8000000t").await;
    for _ in 0..2 {
        job(api, flow, json!({"resource_requirements_id": huge})).await;
    }
    api.initialize(flow).await;
    let needs = api
        .get(&format!("/workflows/{flow}/ready_job_requirements"))
        .await;
    assert_eq!(needs["num_jobs"], 2);
    assert_eq!(needs["num_cpus"], i64::MAX);
    server.stop().await;
}

/// What another workflow has, or the job itself, is nothing to refer to.
#[tokio::test]
async fn references_stay_within_the_workflow() {
    let server = TestServer::start().await;
    let api = &server.api;
    let (flow, other) = (api.workflow().await, api.workflow().await);
    let node = api.compute_node(flow).await;
    let theirs = requirements(api, other, "theirs", 1, "1m").await;
    let mine = job(api, flow, json!({})).await;
    let mut changed = api.get(&format!("/jobs/{mine}")).await;
    changed["resource_requirements_id"] = json!(theirs);
    let update = format!("PUT /jobs/{mine}");
    assert_eq!(api.send(&update, &changed).await.status, 422);
    let mut changed = api.get(&format!("/jobs/{mine}")).await;
    changed["depends_on_job_ids"] = json!([mine]);
    assert_eq!(api.send(&update, &changed).await.status, 422);
    let body = json!({"workflow_id": flow, "name": "n", "command": "true",
                      "resource_requirements_id": theirs});
    assert_eq!(api.send("POST /jobs", &body).await.status, 422);
    let about_mine = crate::support::api::result(other, mine, node, "completed", 0);
    assert_eq!(api.send("POST /results", &about_mine).await.status, 422);
    let jobs = api.get(&format!("/jobs?workflow_id={flow}")).await;
    assert_eq!(jobs["total_count"], 1);
    server.stop().await;
}
