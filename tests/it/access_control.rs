//! Who may do what where access control is enforced: every operation of the contract, by
//! owner, member of a group, administrator, stranger and nobody in particular.

mod rows;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use torc_server::server::auth::AuthConfig;

use self::rows::Rows;
use crate::support::api::{Answer, Api};
use crate::support::server::TestServer;

/// Who asks. Their passwords are their names.
const PEOPLE: [&str; 5] = ["owner", "member", "chief", "root", "stranger"];

/// Operations that are not about one workflow, and who may do them; of all others the
/// owner, the members and the administrators may.
const SPECIAL: &[(&str, &[&str])] = &[
    (
        "ping",
        &["owner", "member", "chief", "root", "stranger", ""],
    ),
    (
        "get_version",
        &["owner", "member", "chief", "root", "stranger", ""],
    ),
    (
        "create_workflow",
        &["owner", "member", "chief", "root", "stranger", ""],
    ),
    (
        "list_workflows",
        &["owner", "member", "chief", "root", "stranger", ""],
    ),
    ("create_access_group", &["root"]),
    ("list_access_groups", &["root"]),
    ("get_access_group", &["root"]),
    ("delete_access_group", &["root"]),
    ("list_group_members", &["root"]),
    ("add_user_to_group", &["root", "chief"]),
    ("remove_user_from_group", &["root", "chief"]),
    ("add_workflow_to_group", &["root", "chief", "owner"]),
    ("remove_workflow_from_group", &["root", "chief", "owner"]),
    ("list_user_groups", &["root", "member"]),
    ("check_workflow_access", &["root", "member"]),
    ("admin_sql", &["root"]),
    ("list_admin_audit_log", &["root"]),
    ("reload_auth", &["root"]),
];

/// Hidden instead of forbidden.
const HIDDEN: [&str; 2] = ["get_task", "get_active_task_for_workflow"];

fn authorization(user: &str) -> String {
    use base64::Engine as _;
    let both = format!("{user}:{user}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(both);
    format!("Basic {encoded}")
}

async fn ask(api: &Api, user: &str, request: &str, body: &Value) -> Answer {
    let value = authorization(user);
    let mut headers = vec![("content-type", "application/json")];
    if !user.is_empty() {
        headers.push(("authorization", value.as_str()));
    }
    let body = (!body.is_null()).then(|| body.to_string());
    api.send_raw(request, body, &headers).await
}

async fn server() -> (TestServer, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users");
    let line = |user: &&str| format!("{user}:{}\n", bcrypt::hash(user, 4).unwrap());
    std::fs::write(&file, PEOPLE.iter().map(line).collect::<String>()).unwrap();
    let server = TestServer::start_with(|config| {
        config.auth = AuthConfig {
            file: Some(file),
            ..AuthConfig::default()
        };
        config.enforce_access_control = true;
        config.admin_users = vec!["root".to_owned()];
    })
    .await;
    (server, directory)
}

/// Method, path and name of every operation, those that remove something last and the
/// removal of the workflow at the very end.
fn operations() -> Vec<(String, String, String)> {
    let contract: Value = serde_json::from_str(include_str!("../../docs/contract.json")).unwrap();
    let mut all = Vec::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            all.push((method.to_uppercase(), path.clone(), name.to_owned()));
        }
    }
    let late = |(method, path, name): &(String, String, String)| {
        let collection = !path.contains("{id}") || path.ends_with("/ro_crate_entities");
        let ends = ["cancel_workflow", "complete_job", "reset_job_status"];
        match (method.as_str(), name.as_str()) {
            ("DELETE", "delete_workflow") => 6,
            ("DELETE", "delete_access_group") => 5,
            ("DELETE", _) if collection => 4,
            ("DELETE", "delete_job" | "delete_resource_requirement" | "delete_compute_node") => 3,
            ("DELETE", _) => 2,
            _ if ends.contains(&name.as_str()) => 1,
            _ => 0,
        }
    };
    all.sort_by_key(late);
    all
}

fn allowed(operation: &str) -> BTreeSet<&'static str> {
    let special = SPECIAL.iter().find(|(name, _)| *name == operation);
    let people: &[&str] =
        special.map_or(&["owner", "member", "chief", "root"], |(_, people)| people);
    people.iter().copied().collect()
}

