//! Pages and what the rules make of them, one table for all.

use serde_json::{Value as Json, json};

use super::{diagnose, figures::Pages};
use crate::cli::doctor::finding::{Severity, State};

/// A histogram of equal values, in microseconds.
fn times(count: u64, each: f64) -> Json {
    let total = count as f64 * each;
    json!({"count": count, "total": total, "mean": each, "p50": each, "p99": each, "max": each})
}

/// An operation by its means: queue, begin, execute, commit; each command a batch.
fn operation(name: &str, count: u64, [queue, begin, execute, commit]: [f64; 4]) -> Json {
    json!({
        "operation": name, "count": count,
        "whole": times(count, queue + begin + execute + commit),
        "queue_wait": times(count, queue),
        "begin_latency": times(count, begin), "begin_cost": times(count, begin),
        "execute": times(count, execute),
        "commit_latency": times(count, commit), "commit_cost": times(count, commit),
    })
}

fn route(route: &str, count: u64, wall: f64) -> Json {
    json!({"route": route, "wall": times(count, wall), "busy": times(count, wall / 50.0)})
}

/// Pages of the last minute. What `with` names at the top of `phases`, `otlp`, `writer`,
/// `runtime` or `statements` is put in place of the defaults.
fn pages(with: Json) -> Pages {
    let page = |name: &str| with.get(name).cloned();
    let phases = page("phases").unwrap_or_else(|| json!({}));
    let timings = json!({"window_s": 60.0, "timing": true, "phases": phases, "otlp": page("otlp")});
    Pages {
        timings: serde_json::from_value(timings).unwrap(),
        writer: serde_json::from_value(page("writer").unwrap_or_else(|| json!({}))).unwrap(),
        runtime: page("runtime").map(|page| serde_json::from_value(page).unwrap()),
        statements: page("statements").map(|page| serde_json::from_value(page).unwrap()),
    }
}

fn names(with: Json) -> Vec<&'static str> {
    let diagnosis = diagnose(&pages(with));
    let names = diagnosis.findings.iter().map(|finding| finding.name);
    names.collect()
}

/// A thousand completions, and what their writer does.
fn completions(parts: [f64; 4], tasks: Json) -> Json {
    let wall = parts.iter().sum::<f64>() + 200.0;
    json!({"phases": {
        "routes": [route("POST /jobs/{id}/complete_job", 1000, wall)],
        "operations": [operation("complete_job", 1000, parts)],
        "batch_size": times(1000, 1.0),
        "tasks": tasks,
    }})
}

#[test]
fn a_fast_server_is_healthy_and_a_quiet_one_idle() {
    let small = json!([{"task": "commit.small", "elapsed": times(1000, 900.0)}]);
    let healthy = diagnose(&pages(completions([300.0, 20.0, 150.0, 900.0], small)));
    assert_eq!(healthy.state, State::Healthy);
    assert!(healthy.verdict.starts_with("healthy: 1,000 requests"));
    assert_eq!(healthy.unknown, ["/debug/runtime", "/debug/statements"]);

    let few = json!({"phases": {"routes": [route("GET /ping", 3, 100.0)]}});
    let idle = diagnose(&pages(few));
    assert_eq!((idle.state, idle.requests), (State::Idle, 3));
    // Looking at the debug pages is no load to judge by.
    let own = json!({"phases": {"routes": [route("GET /debug/timings", 500, 100.0)]}});
    assert_eq!(diagnose(&pages(own)).state, State::Idle);
    // Nothing at all is told by a server that records nothing.
    let blind = diagnose(&Pages::default());
    assert_eq!(blind.state, State::Blind);
    assert!(blind.verdict.contains("--timing off"), "{}", blind.verdict);
}

