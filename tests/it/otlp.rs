//! Traces by OTLP: receivers of our own, HTTP and gRPC, decode what the server exports by
//! the protocol's own types.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::http;
use crate::support::process::{HANG, ServerProcess, torc, torc_server};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// What came: the exports, and a header of each.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<(ExportTraceServiceRequest, String)>>>);

impl Received {
    fn add(&self, export: ExportTraceServiceRequest, key: Option<&str>) {
        let key = key.unwrap_or("").to_owned();
        self.0.lock().unwrap().push((export, key));
    }

    fn spans(&self) -> Vec<Span> {
        let exports = self.0.lock().unwrap();
        exports
            .iter()
            .flat_map(|(export, _)| &export.resource_spans)
            .flat_map(|resource| &resource.scope_spans)
            .flat_map(|scope| scope.spans.clone())
            .collect()
    }

    /// Waits for a server span of this route.
    async fn root(&self, route: &str) -> Span {
        let begin = Instant::now();
        loop {
            if let Some(span) = self.spans().into_iter().find(|span| span.name == route) {
                return span;
            }
            assert!(begin.elapsed() < HANG, "no span of {route}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let key = request.metadata().get("api-key").cloned();
        let key = key.as_ref().and_then(|key| key.to_str().ok());
        self.add(request.into_inner(), key);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A collector on a free port, by HTTP or gRPC.
async fn collector(grpc: bool) -> (Received, String) {
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let kept = received.clone();
    if grpc {
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let service = TraceServiceServer::new(kept);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
    } else {
        let take = async move |headers: HeaderMap, body: Bytes| {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            let key = headers.get("api-key").and_then(|key| key.to_str().ok());
            kept.add(ExportTraceServiceRequest::decode(body).unwrap(), key);
            ExportTraceServiceResponse::default().encode_to_vec()
        };
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    (received, url)
}

fn server(directory: &Path, flags: &[&str], env: &[(&str, &str)]) -> ServerProcess {
    let mut command = torc_server();
    command
        .current_dir(directory)
        .args(["run", "--port", "0", "--no-console", "-d", "x.db"])
        .args(flags)
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .envs(env.iter().copied());
    ServerProcess::spawn(command)
}

/// A request in the caller's trace.
async fn send(server: &ServerProcess, method: &str, path: &str, body: &Value, sampled: bool) {
    let flags = if sampled { "01" } else { "00" };
    let url = format!("{}{path}", server.api().url());
    let answer = http::client()
        .request(method.parse().unwrap(), url)
        .header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"))
        .json(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
}

/// One job from its creation to its end; the completion is in the caller's trace.
async fn one_job(server: &ServerProcess, sampled: bool) {
    let (flow, job, node) = server.api().running_job().await;
    let ended = result(flow, job, node, "completed", 0);
    let path = format!("/jobs/{job}/complete_job/completed/0");
    send(server, "POST", &path, &ended, sampled).await;
}

fn attributes(span: &Span) -> HashMap<String, String> {
    let text = |value: &Any| match value {
        Any::StringValue(text) => text.clone(),
        Any::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    span.attributes
        .iter()
        .filter_map(|one| Some((one.key.clone(), text(one.value.as_ref()?.value.as_ref()?))))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const COMPLETE: &str = "POST /jobs/{id}/complete_job/{status}/{run_id}";

async fn a_job_is_a_trace(grpc: bool) {
    let directory = tempfile::tempdir().unwrap();
    let (received, url) = collector(grpc).await;
    let protocol = if grpc { "grpc" } else { "http/protobuf" };
    let env = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush%21"),
        ("OTEL_SERVICE_NAME", "torc-test"),
    ];
    let server = server(directory.path(), &["--otlp", &url], &env);
    one_job(&server, true).await;

    let root = received.root(COMPLETE).await;
    assert_eq!(hex(&root.trace_id), TRACE);
    assert_eq!(hex(&root.parent_span_id), CALLER);
    let said = attributes(&root);
    assert_eq!(said["http.request.method"], "POST");
    assert_eq!(
        said["http.route"],
        "/jobs/{id}/complete_job/{status}/{run_id}"
    );
    assert_eq!(said["http.response.status_code"], "200");
    assert!(said["url.path"].ends_with("/jobs/1/complete_job/completed/0"));

    let spans = received.spans();
    let below = |parent: &Span, name: &str| {
        let mut found = spans
            .iter()
            .filter(|span| span.parent_span_id == parent.span_id && span.name == name);
        found.next().unwrap_or_else(|| panic!("no {name}")).clone()
    };
    let command = below(&root, "complete_job");
    let within = |inner: &Span, outer: &Span| {
        // The clock is read once for each export, and both ends are rounded.
        assert_eq!(inner.trace_id, outer.trace_id);
        assert!(inner.start_time_unix_nano >= outer.start_time_unix_nano);
        assert!(inner.end_time_unix_nano <= outer.end_time_unix_nano);
        assert!(inner.start_time_unix_nano <= inner.end_time_unix_nano);
    };
    within(&command, &root);
    for phase in ["queue_wait", "begin", "execute", "commit"] {
        within(&below(&command, phase), &command);
    }
    let statements: Vec<_> = command.events.iter().map(|event| &*event.name).collect();
    assert!(statements.contains(&"job.end"), "{statements:?}");
    // What nobody sampled is in a trace of its own.
    let created = received.root("POST /workflows").await;
    assert!(created.parent_span_id.is_empty());
    assert_ne!(created.trace_id, root.trace_id);

    let (export, key) = received.0.lock().unwrap()[0].clone();
    assert_eq!(key, "hush!");
    let resource = export.resource_spans[0].resource.clone().unwrap();
    let service = resource.attributes.iter();
    let mut service = service.filter(|one| one.key == "service.name");
    let name = service.next().unwrap().value.clone().unwrap().value;
    assert_eq!(name, Some(Any::StringValue("torc-test".to_owned())));

    // The collector has the spans before their sender knows that it took them.
    let report = async {
        loop {
            let report = timings(&server.api()).await;
            if report["otlp"]["exported"].as_u64().unwrap() > 0 {
                return report;
            }
            tokio::task::yield_now().await;
        }
    };
    let report = tokio::time::timeout(std::time::Duration::from_secs(30), report)
        .await
        .unwrap();
    assert_eq!(report["otlp"]["failed"], 0);
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(!log.contains("hush"), "{log}");
}

async fn timings(api: &Api) -> Value {
    let url = format!("{}/debug/timings", api.root());
    http::get(url).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_job_is_a_trace_by_http() {
    a_job_is_a_trace(false).await;
}

#[tokio::test]
async fn a_job_is_a_trace_by_grpc() {
    a_job_is_a_trace(true).await;
}

/// With a share of 0 only those requests are exported whose caller sampled them; and what
/// is queued at the end still goes.
#[tokio::test(flavor = "multi_thread")]
async fn callers_decide_for_their_own_traces() {
    let directory = tempfile::tempdir().unwrap();
    let (received, url) = collector(false).await;
    let late = [("OTEL_BSP_SCHEDULE_DELAY", "60000")];
    let flags = ["--otlp", &*url, "--otlp-sample", "0"];
    let server = server(directory.path(), &flags, &late);
    one_job(&server, false).await;
    send(&server, "GET", "/ping", &json!({}), true).await;
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    let names: Vec<String> = received.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET /ping"]);
}

/// What is slow is exported although nothing is sampled.
#[tokio::test(flavor = "multi_thread")]
async fn slow_requests_are_exported_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (received, url) = collector(false).await;
    let flags = ["--otlp", &*url, "--otlp-sample", "0"];
    let slow = ["--slow", "off,GET /ping=0ms"];
    let server = server(
        directory.path(),
        &[flags, [slow[0], slow[1], "-l", "off"]].concat(),
        &[],
    );
    server.api().workflow().await;
    send(&server, "GET", "/ping", &json!({}), false).await;
    received.root("GET /ping").await;
    assert!(received.spans().iter().all(|span| span.name == "GET /ping"));
}

/// A worker that samples puts the claim, start and end of a job into one trace, and tells
/// the job, although the server itself samples nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_puts_a_job_into_one_trace() {
    let directory = tempfile::tempdir().unwrap();
    let (received, url) = collector(false).await;
    let server = server(
        directory.path(),
        &["--otlp", &url, "--otlp-sample", "0"],
        &[],
    );
    let spec = directory.path().join("spec.yaml");
    let command = "echo seen $TRACEPARENT";
    let text = format!("name: traced\njobs:\n  - name: a\n    command: {command}\n");
    std::fs::write(&spec, text).unwrap();
    let output = torc()
        .current_dir(directory.path())
        .args(["--url", &server.api().url(), "run"])
        .arg(&spec)
        .args(["--trace-sample", "1", "--quiet"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");

    let ended = received
        .root("POST /workflows/{id}/batch_complete_jobs")
        .await;
    let claim = "POST /workflows/{id}/claim_jobs_based_on_resources/{limit}";
    let started = "PUT /jobs/{id}/start_job/{run_id}/{compute_node_id}";
    let spans = received.spans();
    for route in [claim, started] {
        let of_trace = |span: &&Span| span.name == route && span.trace_id == ended.trace_id;
        assert!(spans.iter().any(|span| of_trace(&span)), "no {route}");
    }
    let untraced = spans.iter().any(|span| span.name == "POST /workflows");
    assert!(!untraced, "what nobody sampled was exported");
    let stdio = directory.path().join("torc_output/job_stdio");
    let written: String = std::fs::read_dir(stdio)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let told = format!("seen 00-{}-", hex(&ended.trace_id));
    assert!(written.contains(&told), "{written}");
}

/// A collector that is not there, or never answers, costs requests nothing, and is told once.
#[tokio::test]
async fn a_collector_that_is_dead_or_hangs_changes_nothing() {
    // It accepts, by the kernel, and never answers.
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for address in [hanging.local_addr().unwrap(), dead] {
        for protocol in ["grpc", "http"] {
            let directory = tempfile::tempdir().unwrap();
            let url = format!("http://{address}");
            let flags = ["--otlp", &*url, "--otlp-protocol", protocol];
            let env = [
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "50"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "2"),
                ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
            ];
            let server = server(directory.path(), &flags, &env);
            let api = server.api();
            for _ in 0..30 {
                api.get("/ping").await;
            }
            server.wait_for_log("traces do not reach");
            let report = timings(&api).await;
            let count = |key: &str| report["otlp"][key].as_u64().unwrap();
            assert_eq!(count("exported"), 0);
            assert!(count("dropped") > 0 && count("failed") > 0, "{report}");
            server.signal("TERM");
            let (status, log) = server.wait();
            assert!(status.success(), "{log}");
            assert_eq!(
                log.matches("traces do not reach").count(),
                0,
                "said twice: {log}"
            );
        }
    }
}

#[tokio::test]
async fn what_cannot_be_exported_to_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    for (flags, env, said) in [
        (
            &["--otlp", "https://a:4318"][..],
            None,
            "not an http:// URL",
        ),
        (
            &["--otlp", "localhost:4317"][..],
            None,
            "not an http:// URL",
        ),
        (
            &["--otlp", "http://a:1", "--otlp-sample", "2"][..],
            None,
            "between 0 and 1",
        ),
        (
            &["--otlp", "http://a:1", "--otlp-protocol", "udp"][..],
            None,
            "http/protobuf",
        ),
        (
            &["--otlp", "http://a:1"][..],
            Some(("OTEL_TRACES_SAMPLER", "sometimes")),
            "parentbased_",
        ),
        (
            &["--otlp", "http://a:1"][..],
            Some(("OTEL_BSP_MAX_QUEUE_SIZE", "many")),
            "a whole number",
        ),
    ] {
        let mut command = torc_server();
        command
            .current_dir(directory.path())
            .args(["run", "--port", "0", "--no-console", "-d", "x.db"])
            .args(flags)
            .envs(env);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{flags:?}");
        assert!(text.contains(said), "{flags:?}: {text}");
    }
}
