//! What is wrong beside the server: a collector of traces that takes nothing.

use serde_json::{Value, json};

use crate::support::faults::{Load, Patient};
use crate::support::http;

/// It accepts, by the kernel, and never answers. Requests go on as if it were not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs() {
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", hanging.local_addr().unwrap());
    let patient = Patient::in_memory_with(|command| {
        command.args(["--otlp", &url, "--otlp-protocol", "grpc"]);
        // The first export is tried at once, not after five seconds.
        command.env("OTEL_BSP_SCHEDULE_DELAY", "100");
    });
    let api = patient.api();
    let _load = Load::small(8, &api).await;
    let diagnosis = patient.must_have("traces-dropped");
    let verdict = diagnosis["verdict"].as_str().unwrap();
    assert!(verdict.contains(&url), "{verdict}");
    assert!(
        verdict.contains("has not answered an export for"),
        "{verdict}"
    );
    let findings = diagnosis["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "nothing else is wrong: {diagnosis:#}");
    assert_eq!(findings[0]["severity"], "warning");
    // Requests that are served all the while, and the page's own figures.
    let page = http::get(format!("{}/debug/timings?format=json", api.root()));
    let timings: Value = page.await.unwrap().json().await.unwrap();
    let otlp = &timings["otlp"];
    assert_eq!((&otlp["exported"], &otlp["url"]), (&json!(0), &json!(url)));
    let served = |timings: &Value| {
        let routes = timings["phases"]["routes"].as_array().unwrap().clone();
        let counts = routes.iter().map(|route| route["wall"]["count"].as_u64());
        counts.flatten().sum::<u64>()
    };
    assert!(served(&timings) > 100, "{timings:#}");
}
