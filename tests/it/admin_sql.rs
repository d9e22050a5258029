//! SQL of administrators, and its log.

use serde_json::{Value, json};

use crate::support::api::{Answer, Api};
use crate::support::server::TestServer;

async fn sql(api: &Api, body: Value) -> Answer {
    api.send("POST /admin/sql", &body).await
}

#[tokio::test]
async fn reading_answers_rows_by_column() {
    let server = TestServer::start().await;
    let api = &server.api;
    let statement = "SELECT 9223372036854775807 AS n, 1.5 AS n, x'00ff' AS b, NULL AS nil, \
                     'it''s; DROP TABLE job' AS text, 1e999 AS endless";
    let answer = sql(api, json!({"sql": statement})).await.ok();
    assert_eq!(
        answer["columns"],
        json!(["n", "n_2", "b", "nil", "text", "endless"])
    );
    let row = json!({"n": 9223372036854775807_i64, "n_2": 1.5, "b": "00ff", "nil": null,
                     "text": "it's; DROP TABLE job", "endless": null});
    assert_eq!(answer["items"], json!([row]));
    assert_eq!(answer["committed"], false);
    assert_eq!(answer.get("rows_affected"), None);
    for (limit, rows) in [(json!(0), 1), (json!(2), 2), (json!(null), 3)] {
        let body = json!({"sql": "VALUES (1), (2), (3);", "limit": limit});
        let answer = sql(api, body).await.ok();
        assert_eq!(answer["items"].as_array().unwrap().len(), rows, "{limit}");
    }
    for (statement, kind) in [
        ("SELECT nothing FROM nowhere", "QueryFailed"),
        ("SELECT load_extension('x')", "QueryFailed"),
        ("DELETE FROM job", "InvalidStatement"),
        ("WITH x AS (SELECT 1) DELETE FROM job", "InvalidStatement"),
        ("SELECT 1; SELECT 2", "InvalidStatement"),
        ("", "InvalidStatement"),
    ] {
        let answer = sql(api, json!({"sql": statement})).await;
        assert_eq!(answer.status, 422, "{statement}: {answer:?}");
        assert_eq!(answer.body["error"]["error"], kind, "{statement}");
    }
    assert_eq!(api.get("/admin/audit-log").await["total_count"], 0);
    server.stop().await;
}

