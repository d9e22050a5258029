//! The beginning of a run: which jobs become ready, which wait, and that of many who
//! start a workflow at one time a single one does.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::server::TestServer;

async fn statuses(api: &Api, flow: i64) -> Vec<String> {
    let page = api.get(&format!("/jobs?workflow_id={flow}")).await;
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|job| job["status"].as_str().unwrap().to_owned())
        .collect()
}

/// An ended job whose blocker must run again must run again too, and so must what is
/// behind it, however far.
#[tokio::test]
async fn what_is_behind_an_unfinished_job_waits() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let chain: [(&str, &[&str]); 4] = [("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"])];
    api.jobs(flow, &chain).await;
    server
        .sql()
        .execute_batch("UPDATE job SET status = 5 WHERE name = 'b'")
        .unwrap();
    api.initialize(flow).await;
    let blocked = "blocked";
    assert_eq!(
        statuses(api, flow).await,
        ["ready", blocked, blocked, blocked]
    );
    server.stop().await;
}

/// Jobs with links to earlier ones, and the statuses in which they stand.
fn workflow() -> impl Strategy<Value = Vec<(Vec<usize>, i64)>> {
    proptest::collection::vec((any::<u16>(), 0..=10_i64), 1..9).prop_map(|seeds| {
        seeds
            .iter()
            .enumerate()
            .map(|(at, (bits, status))| {
                let after = (0..at).filter(|earlier| bits >> earlier & 1 == 1).collect();
                (after, *status)
            })
            .collect()
    })
}

async fn begin(server: &TestServer, jobs: &[(Vec<usize>, i64)]) -> Result<(), TestCaseError> {
    let api = &server.api;
    let flow = api.workflow().await;
    let mut ids: Vec<i64> = Vec::new();
    for (at, (after, _)) in jobs.iter().enumerate() {
        let depends_on: Vec<i64> = after.iter().map(|earlier| ids[*earlier]).collect();
        let job = json!({"workflow_id": flow, "name": format!("j{at}"), "command": "true",
                         "depends_on_job_ids": depends_on});
        ids.push(api.post("/jobs", job).await["id"].as_i64().unwrap());
    }
    {
        let sql = server.sql();
        for (id, (_, status)) in ids.iter().zip(jobs) {
            sql.execute("UPDATE job SET status = ?2 WHERE id = ?1", [id, status])
                .unwrap();
        }
    }
    api.initialize(flow).await;
    let now = statuses(api, flow).await;
    let ended = |at: &usize| ["completed", "failed", "canceled"].contains(&now[*at].as_str());
    for (at, (after, before)) in jobs.iter().enumerate() {
        let free = after.iter().all(ended);
        let expected = match before {
            _ if !free => vec!["blocked"],
            // As they were; blocked ones wait for an ending that looks at them.
            1 => vec!["blocked"],
            5 => vec!["completed"],
            6 => vec!["failed"],
            7 => vec!["canceled"],
            9 => vec!["disabled"],
            _ => vec!["ready"],
        };
        prop_assert!(
            expected.contains(&now[at].as_str()),
            "job {} of {:?} became {:?}",
            at,
            jobs,
            now
        );
    }
    Ok(())
}

/// From whatever statuses a full initialisation starts: who waits for an unfinished job
/// is blocked, and nobody else.
#[test]
fn a_full_initialisation_leaves_nobody_ahead_of_what_it_waits_for() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&workflow(), |jobs| runtime.block_on(begin(&server, &jobs)))
        .unwrap();
    runtime.block_on(server.stop());
}

/// Many start a workflow at one time, and some have claimed before others come: the run
/// begins once, and no claimed job becomes ready again.
#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_started_once() {
    let server = TestServer::start().await;
    let api = server.api.clone();
    let flow = api.workflow().await;
    api.jobs(flow, &[("a", &[]), ("b", &[]), ("c", &["a"])])
        .await;
    let start = format!("POST /workflows/{flow}/initialize_jobs?if_uninitialized=true");
    let workers = (0..10).map(|_| {
        let (api, start) = (api.clone(), start.clone());
        tokio::spawn(async move {
            api.send(&start, &Value::Null).await.ok();
            let claim = format!("/workflows/{flow}/claim_next_jobs?limit=1");
            let jobs = api.post(&claim, Value::Null).await;
            jobs["jobs"].as_array().unwrap().len()
        })
    });
    let mut claimed = 0;
    for worker in workers.collect::<Vec<_>>() {
        claimed += worker.await.unwrap();
    }
    assert_eq!(claimed, 2, "jobs that were claimed");
    assert_eq!(
        statuses(&api, flow).await,
        ["pending", "pending", "blocked"]
    );
    let workflow = api.get(&format!("/workflows/{flow}")).await;
    assert_eq!(workflow["run_id"], 1);
    // Without the parameter it is the contract's, and begins no run.
    api.initialize(flow).await;
    assert_eq!(statuses(&api, flow).await, ["ready", "ready", "blocked"]);
    let workflow = api.get(&format!("/workflows/{flow}")).await;
    assert_eq!(workflow["run_id"], 1);
    server.stop().await;
}

/// Hashes that Torc left in a file say nothing about ours.
#[tokio::test]
async fn hashes_of_torc_do_not_look_like_changes() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    api.jobs(flow, &[("a", &[]), ("b", &[])]).await;
    api.initialize(flow).await;
    let process = format!("/workflows/{flow}/process_changed_job_inputs");
    server
        .sql()
        .execute_batch("UPDATE job_internal SET input_hash = hex(randomblob(32)) WHERE job_id = 1")
        .unwrap();
    let changed = api.post(&process, Value::Null).await;
    assert_eq!(changed["reinitialized_jobs"], json!([]));
    server
        .sql()
        .execute_batch("UPDATE job SET command = 'false' WHERE name = 'b'")
        .unwrap();
    let changed = api.post(&process, Value::Null).await;
    assert_eq!(changed["reinitialized_jobs"], json!(["b"]));
    server.stop().await;
}
