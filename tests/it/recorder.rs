//! The recorder through its pages: windows, marks, and parts that sum to the whole.

use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::http;
use crate::support::process::{ServerProcess, torc_server};

fn server(directory: &std::path::Path) -> ServerProcess {
    let mut command = torc_server();
    command
        .current_dir(directory)
        .args(["run", "--port", "0", "--no-console", "-d", "x.db"]);
    ServerProcess::spawn(command)
}

/// A debug page of the server, as JSON.
async fn page(server: &ServerProcess, path: &str) -> Value {
    let (status, text) = ask(server, "GET", path).await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

async fn ask(server: &ServerProcess, method: &str, path: &str) -> (u16, String) {
    let url = format!("http://127.0.0.1:{}{path}", server.port());
    let method = method.parse().unwrap();
    let answer = http::client().request(method, url).send().await;
    let answer = answer.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Claims, starts and completes so many jobs, one by one.
async fn cycles(api: &Api, count: usize) {
    let flow = api.workflow().await;
    let jobs: Vec<Value> = (0..count)
        .map(|n| json!({"workflow_id": flow, "name": format!("j{n}"), "command": "true"}))
        .collect();
    api.post("/bulk_jobs", json!({ "jobs": jobs })).await;
    api.initialize(flow).await;
    let node = api.compute_node(flow).await;
    for _ in 0..count {
        let claim = format!("/workflows/{flow}/claim_next_jobs?limit=1");
        let claimed = api.post(&claim, Value::Null).await;
        let job = claimed["jobs"][0]["id"].as_i64().unwrap();
        let start = format!("PUT /jobs/{job}/start_job/0/{node}");
        api.send(&start, &Value::Null).await.ok();
        let ended = result(flow, job, node, "completed", 0);
        api.post(&format!("/jobs/{job}/complete_job/completed/0"), ended)
            .await;
    }
}

fn named<'r>(report: &'r Value, list: &str, key: &str, name: &str) -> &'r Value {
    let rows = report["phases"][list].as_array().unwrap();
    rows.iter()
        .find(|row| row[key] == name)
        .unwrap_or_else(|| panic!("{list} has no {name}: {report:#}"))
}

