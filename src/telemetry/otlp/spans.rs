//! Finished requests as spans of OpenTelemetry.
//!
//! A request is a server span; each command that the writer carried out for it is a span
//! below, and each phase of the command one below that. Statements are events of the span
//! that ran them, one for each statement with its calls, rows and time: thousands of spans
//! would say no more.

use std::time::Duration;

use crate::clock::Tick;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::clock;
use crate::telemetry::phase::{CommandTrace, StatementTotal};
use crate::telemetry::request::Finished;

/// The flag of a span whose trace was sampled (W3C Trace Context, 3.2.2.5).
const SAMPLED: u32 = 1;

/// What turns moments of this process into times of the world.
#[derive(Clone, Copy)]
pub struct Epoch {
    now: Tick,
    now_ns: u64,
}

impl Epoch {
    /// As the clock says now.
    pub fn now() -> Self {
        let since_epoch = clock::now().timestamp_nanos_opt().unwrap_or(0);
        Self {
            now: Tick::now(),
            now_ns: u64::try_from(since_epoch).unwrap_or(0),
        }
    }

    /// Nanoseconds since 1970.
    fn of(self, moment: Tick) -> u64 {
        let ago = self.now - moment;
        self.now_ns.saturating_sub(nanos(ago))
    }
}

/// One export.
pub fn export<'r>(
    requests: impl IntoIterator<Item = &'r Finished>,
    resource: &[(String, String)],
    epoch: Epoch,
) -> ExportTraceServiceRequest {
    let mut spans = Vec::new();
    for request in requests {
        add(&mut spans, request, epoch);
    }
    let attributes = resource
        .iter()
        .map(|(name, value)| text(name, value))
        .collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "torc_server".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn add(spans: &mut Vec<Span>, request: &Finished, epoch: Epoch) {
    let trace_id = request.trace_id().unwrap_or_else(|| fastrand::u128(1..));
    let trace_id = trace_id.to_be_bytes().to_vec();
    let began = epoch.of(request.began);
    let (method, _) = request.route.split_once(' ').unwrap_or(("", ""));
    let failed = request.status >= 500;
    let root = Span {
        kind: SpanKind::Server as i32,
        parent_span_id: request
            .parent
            .map(|parent| parent.span_id.to_be_bytes().to_vec())
            .unwrap_or_default(),
        // The names of OpenTelemetry's semantic conventions for HTTP, and ours.
        attributes: vec![
            text("http.request.method", method),
            text(
                "http.route",
                request.route.trim_start_matches(method).trim(),
            ),
            text("url.path", &request.path),
            number("http.response.status_code", u64::from(request.status)),
            number("torc.request.id", request.id),
            micros("torc.busy_us", request.busy),
            micros("torc.read_wait_us", request.read_wait),
        ],
        events: events(&request.statements, began + nanos(request.wall)),
        status: failed.then(|| Status {
            code: StatusCode::Error as i32,
            message: String::new(),
        }),
        ..span(&trace_id, request.route, began, request.wall)
    };
    let root_id = root.span_id.clone();
    spans.push(root);
    for command in &request.commands {
        add_command(spans, &trace_id, &root_id, command, epoch);
    }
}

fn add_command(
    spans: &mut Vec<Span>,
    trace_id: &[u8],
    parent: &[u8],
    command: &CommandTrace,
    epoch: Epoch,
) {
    let phases = command.phases;
    let began = epoch.of(command.submitted);
    let whole = Span {
        parent_span_id: parent.to_vec(),
        attributes: vec![
            number("torc.batch", command.batch),
            number("torc.batch_size", command.batch_size as u64),
            micros("torc.unaccounted_us", phases.unaccounted()),
        ],
        events: events(&command.statements, began + nanos(phases.whole)),
        status: (!command.committed && !command.refused).then(|| Status {
            code: StatusCode::Error as i32,
            message: "its batch was not committed".to_owned(),
        }),
        ..span(trace_id, command.name, began, phases.whole)
    };
    let id = whole.span_id.clone();
    spans.push(whole);
    let mut at = began;
    // How the others of the batch lay around it is not known; they are put before it.
    for (name, elapsed) in [
        ("queue_wait", phases.queue_wait),
        ("begin", phases.begin),
        ("batch_wait", phases.batch_wait),
        ("execute", phases.execute),
        ("commit", phases.commit),
    ] {
        if !elapsed.is_zero() {
            spans.push(Span {
                parent_span_id: id.clone(),
                ..span(trace_id, name, at, elapsed)
            });
        }
        at += nanos(elapsed);
    }
}

fn span(trace_id: &[u8], name: &str, began: u64, elapsed: Duration) -> Span {
    Span {
        trace_id: trace_id.to_vec(),
        span_id: fastrand::u64(1..).to_be_bytes().to_vec(),
        name: name.to_owned(),
        kind: SpanKind::Internal as i32,
        flags: SAMPLED,
        start_time_unix_nano: began,
        end_time_unix_nano: began + nanos(elapsed),
        ..Span::default()
    }
}

fn events(statements: &[StatementTotal], at: u64) -> Vec<Event> {
    statements
        .iter()
        .map(|statement| Event {
            time_unix_nano: at,
            name: statement.id.to_owned(),
            attributes: vec![
                number("torc.calls", u64::from(statement.calls)),
                number("torc.rows", statement.rows),
                micros("torc.elapsed_us", statement.elapsed),
            ],
            dropped_attributes_count: 0,
        })
        .collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: u64) -> KeyValue {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    attribute(key, Value::IntValue(value))
}

fn micros(key: &str, elapsed: Duration) -> KeyValue {
    attribute(key, Value::DoubleValue(elapsed.as_secs_f64() * 1e6))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn nanos(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