#[tokio::test]
async fn a_write_and_its_log_are_one_and_the_counters_stay_right() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let jobs = api
        .jobs(flow, &[("a", &[]), ("b", &["a"]), ("c", &["a", "b"])])
        .await;
    api.initialize(flow).await;
    let write = |sql: &str| json!({"sql": sql, "write": true});
    // Past every trigger: the counters are made anew (and looked at when the server stops).
    for (statement, rows) in [
        ("UPDATE job SET blockers = 77 WHERE name <> 'a'", 2),
        ("UPDATE job_status_count SET jobs = 99 WHERE status = 1", 1),
        (
            "INSERT OR REPLACE INTO job SELECT * FROM job WHERE name = 'a'",
            1,
        ),
        ("DELETE FROM job WHERE name = 'b'", 1),
    ] {
        let statement = match statement {
            // Generated columns cannot be written.
            "INSERT OR REPLACE INTO job SELECT * FROM job WHERE name = 'a'" => {
                "INSERT OR REPLACE INTO job (id, workflow_id, name, command, status, \
                 resource_requirements_id) SELECT id, workflow_id, name, command, status, \
                 resource_requirements_id FROM job WHERE name = 'a'"
            }
            other => other,
        };
        let answer = sql(api, write(statement)).await.ok();
        assert_eq!(answer["rows_affected"], rows, "{statement}: {answer}");
        assert_eq!(answer["committed"], true);
    }
    assert_eq!(
        api.get(&format!("/workflows/{flow}/status")).await["total_jobs"],
        2
    );

    let mut dry = write("DELETE FROM job WHERE name = 'c'");
    dry["dry_run"] = json!(true);
    let answer = sql(api, dry).await.ok();
    assert_eq!(
        (&answer["rows_affected"], &answer["committed"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(api.status(jobs[2]).await, "blocked");

    let failed = sql(
        api,
        write("UPDATE job SET workflow_id = 99 WHERE name = 'c'"),
    )
    .await;
    assert_eq!(failed.status, 422, "{failed:?}");
    assert_eq!(failed.body["error"]["error"], "ExecutionFailed");
    let refused = sql(api, write("UPDATE job SET priority = 1")).await;
    assert_eq!(refused.body["error"]["error"], "InvalidStatement");
    let mut whole = write("UPDATE job SET priority = 1");
    whole["allow_full_table"] = json!(true);
    assert_eq!(sql(api, whole).await.ok()["rows_affected"], 2);

    let log = api.get("/admin/audit-log?limit=2").await;
    assert_eq!(log["total_count"], 6, "{log}");
    let newest = &log["items"][0];
    assert_eq!(newest["sql_text"], "UPDATE job SET priority = 1");
    assert_eq!(newest["allow_full_table"], true);
    assert_eq!(newest["user_name"], "anonymous");
    let failed = &log["items"][1];
    assert_eq!(
        (&failed["success"], &failed["committed"]),
        (&json!(false), &json!(false))
    );
    assert!(
        failed["error"].as_str().unwrap().contains("FOREIGN KEY"),
        "{failed}"
    );
    server.stop().await;
}

#[tokio::test]
async fn flags_switch_it_off() {
    for (enabled, writes, read, write) in [(false, true, 403, 403), (true, false, 200, 403)] {
        let server = TestServer::start_with(|config| {
            config.admin_sql = enabled;
            config.admin_sql_writes = writes;
        })
        .await;
        let api = &server.api;
        assert_eq!(sql(api, json!({"sql": "SELECT 1"})).await.status, read);
        let change = json!({"sql": "DELETE FROM job WHERE id = 1", "write": true});
        assert_eq!(sql(api, change).await.status, write);
        assert_eq!(api.get("/admin/audit-log").await["total_count"], 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn what_would_reach_past_the_statement_is_refused() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let job = api.jobs(flow, &[("a", &[])]).await[0];
    for statement in [
        "CREATE TEMP TABLE file AS SELECT * FROM main.file WHERE 0",
        "CREATE TABLE extra (id INTEGER)",
        "UPDATE job SET priority = 7\0 WHERE id = 1",
        "UPDATE job AS \u{a0}where SET priority = 7",
        "UPDATE OR ROLLBACK job SET id = 2 WHERE id = 1",
    ] {
        let answer = sql(api, json!({"sql": statement, "write": true})).await;
        assert_eq!(answer.status, 422, "{statement}: {answer:?}");
        assert_eq!(
            answer.body["error"]["error"], "InvalidStatement",
            "{statement}"
        );
    }
    assert_eq!(api.get(&format!("/jobs/{job}")).await["priority"], 0);
    let large = sql(api, json!({"sql": "SELECT zeroblob(200000000)"})).await;
    assert_eq!(
        (large.status, &large.body["error"]["error"]),
        (422, &json!("QueryFailed"))
    );

    // The table of what actions wait for is made anew as well.
    let action = json!({
        "workflow_id": flow, "trigger_type": "on_jobs_ready", "job_ids": [job],
        "action_type": "run_commands", "action_config": {"commands": ["true"]},
    });
    api.post(&format!("/workflows/{flow}/actions"), action)
        .await;
    let forget = json!({"sql": "DELETE FROM workflow_action_job WHERE 1", "write": true});
    assert_eq!(sql(api, forget).await.ok()["rows_affected"], 1);
    api.initialize(flow).await;
    let due = api.get(&format!("/workflows/{flow}/actions/pending")).await;
    assert_eq!(due.as_array().unwrap().len(), 1, "{due}");
    server.stop().await;
}