#[test]
fn slow_syncs_are_named_with_their_figures() {
    let small = json!([{"task": "commit.small", "elapsed": times(500, 38_000.0)}]);
    let slow = diagnose(&pages(completions(
        [20_000.0, 30.0, 2_970.0, 38_000.0],
        small,
    )));
    let [finding] = &slow.findings[..] else {
        panic!("{slow:?}");
    };
    assert_eq!(
        (finding.name, finding.severity),
        ("slow-fsync", Severity::Problem)
    );
    let expected = "100 % of request time waits for the writer; its holder is complete_job; \
                    38.0 of its 41.0 ms are the commit: a slow fsync";
    assert_eq!(finding.verdict, expected);
    assert_eq!(slow.verdict, expected);
    assert!(finding.share > 0.9, "{}", finding.share);
    // As slow, and nobody waits for it: most requests only read.
    let small = json!([{"task": "commit.small", "elapsed": times(500, 38_000.0)}]);
    let mut mostly_reads = completions([0.0, 30.0, 100.0, 38_000.0], small);
    let reads = route("GET /jobs/{id}", 100_000, 9_000.0);
    mostly_reads["phases"]["routes"]
        .as_array_mut()
        .unwrap()
        .push(reads);
    assert_eq!(names(mostly_reads), [""; 0]);
    // Large commits are slow by right.
    assert_eq!(
        names(completions([0.0, 30.0, 100.0, 38_000.0], json!([]))),
        [""; 0]
    );
}

#[test]
fn one_long_operation_is_named_by_what_it_does_to_others() {
    let held = |name: &str| {
        json!({"phases": {
            "routes": [route("POST /bulk", 10, 4e6), route("POST /jobs", 300, 3.1e6)],
            "operations": [
                operation(name, 10, [0.0, 20.0, 3.5e6, 0.5e6]),
                operation("create_job", 300, [3.1e6, 20.0, 100.0, 900.0]),
            ],
        }})
    };
    assert_eq!(names(held("create_jobs")), ["bulk-create-holds-writer"]);
    assert_eq!(names(held("delete_workflow")), ["operation-holds-writer"]);
    // Nobody waits behind it.
    let alone = json!({"phases": {
        "routes": [route("POST /bulk", 100, 0.42e6)],
        "operations": [operation("create_jobs", 100, [0.0, 20.0, 0.3e6, 0.1e6])],
    }});
    assert_eq!(names(alone), [""; 0]);
    // A handful of requests, and a disk that was slow once, are no verdict.
    let few = json!({"phases": {
        "routes": [route("POST /workflows", 1, 0.2e6), route("POST /jobs", 10, 0.1e6)],
        "operations": [operation("create_workflow", 1, [0.0, 20.0, 0.15e6, 0.1e6]),
            operation("create_job", 10, [0.1e6, 20.0, 100.0, 900.0])],
    }});
    assert_eq!(names(few), [""; 0]);
    // The first one has not ended yet.
    let now = json!({"writer": {
        "doing": {"operation": "create_jobs", "for_us": 2.5e6}, "queued": 30,
    }});
    assert_eq!(names(now), ["bulk-create-holds-writer"]);
}

#[test]
fn a_lock_of_another_process_is_named_with_its_holder() {
    let waits = json!([{"task": "writer.lock_wait", "elapsed": times(20, 1e6)}]);
    let mut locked = completions([30_000.0, 20_000.0, 200.0, 900.0], waits);
    assert_eq!(names(locked.clone()), ["lock-held-by-other-process"]);
    locked["writer"] = json!({"lock_wait": {
        "now": true, "waited_us": 1.5e6, "holder": {"pid": 77, "program": "sqlite3"},
    }});
    let now = diagnose(&pages(locked));
    assert!(
        now.verdict.contains("sqlite3 (process 77)"),
        "{}",
        now.verdict
    );
    assert_eq!(now.findings[0].share, 1.0);
}

