//! The contract as a document: `docs/contract.json`, which is Torc's own, and on top of it
//! what this server answers besides. Every difference is listed in `docs/compatibility.md`
//! (`tests/it/openapi.rs` compares).

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::engine::Engine;

const CONTRACT: &str = include_str!("../../docs/contract.json");

/// The document, made once.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    // Not written by anybody at run time: a test reads it.
    let mut document: Value = serde_json::from_str(CONTRACT).unwrap_or_default();
    complete(&mut document);
    Bytes::from(document.to_string())
});

/// The route of the document.
pub fn routes() -> Router<Engine> {
    Router::new().route("/openapi.json", get(document))
}

async fn document() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.clone(),
    )
}

/// Operations that create something, the noun in the names of those that use its id, and
/// what these do.
const LINKS: [(&str, &str, &[&str]); 16] = [
    ("create_workflow", "workflow", &["get", "update", "delete"]),
    ("create_job", "job", &["get", "update", "delete"]),
    ("create_file", "file", &["get", "update", "delete"]),
    (
        "create_user_data",
        "user_data",
        &["get", "update", "delete"],
    ),
    ("create_event", "event", &["get", "update", "delete"]),
    ("create_result", "result", &["get", "update", "delete"]),
    (
        "create_compute_node",
        "compute_node",
        &["get", "update", "delete"],
    ),
    (
        "create_resource_requirements",
        "resource_requirements",
        &["get", "update"],
    ),
    (
        "create_failure_handler",
        "failure_handler",
        &["get", "delete"],
    ),
    (
        "create_local_scheduler",
        "local_scheduler",
        &["get", "update", "delete"],
    ),
    (
        "create_slurm_scheduler",
        "slurm_scheduler",
        &["get", "update", "delete"],
    ),
    (
        "create_scheduled_compute_node",
        "scheduled_compute_node",
        &["get", "update", "delete"],
    ),
    (
        "create_ro_crate_entity",
        "ro_crate_entity",
        &["get", "update", "delete"],
    ),
    ("create_access_group", "access_group", &["get", "delete"]),
    ("initialize_jobs", "task", &["get"]),
    ("create_workflow", "workflow_status", &["get"]),
];

/// What `create_workflow` leads to besides: operations about the workflow of its answer.
const ABOUT_WORKFLOW: [&str; 8] = [
    "initialize_jobs",
    "is_workflow_complete",
    "list_job_ids",
    "claim_next_jobs",
    "cancel_workflow",
    "reset_workflow_status",
    "get_workflow_actions",
    "list_job_dependencies",
];

/// Properties that may be `null`, as all others that may be absent: the contract's document
/// loses that where a property is another object.
const NULLABLE: [(&str, &str); 11] = [
    ("ActiveTaskResponse", "task"),
    ("ExecutionConfig", "mode"),
    ("ExecutionConfig", "stdio"),
    ("JobModel", "schedule_compute_nodes"),
    ("JobModel", "status"),
    ("ResourceMonitorConfig", "compute_node"),
    ("ResourceMonitorConfig", "jobs"),
    ("StdioConfig", "mode"),
    ("WorkflowModel", "dynamic_jobs"),
    ("WorkflowModel", "execution_config"),
    ("WorkflowModel", "resource_monitor_config"),
];

fn complete(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, methods) in paths {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            errors(method, path, operation);
            parameters(operation);
            links(operation);
        }
    }
    for (schema, property) in NULLABLE {
        let theirs = &mut document["components"]["schemas"][schema]["properties"][property];
        *theirs = json!({"oneOf": [theirs.take(), {"type": "null"}]});
    }
    let deleted = json!({"type": ["integer", "null"], "format": "int64"});
    document["components"]["schemas"]["DeleteCountResponse"]["properties"]["deleted_count"] =
        deleted;
}

/// Adds the refusals that the contract leaves out.
fn errors(method: &str, path: &str, operation: &mut Value) {
    let told = json!({"schema": {"$ref": "#/components/schemas/ErrorResponse"}});
    let text = json!({"schema": {"type": "string"}});
    let as_json = |why: &str| json!({"description": why, "content": {"application/json": told}});
    let as_text = |why: &str| json!({"description": why, "content": {"text/plain": text}});
    let as_both = |why: &str| json!({"description": why, "content": {"application/json": told, "text/plain": text}});
    let has_body = operation.get("requestBody").is_some();
    let has_parameters = operation.get("parameters").is_some() || path.contains('{');
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    let mut add = |status: &str, response: Value| {
        responses.entry(status).or_insert(response);
    };
    add(
        "401",
        as_text("Credentials are required, and are missing or wrong."),
    );
    add("403", as_json("The caller may not do this."));
    add("404", as_json("What is named does not exist."));
    if method != "get" {
        add(
            "409",
            as_json("It exists already, or something else goes on."),
        );
    }
    add("503", as_json("Not now; try again after a second."));
    if has_body || has_parameters {
        add(
            "400",
            as_text("It cannot be read: a parameter, or the JSON."),
        );
    }
    if has_body {
        add("413", as_text("The body is too large."));
        add("415", as_text("The body is not declared to be JSON."));
    }
    // What the framework refuses is text, what the rules refuse is JSON.
    responses.insert("422".to_owned(), as_both("It breaks a rule."));
}

/// Adds the parameters that are ours.
fn parameters(operation: &mut Value) {
    let flag = json!({"type": "boolean"});
    let key = json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"});
    let added = match operation["operationId"].as_str() {
        Some("initialize_jobs") => {
            json!({"name": "if_uninitialized", "in": "query", "required": false, "schema": flag})
        }
        Some(
            "claim_next_jobs"
            | "claim_jobs_based_on_resources"
            | "start_job"
            | "complete_job"
            | "batch_complete_jobs",
        ) => json!({"name": "Idempotency-Key", "in": "header", "required": false, "schema": key}),
        _ => return,
    };
    if let Some(parameters) = operation["parameters"].as_array_mut() {
        parameters.push(added);
    }
}

/// Adds what an answer leads to.
fn links(operation: &mut Value) {
    let name = operation["operationId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let status = if name == "initialize_jobs" {
        "202"
    } else {
        "200"
    };
    let mut all = Map::new();
    for (of, noun, verbs) in LINKS {
        for verb in verbs.iter().filter(|_| of == name) {
            all.insert(format!("{verb}_{noun}"), link(&format!("{verb}_{noun}")));
        }
    }
    if name == "create_workflow" {
        for other in ABOUT_WORKFLOW {
            all.insert(other.to_owned(), link(other));
        }
    }
    if !all.is_empty() {
        operation["responses"][status]["links"] = Value::Object(all);
    }
}

fn link(operation: &str) -> Value {
    json!({"operationId": operation, "parameters": {"id": "$response.body#/id"}})
}
