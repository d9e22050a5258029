//! The nouns that are rows of a workflow: their lives, what they refuse, and that they go
//! with their workflow.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::http;
use crate::support::server::TestServer;

/// A noun: its path, a body, a change of it, a filter that finds the changed one alone.
struct Noun {
    path: &'static str,
    table: &'static str,
    body: Value,
    change: Value,
    filter: &'static str,
}

fn nouns(flow: i64) -> Vec<Noun> {
    vec![
        Noun {
            path: "/local_schedulers",
            table: "local_scheduler",
            body: json!({"workflow_id": flow, "memory": "8g", "num_cpus": 4}),
            change: json!({"num_cpus": 9}),
            filter: "num_cpus=9&memory=8g",
        },
        Noun {
            path: "/slurm_schedulers",
            table: "slurm_scheduler",
            body: json!({"workflow_id": flow, "name": "s", "account": "a", "nodes": 1,
                         "walltime": "01:00:00", "serialize_allocations": false}),
            change: json!({"partition": "short", "nodes": 2}),
            filter: "",
        },
        Noun {
            path: "/scheduled_compute_nodes",
            table: "scheduled_compute_node",
            body: json!({"workflow_id": flow, "scheduler_id": 7, "scheduler_config_id": 1,
                         "scheduler_type": "slurm", "status": "pending"}),
            change: json!({"status": "active", "scheduler_id": 8}),
            filter: "status=active&scheduler_id=8&scheduler_config_id=1",
        },
    ]
}

#[tokio::test]
async fn schedulers_live_and_are_found() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let other = api.workflow().await;
    for Noun {
        path,
        table,
        body,
        change,
        filter,
    } in nouns(flow)
    {
        let mut ids = Vec::new();
        for _ in 0..3 {
            let made = api.post(path, body.clone()).await;
            let mut expected = body.clone();
            expected["id"] = made["id"].clone();
            assert_eq!(made, expected, "{path}");
            ids.push(made["id"].as_i64().unwrap());
        }
        let mut elsewhere = body.clone();
        elsewhere["workflow_id"] = json!(other);
        api.post(path, elsewhere.clone()).await;
        let page = format!("{path}?workflow_id={flow}&offset=1&limit=1&reverse_sort=true");
        let page = api.get(&page).await;
        assert_eq!(page["items"][0]["id"], ids[1], "{path}");
        assert_eq!(
            (&page["total_count"], &page["has_more"]),
            (&json!(3), &json!(true))
        );

        let mut changed = body.clone();
        changed
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let one = format!("{path}/{}", ids[2]);
        let answer = api.send(&format!("PUT {one}"), &changed).await.ok();
        changed["id"] = json!(ids[2]);
        assert_eq!(answer, changed, "{path}");
        assert_eq!(api.get(&one).await, changed, "{path}");
        if !filter.is_empty() {
            let found = api
                .get(&format!("{path}?workflow_id={flow}&{filter}"))
                .await;
            assert_eq!(found["items"], json!([changed]), "{path}");
        }

        assert_eq!(
            api.send(&format!("DELETE {one}"), &Value::Null).await.ok(),
            changed
        );
        let gone = api.send(&format!("GET {one}"), &Value::Null).await;
        assert_eq!(gone.status, 404);
        let message = format!("Resource not found in {table} with ID: {}", ids[2]);
        assert_eq!(gone.body["error"]["message"], message);
        let all = format!("DELETE {path}?workflow_id={flow}");
        assert_eq!(
            api.send(&all, &Value::Null).await.ok(),
            json!({"count": 2}),
            "{path}"
        );
        let left = api.get(&format!("{path}?workflow_id={other}")).await;
        assert_eq!(left["total_count"], 1, "{path}");

        elsewhere["workflow_id"] = json!(99);
        let unknown = api.send(&format!("POST {path}"), &elsewhere).await;
        assert_eq!(unknown.status, 404, "{path}");
    }
    let none = json!({"workflow_id": flow});
    let refused = api.send("POST /local_schedulers", &none).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["error"]["message"], "memory is required");
    server.stop().await;
}