#[test]
fn a_log_that_cannot_be_moved_is_named() {
    let writer = |stuck_for_us: f64, ago_us: f64, pages: u64| {
        json!({"writer": {"log_bytes": 40 << 20, "last_checkpoint": {
            "ago_us": ago_us, "held_back_pages": pages, "stuck": 9, "stuck_for_us": stuck_for_us,
            "readers": [{"pid": 5, "program": "backup"}],
        }}})
    };
    assert_eq!(names(writer(5e6, 1e6, 9_000)), ["snapshot-holds-wal"]);
    for (why, with) in [
        ("not for long", writer(1e6, 1e6, 9_000)),
        ("long ago", writer(5e6, 120e6, 9_000)),
        ("a few pages", writer(5e6, 1e6, 100)),
    ] {
        assert_eq!(names(with), [""; 0], "{why}");
    }
    let named = diagnose(&pages(writer(5e6, 1e6, 9_000)));
    assert!(
        named.verdict.contains("backup (process 5)"),
        "{}",
        named.verdict
    );
}

#[test]
fn a_blocked_thread_is_named_by_its_task() {
    let runtime = |for_us: f64, ago_us: f64| {
        json!({"runtime": {"stalls": {"now": [], "past": [
            {"name": "http-connection", "ms": for_us / 1e3, "ago_ms": ago_us / 1e3},
        ]}}})
    };
    let blocked = diagnose(&pages(runtime(2e6, 5e6)));
    assert_eq!(blocked.findings[0].name, "blocked-worker");
    assert!(blocked.verdict.starts_with("http-connection blocked"));
    assert_eq!(names(runtime(2e5, 5e6)), [""; 0], "short");
    assert_eq!(names(runtime(2e6, 90e6)), [""; 0], "long ago");
    let nameless = json!({"runtime": {"stalls": {"now": [{"name": null, "ms": 3e3}]}}});
    assert_eq!(names(nameless), ["blocked-worker"]);
}

#[test]
fn a_scan_is_named_by_what_was_seen_or_by_its_plan() {
    let seen = |rows: f64| {
        let mut with = completions([9_000.0, 20.0, 9_000.0, 900.0], json!([]));
        with["phases"]["statements"] = json!([{
            "statement": "ready.claimed_with", "elapsed": times(1000, 8_500.0),
            "scanned": times(1000, rows),
        }]);
        with
    };
    assert_eq!(names(seen(20_000.0)), ["table-scan"]);
    assert_eq!(names(seen(12.0)), [""; 0], "a small table");
    let mut by_plan = seen(0.0);
    by_plan["phases"]["statements"][0]["scanned"] = json!({});
    by_plan["statements"] = json!({"statements": [{
        "id": "ready.claimed_with", "scans": true, "texts": [{"plan": ["SCAN job"]}],
    }]});
    let found = diagnose(&pages(by_plan));
    assert_eq!(found.findings[0].name, "table-scan");
    let evidence = serde_json::to_string(&found.findings[0].evidence).unwrap();
    assert!(evidence.contains("SCAN job"), "{evidence}");
}

#[test]
fn a_storm_is_claims_in_vain_that_make_up_the_load() {
    let storm = |count: u64, empty: u64| {
        json!({"phases": {
            "routes": [route("POST /workflows/{id}/claim_next_jobs", count, 3_000.0)],
            "operations": [operation("claim_next_jobs", count, [2_000.0, 20.0, 200.0, 20.0])],
            "tasks": [{"task": "claim.empty", "elapsed": times(empty, 2_900.0)}],
        }})
    };
    assert_eq!(names(storm(20_000, 19_900)), ["worker-storm-empty-queue"]);
    assert_eq!(names(storm(20_000, 2_000)), [""; 0], "most find something");
    assert_eq!(names(storm(600, 600)), [""; 0], "ten in a second");
}

