//! What is wrong in the server's own work: one command that holds the writer, a blocked
//! thread, an index that is gone, workers that ask in vain. And a server that is well.

use serde_json::Value;

use crate::support::faults::{Load, Patient, many_jobs};
use crate::support::http;

/// Creates lists of 100,000 jobs, one after another, while others want a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_huge_bulk_create() {
    let patient = Patient::on_disk(|_| {});
    let api = patient.api();
    let _bulk = Load::of(2, move |_, _| {
        let api = api.clone();
        async move {
            let workflow = api.workflow().await;
            let job = |n| format!(r#"{{"workflow_id":{workflow},"name":"{n}","command":"true"}}"#);
            let jobs: Vec<String> = (0..100_000).map(job).collect();
            let request = http::client()
                .post(format!("{}/bulk_jobs", api.url()))
                .header("content-type", "application/json")
                .body(format!(r#"{{"jobs":[{}]}}"#, jobs.join(",")));
            // The answer, as long as the list, is not read: it would keep the client busy.
            assert!(request.send().await.unwrap().status().is_success());
        }
    });
    let _load = Load::small(16, &patient.api()).await;
    let diagnosis = patient.must_have("bulk-create-holds-writer");
    let verdict = diagnosis["verdict"].as_str().unwrap();
    assert!(verdict.contains("create_jobs"), "{verdict}");
}

/// The thread is blocked by the switch that exists for this test alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_worker_thread() {
    let patient = Patient::on_disk(|command| {
        command.env("TORC_FAULT", "block-worker:2s");
    });
    let api = patient.api();
    let blocked = http::get(format!("{}/debug/fault/block-worker", api.root()));
    assert!(blocked.await.unwrap().status().is_success());
    let diagnosis = patient.must_have("blocked-worker");
    let evidence = diagnosis["findings"][0]["evidence"].to_string();
    assert!(evidence.contains("the task on it"), "{evidence}");
}

/// The index under which a repeated claim is found again is dropped below the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_index() {
    let patient = Patient::in_memory();
    let api = patient.api();
    let workflow = api.workflow().await;
    api.post("/bulk_jobs", many_jobs(workflow, 30_000, "job"))
        .await;
    api.initialize(workflow).await;
    patient
        .sql()
        .execute_batch("DROP INDEX job_claim_token")
        .unwrap();
    let _load = Load::of(8, move |client, turn| {
        let api = api.clone();
        async move {
            let key = format!("{client}.{turn}");
            let request = format!("POST /workflows/{workflow}/claim_next_jobs?limit=1");
            let headers = [("idempotency-key", &*key)];
            let claimed = api.send_raw(&request, None, &headers).await;
            assert_eq!(claimed.status, 200, "{claimed:?}");
        }
    });
    let diagnosis = patient.must_have("table-scan");
    let verdict = diagnosis["verdict"].as_str().unwrap();
    assert!(verdict.contains("ready.claimed_with"), "{verdict}");
}

/// Workers that ask again at once, for jobs that are not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_workers_at_an_empty_queue() {
    let patient = Patient::in_memory();
    let api = patient.api();
    let workflow = api.workflow().await;
    let _load = Load::of(64, move |_, _| {
        let api = api.clone();
        async move {
            let request = format!("POST /workflows/{workflow}/claim_next_jobs?limit=10");
            api.send(&request, &Value::Null).await;
        }
    });
    patient.must_have("worker-storm-empty-queue");
}

/// The doctor cries no wolf: the load that the faults meet is none by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_is_called_healthy() {
    let patient = Patient::in_memory();
    let (diagnosis, code) = patient.examined();
    assert_eq!((code, diagnosis["state"].as_str()), (0, Some("idle")));
    let _load = Load::small(8, &patient.api()).await;
    let requests = |diagnosis: &Value| diagnosis["requests"].as_u64().unwrap();
    loop {
        let (diagnosis, code) = patient.examined();
        let expected = if requests(&diagnosis) < 20 {
            "idle"
        } else {
            "healthy"
        };
        assert_eq!(diagnosis["state"], expected, "{diagnosis:#}");
        assert_eq!(code, 0);
        if requests(&diagnosis) > 1_000 {
            let verdict = diagnosis["verdict"].as_str().unwrap();
            assert!(verdict.starts_with("healthy: "), "{verdict}");
            break;
        }
    }
}