#[tokio::test]
async fn scheduled_nodes_keep_a_workflow_from_being_reset() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let url = format!("{}/workflows/{flow}/events/stream", api.url());
    let mut stream = http::get(url).await.unwrap();
    let node = json!({"workflow_id": flow, "scheduler_id": 42, "scheduler_config_id": 1,
                      "scheduler_type": "slurm", "status": "pending"});
    let id = api.post("/scheduled_compute_nodes", node.clone()).await["id"].clone();
    let told = stream.chunk().await.unwrap().unwrap();
    let told = std::str::from_utf8(&told).unwrap();
    assert!(
        told.starts_with("event: scheduler_node_created\n"),
        "{told}"
    );
    assert!(told.contains("\"scheduler_id\":42"), "{told}");
    for (status, code, pending, active) in [
        ("pending", 422, 1, 0),
        ("active", 422, 0, 1),
        ("complete", 200, 0, 0),
    ] {
        let mut changed = node.clone();
        changed["status"] = json!(status);
        api.send(&format!("PUT /scheduled_compute_nodes/{id}"), &changed)
            .await
            .ok();
        let told = api.get(&format!("/workflows/{flow}/status")).await;
        assert_eq!(told["pending_scheduled_nodes"], pending, "{status}");
        assert_eq!(told["active_scheduled_nodes"], active, "{status}");
        let reset = format!("POST /workflows/{flow}/reset_status");
        assert_eq!(
            api.send(&reset, &Value::Null).await.status,
            code,
            "{status}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn handlers_workers_and_statistics() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let other = api.workflow().await;
    let handler = json!({"workflow_id": flow, "name": "h", "rules": "not even JSON"});
    let handler = api.post("/failure_handlers", handler).await;
    assert_eq!(handler["rules"], "not even JSON");
    let id = handler["id"].as_i64().unwrap();
    let job = json!({"workflow_id": flow, "name": "j", "command": "c", "failure_handler_id": id});
    let job = api.post("/jobs", job).await["id"].as_i64().unwrap();
    let gone = api
        .send(&format!("DELETE /failure_handlers/{id}"), &Value::Null)
        .await
        .ok();
    assert_eq!((&gone["name"], &gone["id"]), (&json!("h"), &json!(id)));
    assert_eq!(gone["message"], "Failure handler deleted successfully");
    assert_eq!(
        api.get(&format!("/jobs/{job}")).await["failure_handler_id"],
        0
    );

    let workers = format!("/workflows/{flow}/remote_workers");
    let added = api.post(&workers, json!(["u@b:22", "a", "u@b:22"])).await;
    assert_eq!(added.as_array().unwrap().len(), 3);
    let row = |worker: &str| json!({"worker": worker, "workflow_id": flow});
    assert_eq!(api.get(&workers).await, json!([row("a"), row("u@b:22")]));
    let one = format!("DELETE {workers}/u%40b%3A22");
    assert_eq!(api.send(&one, &Value::Null).await.ok(), row("u@b:22"));
    assert_eq!(api.send(&one, &Value::Null).await.status, 404);
    assert_eq!(
        api.send(&format!("POST {workers}"), &json!([" "]))
            .await
            .status,
        422
    );

    let stats = json!({"workflow_id": flow, "job_id": job, "run_id": 1, "attempt_id": 1,
                       "max_rss_bytes": i64::MAX, "ave_cpu_seconds": 0.5});
    api.post("/slurm_stats", stats.clone()).await;
    let twice = api.send("POST /slurm_stats", &stats).await;
    assert_eq!(
        (twice.status, &twice.body["error"]["error"]),
        (409, &json!("Conflict"))
    );
    let mut foreign = stats.clone();
    foreign["workflow_id"] = json!(other);
    assert_eq!(api.send("POST /slurm_stats", &foreign).await.status, 422);
    for (filter, rows) in [("", 1), ("&run_id=1&attempt_id=1", 1), ("&attempt_id=2", 0)] {
        let page = format!("/slurm_stats?workflow_id={flow}&job_id={job}{filter}");
        assert_eq!(api.get(&page).await["total_count"], rows, "{filter}");
    }
    server.stop().await;
}

#[tokio::test]
async fn relationships_tell_who_writes_what_others_read() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let file = |name: &str| json!({"workflow_id": flow, "name": name, "path": name});
    let mut files = Vec::new();
    for name in ["z", "m", "a", "alone"] {
        files.push(api.post("/files", file(name)).await["id"].as_i64().unwrap());
    }
    let job = |name: &str, reads: &[i64], writes: &[i64]| {
        json!({"workflow_id": flow, "name": name, "command": "c", "input_file_ids": reads,
               "output_file_ids": writes})
    };
    let [z, m, a, _] = files[..] else { panic!() };
    api.post("/jobs", job("first", &[z], &[m])).await;
    api.post("/jobs", job("second", &[m], &[a])).await;
    api.post("/jobs", job("third", &[m], &[])).await;
    api.initialize(flow).await;
    let list = format!("/workflows/{flow}/job_file_relationships");
    let rows = |page: &Value| -> Vec<(String, Value, Value)> {
        let of = |row: &Value, name: &str| row.get(name).cloned().unwrap_or(json!(""));
        let rows = page["items"].as_array().unwrap().iter();
        rows.map(|row| {
            let name = row["file_name"].as_str().unwrap().to_owned();
            (
                name,
                of(row, "producer_job_name"),
                of(row, "consumer_job_name"),
            )
        })
        .collect()
    };
    let row = |name: &str, from: &str, to: &str| (name.to_owned(), json!(from), json!(to));
    let expected = vec![
        row("z", "", "first"),
        row("m", "first", "second"),
        row("m", "first", "third"),
        row("a", "second", ""),
    ];
    assert_eq!(rows(&api.get(&list).await), expected);
    let sorted = api.get(&format!("{list}?sort_by=file_name&limit=2")).await;
    assert_eq!(rows(&sorted), [expected[3].clone(), expected[1].clone()]);
    assert_eq!(
        (&sorted["total_count"], &sorted["has_more"]),
        (&json!(4), &json!(true))
    );
    let names = api
        .get(&format!(
            "/workflows/{flow}/job_dependencies?sort_by=job_name&reverse_sort=true"
        ))
        .await;
    assert_eq!(names["items"][0]["job_name"], "third");
    assert_eq!(names["items"][0]["depends_on_job_name"], "first");
    // Cut where other lists refuse; what is no column is ignored.
    let page = api
        .get(&format!("{list}?limit=100001&sort_by=1;DROP%20TABLE%20job"))
        .await;
    assert_eq!(page["count"], 4);
    let refused = api
        .send(&format!("GET {list}?offset=-1"), &Value::Null)
        .await;
    assert_eq!(refused.status, 422);
    server.stop().await;
}

