//! `torc-server export`: some workflows in a file of its own, while a server runs.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::process::{Answer, output_bounded, torc_server};
use crate::support::server::TestServer;

fn export(source: &Path, output: &Path, arguments: &[&str]) -> Answer {
    let mut command = torc_server();
    command
        .arg("export")
        .arg("-d")
        .arg(source)
        .arg("-o")
        .arg(output)
        .args(arguments);
    output_bounded(&mut command)
}

/// Ids of the workflows that a server finds in a file, and its number of jobs and groups.
async fn found(file: &Path) -> (Vec<i64>, i64, i64) {
    let file = file.to_owned();
    let server = TestServer::start_with(|config| config.database = Some(file)).await;
    let api = &server.api;
    let page = api.get("/workflows").await;
    let items = page["items"].as_array().unwrap();
    let ids: Vec<i64> = items
        .iter()
        .map(|item| item["id"].as_i64().unwrap())
        .collect();
    let mut jobs = 0;
    for id in &ids {
        let page = api.get(&format!("/jobs?workflow_id={id}")).await;
        jobs += page["total_count"].as_i64().unwrap();
    }
    let groups = api.get("/access_groups").await["total_count"]
        .as_i64()
        .unwrap();
    server.stop().await;
    (ids, jobs, groups)
}

#[tokio::test]
async fn the_chosen_workflows_are_copied_while_a_server_runs() {
    let server = TestServer::start().await;
    let api = &server.api;
    let team = api.post("/access_groups", json!({"name": "team"})).await["id"].clone();
    for user in ["ada", "bob", "ada"] {
        let flow = api
            .post("/workflows", json!({"name": "w", "user": user}))
            .await["id"]
            .clone();
        api.jobs(flow.as_i64().unwrap(), &[("a", &[]), ("b", &["a"])])
            .await;
    }
    api.post(&format!("/workflows/2/access_groups/{team}"), Value::Null)
        .await;
    let directory = tempfile::tempdir().unwrap();
    let group = team.to_string();
    let mut copies = Vec::new();
    for (name, arguments, ids, groups) in [
        ("all", vec![], vec![1, 2, 3], 1),
        ("ids", vec!["3", "2"], vec![2, 3], 1),
        ("user", vec!["--user", "ada"], vec![1, 3], 1),
        ("group", vec!["--access-group", &group], vec![2], 1),
        (
            "groups",
            vec!["--preserve-access-groups", "--no-vacuum", "2"],
            vec![2],
            2,
        ),
    ] {
        let output = directory.path().join(name);
        let answer = export(
            &server.database(),
            &output,
            &[&arguments[..], &["--json"]].concat(),
        );
        assert!(answer.code == Some(0), "{name}: {answer:?}");
        let said: Value = serde_json::from_str(&answer.out).unwrap();
        assert_eq!(said["workflows"], ids.len(), "{name}");
        assert_eq!(said["jobs"], 2 * ids.len(), "{name}");
        copies.push((output, ids, groups));
    }
    server.stop().await;
    for (output, ids, groups) in copies {
        let jobs = 2 * ids.len() as i64;
        assert_eq!(found(&output).await, (ids, jobs, groups), "{output:?}");
    }
}

#[tokio::test]
async fn nothing_is_written_by_mistake() {
    let server = TestServer::start().await;
    server.api.workflow().await;
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out.db");
    let source = server.database();
    for (arguments, said) in [
        (vec!["7"], "there is no workflow 7"),
        (vec!["--user", "nobody"], "user 'nobody' has no workflows"),
        (
            vec!["--access-group", "9"],
            "access group 9 has no workflows",
        ),
    ] {
        let answer = export(&source, &output, &arguments);
        assert_eq!(answer.code, Some(1), "{answer:?}");
        assert!(answer.err.contains(said), "{answer:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
    let both = export(&source, &output, &["1", "--user", "u"]);
    assert_eq!(both.code, Some(2), "{both:?}");

    std::fs::write(&output, "precious").unwrap();
    let answer = export(&source, &output, &[]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.err.contains("--overwrite replaces it"), "{answer:?}");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "precious");
    assert!(export(&source, &output, &["--overwrite"]).code == Some(0));
    assert!(
        std::fs::read(&output)
            .unwrap()
            .starts_with(b"SQLite format 3")
    );

    let nothing = directory.path().join("nothing.db");
    let answer = export(&nothing, &output, &["--overwrite"]);
    assert!(
        answer.err.contains("cannot read the database"),
        "{answer:?}"
    );
    assert!(!nothing.exists());
    server.stop().await;
}

#[tokio::test]
async fn a_database_that_is_in_use_is_not_replaced() {
    let source = TestServer::start().await;
    let target = TestServer::start().await;
    let flow = target.api.workflow().await;
    source.api.workflow().await;
    for (output, said) in [
        (source.database(), "it is the database that is to be copied"),
        (target.database(), "a server is running on it"),
    ] {
        let answer = export(&source.database(), &output, &["--overwrite"]);
        assert_eq!(answer.code, Some(1), "{answer:?}");
        assert!(answer.err.contains(said), "{answer:?}");
    }
    // Both go on, and what they acknowledge from now on is there.
    assert_eq!(target.api.get("/workflows").await["items"][0]["id"], flow);
    source.api.workflow().await;
    assert_eq!(source.api.get("/workflows").await["total_count"], 2);
    target.stop().await;
    source.stop().await;
}