/// Every route, command and statement is there with its count, and the parts of a command
/// sum to its whole, or the rest is told.
#[tokio::test]
async fn what_happened_is_counted_and_adds_up() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    cycles(&server.api(), 20).await;
    let report = page(&server, "/debug/timings").await;
    assert_eq!(report["window"], "start");

    let route = "POST /jobs/{id}/complete_job/{status}/{run_id}";
    let completing = named(&report, "routes", "route", route);
    assert_eq!(completing["count"], 20, "{completing}");
    let (wall, busy) = (&completing["wall"]["total"], &completing["busy"]["total"]);
    assert!(busy.as_f64() <= wall.as_f64(), "{completing}");

    for operation in ["start_job", "complete_job", "claim_next_jobs"] {
        let row = named(&report, "operations", "operation", operation);
        assert_eq!(row["count"], 20, "{row}");
        let total = |part: &str| row[part]["total"].as_f64().unwrap();
        let parts = [
            "queue_wait",
            "begin_latency",
            "batch_wait",
            "execute",
            "commit_latency",
        ];
        let sum: f64 = parts.into_iter().map(total).sum();
        let rest = row["unaccounted_us"].as_f64().unwrap();
        let whole = total("whole");
        assert!((sum + rest - whole).abs() <= whole * 0.02, "{row:#}");
        // A command is a part of its request.
        assert!(whole > 0.0 && total("execute") <= whole);
    }
    let ending = named(&report, "statements", "statement", "job.end");
    assert_eq!(
        (&ending["elapsed"]["count"], &ending["rows"]),
        (&json!(20), &json!(20))
    );
    let shares = report["phases"]["statements"].as_array().unwrap();
    let shares: f64 = shares.iter().map(|s| s["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 0.001, "{shares}");
    let bytes = report["recorder_bytes"].as_u64().unwrap();
    assert!((1..32 << 20).contains(&bytes), "{bytes} bytes");

    let spans = report["spans"].as_array().unwrap();
    let span = spans.iter().find(|s| s["span"] == "complete_job").unwrap();
    let command = named(&report, "operations", "operation", "complete_job");
    // The function of the span hands the command over and waits for it.
    assert_eq!(span["count"], command["count"]);
    let (span, command) = (&span["total"], &command["whole"]["total"]);
    assert!(span.as_f64().unwrap() * 1.02 >= command.as_f64().unwrap());
}

/// Windows and marks count what came in them, and looking takes nothing away.
#[tokio::test]
async fn windows_and_marks_count_from_where_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    let api = server.api();
    let route = "GET /ping";
    let count = async |window: &str| -> u64 {
        let report = page(&server, &format!("/debug/timings?window={window}")).await;
        let routes = report["phases"]["routes"].as_array().unwrap();
        let row = routes.iter().find(|row| row["route"] == route);
        row.map_or(0, |row| row["count"].as_u64().unwrap())
    };
    for _ in 0..3 {
        api.get("/ping").await;
    }
    // Before any reset, it counts from the start.
    assert_eq!(count("reset").await, 3);
    assert_eq!(ask(&server, "POST", "/debug/timings/reset").await.0, 204);
    assert_eq!(count("reset").await, 0);
    api.get("/ping").await;
    let marked = ask(&server, "POST", "/debug/timings/marks/before.deploy").await;
    assert_eq!(marked.0, 204, "{}", marked.1);
    for _ in 0..2 {
        api.get("/ping").await;
    }
    assert_eq!(count("mark:before.deploy").await, 2);
    assert_eq!(count("reset").await, 3);
    for window in ["start", "10m", "1h"] {
        assert_eq!(count(window).await, 6, "{window}");
    }
    let marks = page(&server, "/debug/timings/marks").await;
    let names: Vec<_> = marks["marks"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 2, "{marks}");
    let remove = "/debug/timings/marks/before.deploy";
    assert_eq!(ask(&server, "DELETE", remove).await.0, 204);
    assert_eq!(ask(&server, "DELETE", remove).await.0, 404);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_what_can() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    for (method, path, status, text) in [
        ("GET", "/debug/timings?window=2h", 400, "10s, 1m, 5m, 1h"),
        ("GET", "/debug/timings?window=mark:x", 400, "no mark 'x'"),
        (
            "GET",
            "/debug/timings?format=xml",
            400,
            "json, text or hlog",
        ),
        ("GET", "/debug/writer?format=xml", 400, "json or text"),
        ("POST", "/debug/timings/marks/a%20b", 400, "letters, digits"),
        ("GET", "/debug/timings/reset", 405, ""),
    ] {
        let (found, said) = ask(&server, method, path).await;
        assert_eq!(found, status, "{method} {path}: {said}");
        assert!(said.contains(text), "{method} {path}: {said}");
    }
    for n in 0..8 {
        let path = format!("/debug/timings/marks/m{n}");
        assert_eq!(ask(&server, "POST", &path).await.0, 204);
    }
    let (status, said) = ask(&server, "POST", "/debug/timings/marks/m8").await;
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("DELETE"), "{said}");
    // One that is there may be set anew.
    assert_eq!(ask(&server, "POST", "/debug/timings/marks/m3").await.0, 204);
}

/// A path that no route has, and a method that nobody knows, are one name together.
#[tokio::test]
async fn invented_paths_share_one_name() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    for n in 0..5 {
        ask(&server, "GET", &format!("/no/such/{n}")).await;
        ask(&server, &format!("BREW{n}"), "/torc-service/v1/ping").await;
    }
    let report = page(&server, "/debug/timings").await;
    let unknown = named(&report, "routes", "route", "(unknown path)");
    assert_eq!(unknown["count"], 10, "{unknown}");
}