#[tokio::test]
async fn a_run_describes_itself_and_the_files_that_exist() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = json!({"name": "w", "user": "u", "enable_ro_crate": true});
    let flow = api.post("/workflows", flow).await["id"].as_i64().unwrap();
    for (name, time) in [
        ("out/a.csv", json!(1_700_000_000.5)),
        ("b.txt", json!(null)),
    ] {
        let file = json!({"workflow_id": flow, "name": name, "path": name, "st_mtime": time});
        api.post("/files", file).await;
    }
    let list = format!("/workflows/{flow}/ro_crate_entities");
    api.initialize(flow).await;
    let entities = api.get(&list).await["items"].clone();
    assert_eq!(entities.as_array().unwrap().len(), 2, "{entities}");
    let file = &entities[0];
    assert_eq!(
        (&file["entity_id"], &file["entity_type"]),
        (&json!("out/a.csv"), &json!("File"))
    );
    assert_eq!(file["metadata"]["encodingFormat"], "text/csv");
    assert_eq!(file["metadata"]["dateModified"], "2023-11-14T22:13:20.500Z");
    assert_eq!(entities[1]["entity_id"], "#software-torc-server-run-id-0");

    // What somebody added stays; what is known anew is refreshed; a run is told once.
    let mut theirs = file.clone();
    theirs["metadata"] = json!({"author": "ada", "name": "old"});
    let id = theirs["id"].clone();
    api.send(&format!("PUT /ro_crate_entities/{id}"), &theirs)
        .await
        .ok();
    api.initialize(flow).await;
    let entities = api.get(&list).await["items"].clone();
    assert_eq!(entities.as_array().unwrap().len(), 2, "{entities}");
    let metadata = &entities[0]["metadata"];
    assert_eq!(
        (&metadata["author"], &metadata["name"]),
        (&json!("ada"), &json!("a.csv"))
    );

    let entity = |id: &str, file: Value| {
        json!({"workflow_id": flow, "entity_id": id, "entity_type": "T", "metadata": {},
               "file_id": file})
    };
    for (body, said) in [
        (
            entity("#x", json!(1)),
            "already exists for this workflow/file link",
        ),
        (
            entity("out/a.csv", json!(null)),
            "already exists for this workflow/entity_id link",
        ),
        (entity("#x", json!(99)), "is no file of workflow"),
    ] {
        let refused = api.send("POST /ro_crate_entities", &body).await;
        assert_eq!(refused.status, 422, "{body}");
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
    }
    let deleted = api.send(&format!("DELETE {list}"), &Value::Null).await.ok();
    assert_eq!(
        deleted,
        json!({"deleted_count": 2, "message": "Deleted 2 RO-Crate entities"})
    );
    server.stop().await;
}

/// Rows of the tables that belong to workflows.
fn rows(server: &TestServer) -> Vec<(String, i64)> {
    let sql = server.sql();
    let mut tables = sql
        .prepare(
            "SELECT m.name FROM sqlite_master m WHERE m.type = 'table' \
             AND m.name NOT LIKE 'sqlite_%' AND m.name NOT IN ('seaql_migrations', \
             'access_group', 'user_group_membership', 'admin_audit_log', '_sqlx_migrations')",
        )
        .unwrap();
    let names = tables.query_map((), |row| row.get(0)).unwrap();
    let count = |name: String| {
        let text = format!("SELECT count(*) FROM {name}");
        let rows = sql.query_row(&text, [], |row| row.get(0)).unwrap();
        (name, rows)
    };
    names.map(|name| count(name.unwrap())).collect()
}

#[tokio::test]
async fn nothing_of_a_deleted_workflow_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("full.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(include_str!("data/torc_file.sql"))
        .unwrap();
    drop(conn);
    let server = TestServer::start_with(|config| config.database = Some(path)).await;
    let full = rows(&server);
    let empty: Vec<_> = full.iter().filter(|(_, rows)| *rows == 0).collect();
    assert!(empty.is_empty(), "{empty:?} say nothing");
    let api: &Api = &server.api;
    api.send("DELETE /workflows/1", &Value::Null).await.ok();
    let left: Vec<_> = rows(&server)
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .collect();
    assert!(left.is_empty(), "{left:?}");
    server.stop().await;
}