#[tokio::test]
async fn every_operation_asks_who_may() {
    let (server, _users) = server().await;
    let operations = operations();
    assert!(operations.len() > 130, "{}", operations.len());
    let mut wrong = Vec::new();
    for user in ["owner", "member", "chief", "root", "stranger", ""] {
        let rows = Rows::make(&server.api, &format!("for {user}")).await;
        let node = rows.id("compute_nodes");
        for (method, template, name) in &operations {
            let request = format!("{method} {}", rows.path(template, name));
            let body = rows.body(name, node);
            let answer = ask(&server.api, user, &request, &body).await;
            let may = allowed(name).contains(user);
            let refused = if HIDDEN.contains(&name.as_str()) {
                404
            } else {
                403
            };
            let fine = match (may, answer.status) {
                (true, status) => !matches!(status, 401 | 403 | 404 | 405 | 500..),
                (false, status) => status == refused,
            };
            if !fine {
                let body = &answer.body;
                wrong.push(format!(
                    "'{user}' {name}: {request}: {} {body}",
                    answer.status
                ));
            }
        }
        // What is streamed is not in the contract's document.
        let stream = format!("GET /workflows/{}/events/stream", rows.workflow);
        if user == "stranger" || user.is_empty() {
            let answer = ask(&server.api, user, &stream, &Value::Null).await;
            assert_eq!(answer.status, 403, "{user}: {answer:?}");
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_is_told_to_everybody() {
    let (server, _users) = server().await;
    for (request, message) in [
        ("GET /workflows/99", "Workflow not found with ID: 99"),
        ("GET /jobs/99", "Job not found with ID: 99"),
        ("GET /files/99", "Resource not found in file with ID: 99"),
        (
            "DELETE /local_schedulers/99",
            "Resource not found in local_scheduler with ID: 99",
        ),
        ("GET /jobs?workflow_id=99", "Workflow not found with ID: 99"),
    ] {
        for user in ["stranger", ""] {
            let answer = ask(&server.api, user, request, &Value::Null).await;
            assert_eq!(answer.status, 404, "{user}: {request}: {answer:?}");
            assert_eq!(answer.body["error"]["message"], message);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn lists_of_workflows_hold_what_their_caller_may_see() {
    let (server, _users) = server().await;
    let rows = Rows::make(&server.api, "team").await;
    let body = json!({"name": "own", "user": "ignored"});
    let own = ask(&server.api, "stranger", "POST /workflows", &body)
        .await
        .ok();
    assert_eq!(own["user"], "stranger");
    let own = own["id"].as_i64().unwrap();
    for (user, expected) in [
        ("owner", vec![rows.workflow]),
        ("member", vec![rows.workflow]),
        ("stranger", vec![own]),
        ("root", vec![rows.workflow, own]),
        ("", vec![]),
    ] {
        for query in ["", "?user=owner", "?user=stranger"] {
            let request = format!("GET /workflows{query}");
            let page = ask(&server.api, user, &request, &Value::Null).await.ok();
            let owner = |id: &i64| if *id == own { "stranger" } else { "owner" };
            let shown: Vec<i64> = expected
                .iter()
                .copied()
                .filter(|id| query.is_empty() || query.ends_with(owner(id)))
                .collect();
            let items = page["items"].as_array().unwrap();
            let ids: Vec<i64> = items
                .iter()
                .map(|item| item["id"].as_i64().unwrap())
                .collect();
            assert_eq!(ids, shown, "'{user}' {query}");
            assert_eq!(page["total_count"], shown.len(), "'{user}' {query}");
        }
    }
    server.stop().await;
}

/// A node that claims to be of another workflow's allocation learns nothing of it.
#[tokio::test]
async fn nodes_do_not_tell_of_other_workflows_allocations() {
    let (server, _users) = server().await;
    let api = &server.api;
    let theirs = Rows::make(api, "theirs").await;
    let allocation = json!({"workflow_id": theirs.workflow, "scheduler_id": 4242,
                            "scheduler_config_id": 1, "scheduler_type": "slurm",
                            "status": "active"});
    let allocation = ask(api, "owner", "POST /scheduled_compute_nodes", &allocation)
        .await
        .ok();
    let body = json!({"name": "own", "user": "ignored"});
    let own = ask(api, "stranger", "POST /workflows", &body).await.ok()["id"]
        .as_i64()
        .unwrap();
    let node = json!({
        "workflow_id": own, "hostname": "h", "pid": 1, "num_cpus": 1, "memory_gb": 1.0,
        "num_gpus": 0, "num_nodes": 1, "compute_node_type": "slurm",
        "start_time": "2026-01-01T00:00:00Z", "scheduler": {"scheduler_id": allocation["id"]},
    });
    let node = ask(api, "stranger", "POST /compute_nodes", &node)
        .await
        .ok()["id"]
        .clone();
    let job = json!({"workflow_id": own, "name": "j", "command": "c"});
    let job = ask(api, "stranger", "POST /jobs", &job).await.ok()["id"].clone();
    for request in [
        format!("POST /workflows/{own}/initialize_jobs"),
        format!("POST /workflows/{own}/claim_next_jobs"),
        format!("PUT /jobs/{job}/start_job/0/{node}"),
    ] {
        ask(api, "stranger", &request, &Value::Null).await.ok();
    }
    let running = format!("GET /workflows/{own}/running_jobs");
    let running = ask(api, "stranger", &running, &Value::Null).await.ok();
    assert_eq!(running["total_count"], 1);
    assert_eq!(
        running["items"][0].get("scheduler_job_id"),
        None,
        "{running}"
    );
    server.stop().await;
}

#[tokio::test]
async fn the_group_of_administrators_is_the_configurations() {
    let (server, _users) = server().await;
    let groups = ask(&server.api, "root", "GET /access_groups", &Value::Null)
        .await
        .ok();
    assert_eq!(groups["items"][0]["name"], "admin");
    let id = groups["items"][0]["id"].as_i64().unwrap();
    let members = format!("GET /access_groups/{id}/members");
    let members = ask(&server.api, "root", &members, &Value::Null).await.ok();
    assert_eq!(members["items"][0]["user_name"], "root");
    assert_eq!(members["total_count"], 1);
    let body = json!({"user_name": "stranger", "group_id": id, "role": "admin"});
    for request in [
        format!("POST /access_groups/{id}/members"),
        format!("DELETE /access_groups/{id}/members/root"),
        format!("DELETE /access_groups/{id}"),
    ] {
        let answer = ask(&server.api, "root", &request, &body).await;
        assert_eq!(answer.status, 403, "{request}: {answer:?}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("managed via server configuration"),
            "{message}"
        );
    }
    server.stop().await;
}
