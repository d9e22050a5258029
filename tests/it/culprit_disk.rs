//! What is wrong around the database's files: slow syncs, a lock, a snapshot. The doctor
//! must name it, and whose it is where the system tells.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::faults::{Load, Patient, compiled, many_jobs};

/// Whether the list of locks, from which the server knows who holds what, shows ours.
fn locks_are_told() -> bool {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let own = std::process::id().to_string();
    locks
        .lines()
        .any(|line| line.split_whitespace().any(|field| field == own))
}

/// The process of this test stands in the verdict.
#[track_caller]
fn names_this_process(diagnosis: &Value) {
    let verdict = diagnosis["verdict"].as_str().unwrap();
    let own = format!("(process {})", std::process::id());
    assert!(!locks_are_told() || verdict.contains(&own), "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_fsync() {
    let directory = tempfile::tempdir().unwrap();
    let library = compiled("slow_fsync.c", directory.path());
    let patient = Patient::on_disk(|command| {
        command.env("LD_PRELOAD", &library);
    });
    let _load = Load::small(8, &patient.api()).await;
    let diagnosis = patient.must_have("slow-fsync");
    let verdict = diagnosis["verdict"].as_str().unwrap();
    assert!(verdict.contains("its holder is create_job;"), "{verdict}");
    assert!(
        verdict.ends_with("are the commit: a slow fsync"),
        "{verdict}"
    );
    let median = &diagnosis["findings"][0]["evidence"][0];
    assert_eq!(median["figure"], "a small commit, median");
    // The preloaded wait is in it; how much more there is, is the machine's affair.
    assert!(median["value"].as_f64().unwrap() >= 30_000.0, "{median}");
    let text = patient.doctor(&[]).out;
    assert!(text.starts_with("slow-fsync ("), "{text}");
    assert!(text.contains("\n  What to do\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_process() {
    let patient = Patient::in_memory();
    let _load = Load::small(8, &patient.api()).await;
    let other = patient.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let diagnosis = patient.must_have("lock-held-by-other-process");
    names_this_process(&diagnosis);
    // It is over, and what is left of it in the window is a thing of the past.
    other.execute_batch("ROLLBACK").unwrap();
    let api = patient.api();
    let job = json!({"workflow_id": api.workflow().await, "name": "after", "command": "true"});
    api.post("/jobs", job).await;
    let (diagnosis, _) = patient.examined();
    let verdict = diagnosis["verdict"].as_str().unwrap();
    assert!(!verdict.starts_with("nothing can be written"), "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_holds_the_log() {
    let patient = Patient::in_memory();
    let api = patient.api();
    let workflow = api.workflow().await;
    let reader = patient.sql();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM job")
        .unwrap();
    // One client alone, so that nobody waits for anybody: what grows is the log.
    let _load = Load::of(1, move |_, turn| {
        let api = api.clone();
        async move {
            let jobs = many_jobs(workflow, 2_000, &format!("{turn}."));
            api.send("POST /bulk_jobs", &jobs).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let diagnosis = patient.must_have("snapshot-holds-wal");
    names_this_process(&diagnosis);
}