#[test]
fn reads_that_wait_for_one_another_name_who_holds_the_connections() {
    let waiting = json!({"phases": {"routes": [
        {"route": "GET /jobs", "wall": times(60, 2e6), "read_wait": times(60, 0.5e6)},
        {"route": "GET /jobs/{id}", "wall": times(500, 0.4e6), "read_wait": times(500, 0.39e6)},
    ]}});
    let found = diagnose(&pages(waiting));
    assert_eq!(found.findings[0].name, "read-connections-exhausted");
    assert!(
        found.verdict.ends_with("goes to GET /jobs"),
        "{}",
        found.verdict
    );
}

#[test]
fn general_causes_are_named_only_where_no_other_is() {
    let busy = [55_000.0, 20.0, 50_000.0, 900.0];
    assert_eq!(names(completions(busy, json!([]))), ["writer-busy"]);
    let small = json!([{"task": "commit.small", "elapsed": times(500, 55_000.0)}]);
    let slow = completions([55_000.0, 20.0, 200.0, 55_000.0], small);
    assert_eq!(names(slow), ["slow-fsync"]);
    let cpu = json!({
        "phases": {"routes": [route("GET /jobs/{id}", 1000, 5_000.0)]},
        "runtime": {"lately": [{"window": "10s", "busy": [0.97, 0.99]}]},
    });
    assert_eq!(names(cpu), ["cpu-saturated"]);
    let slow = json!({"phases": {"routes": [route("GET /jobs/{id}", 1000, 300_000.0)]}});
    assert_eq!(names(slow), ["unaccounted-time"]);
}

/// What explains most comes first, and a page that is not as expected breaks nothing.
#[test]
fn causes_are_ordered_by_what_they_explain() {
    let small = json!([{"task": "commit.small", "elapsed": times(500, 38_000.0)}]);
    let mut both = completions([20_000.0, 30.0, 2_970.0, 38_000.0], small);
    both["writer"] = json!({"log_bytes": 40 << 20, "last_checkpoint": {
        "held_back_pages": 9_000, "stuck": 9, "stuck_for_us": 9e6,
    }});
    assert_eq!(names(both), ["slow-fsync", "snapshot-holds-wal"]);
    let odd = json!({"runtime": {"else": 1}, "statements": {}, "writer": {"later": true}});
    assert_eq!(names(odd), [""; 0]);
}

#[test]
fn a_collector_that_takes_nothing_is_named_beside_what_is_slow() {
    let otlp = |with: Json| {
        let mut otlp = json!({"url": "http://collector:4317", "exported": 100});
        otlp.as_object_mut()
            .unwrap()
            .append(with.clone().as_object_mut().unwrap());
        otlp
    };
    let named = |with: Json| names(json!({"otlp": otlp(with)}));
    let found = ["traces-dropped"];
    assert_eq!(named(json!({})), [""; 0]);
    assert_eq!(
        named(json!({"sending_for_us": 5e5})),
        [""; 0],
        "not for long"
    );
    let long_ago = json!({"dropped": 7, "lost_ago_us": 90e6});
    assert_eq!(named(long_ago), [""; 0], "long ago");
    assert_eq!(named(json!({"sending_for_us": 4e6})), found);
    assert_eq!(named(json!({"failing": true, "failed": 9})), found);
    assert_eq!(named(json!({"dropped": 7, "lost_ago_us": 9e6})), found);
    // What makes requests slow comes first.
    let small = json!([{"task": "commit.small", "elapsed": times(500, 38_000.0)}]);
    let mut both = completions([20_000.0, 30.0, 2_970.0, 38_000.0], small);
    both["otlp"] = otlp(json!({"sending_for_us": 4e6, "dropped": 1_234}));
    assert_eq!(names(both.clone()), ["slow-fsync", "traces-dropped"]);
    let verdict = &diagnose(&pages(both)).findings[1].verdict;
    assert_eq!(
        verdict,
        "traces do not reach http://collector:4317: it has not answered an export for 4.0 s; \
         the traces of 1,234 requests are lost, and none of them waited"
    );
}
