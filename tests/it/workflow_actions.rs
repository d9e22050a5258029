//! Workflow actions: when they become due, and who gets them.

use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::server::TestServer;

async fn create(api: &Api, flow: i64, trigger: &str, more: Value) -> i64 {
    let mut action = json!({
        "workflow_id": flow, "trigger_type": trigger, "action_type": "run_commands",
        "action_config": {"commands": ["echo hello"]},
    });
    let fields = more.as_object().unwrap().clone();
    action.as_object_mut().unwrap().extend(fields);
    let made = api
        .post(&format!("/workflows/{flow}/actions"), action)
        .await;
    made["id"].as_i64().unwrap()
}

/// Ids of the actions that are due.
async fn due(api: &Api, flow: i64, query: &str) -> Vec<i64> {
    let pending = api
        .get(&format!("/workflows/{flow}/actions/pending{query}"))
        .await;
    let ids = pending
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["id"].as_i64().unwrap());
    ids.collect()
}

async fn end(api: &Api, flow: i64, node: i64, job: i64, return_code: i64) {
    let status = if return_code == 0 {
        "completed"
    } else {
        "failed"
    };
    let ending = result(flow, job, node, status, return_code);
    api.post(&format!("/jobs/{job}/complete_job/{status}/0"), ending)
        .await;
}

#[tokio::test]
async fn actions_become_due_as_their_jobs_move() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let node = api.compute_node(flow).await;
    let chain: &[(&str, &[&str])] = &[("a", &[]), ("b", &[]), ("c", &["a"]), ("d", &["b"])];
    let jobs = api.jobs(flow, chain).await;
    let [a, b, c, d] = jobs[..] else { panic!() };
    let start = create(api, flow, "on_workflow_start", json!({})).await;
    let both_ready = create(api, flow, "on_jobs_ready", json!({"job_ids": [a, c]})).await;
    let one_ended = create(api, flow, "on_jobs_complete", json!({"job_ids": [a]})).await;
    let all_ended = create(api, flow, "on_jobs_complete", json!({"job_ids": [a, c, d]})).await;
    let at_end = create(api, flow, "on_workflow_complete", json!({})).await;
    let worker = create(api, flow, "on_worker_start", json!({"persistent": true})).await;
    assert_eq!(due(api, flow, "").await, Vec::<i64>::new());

    api.initialize(flow).await;
    assert_eq!(due(api, flow, "").await, [start, worker]);
    let of = "?trigger_type=on_worker_start&trigger_type=on_jobs_ready";
    assert_eq!(due(api, flow, of).await, [worker]);
    end(api, flow, node, a, 0).await;
    assert_eq!(
        due(api, flow, "").await,
        [start, both_ready, one_ended, worker]
    );
    // A batch counts each of its jobs; a job that is cancelled by a failure has ended too.
    let entry = |job: i64, status: &str, code: i64| {
        json!({"job_id": job, "status": status, "run_id": 0,
               "result": result(flow, job, node, status, code)})
    };
    let batch = json!({"completions": [entry(b, "failed", 1), entry(c, "completed", 0)]});
    api.post(&format!("/workflows/{flow}/batch_complete_jobs"), batch)
        .await;
    assert_eq!(api.status(d).await, "canceled");
    let all = [start, both_ready, one_ended, all_ended, at_end, worker];
    assert_eq!(due(api, flow, "").await, all);

    // A run of a part leaves done what was done and needs no doing again.
    for action in all {
        let claim = format!("/workflows/{flow}/actions/{action}/claim");
        api.post(&claim, json!({"compute_node_id": node})).await;
    }
    assert_eq!(due(api, flow, "").await, [worker]);
    let reset = format!("PUT /jobs/{d}/manage_status_change/uninitialized/0");
    api.send(&reset, &Value::Null).await.ok();
    let again = format!("/workflows/{flow}/initialize_jobs?only_uninitialized=true");
    api.post(&again, Value::Null).await;
    assert_eq!(due(api, flow, "").await, [worker]);
    end(api, flow, node, d, 0).await;
    assert_eq!(due(api, flow, "").await, [all_ended, at_end, worker]);
    // A whole run does everything again.
    api.post(&format!("/workflows/{flow}/reset_job_status"), Value::Null)
        .await;
    api.initialize(flow).await;
    assert_eq!(due(api, flow, "").await, [start, worker]);
    server.stop().await;
}

#[tokio::test]
async fn an_action_is_claimed_by_one() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let action = create(api, flow, "on_workflow_start", json!({})).await;
    let everybodys = create(api, flow, "on_worker_start", json!({"persistent": true})).await;
    api.initialize(flow).await;
    let node = api.compute_node(flow).await;
    let claim = async |action: i64| {
        let claims = (0..16).map(|_| {
            let request = format!("POST /workflows/{flow}/actions/{action}/claim");
            let (api, body) = (api.clone(), json!({"compute_node_id": node}));
            tokio::spawn(async move { api.send(&request, &body).await })
        });
        let mut answers = Vec::new();
        for claim in claims.collect::<Vec<_>>() {
            answers.push(claim.await.unwrap());
        }
        answers
    };
    let answers = claim(action).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 15));
    assert_eq!(won[0].body, json!({"action_id": action, "success": true}));
    assert_eq!(lost[0].status, 409);
    assert_eq!(lost[0].body["error"]["claimed"], false);
    let answers = claim(everybodys).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(due(api, flow, "").await, [everybodys]);
    server.stop().await;
}

#[tokio::test]
async fn what_no_worker_could_do_is_refused() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let other = api.workflow().await;
    let job = api.jobs(other, &[("x", &[])]).await[0];
    let action = create(api, flow, "on_workflow_start", json!({})).await;
    let new = |config: Value, jobs: Value| {
        json!({"workflow_id": flow, "trigger_type": "on_jobs_ready", "job_ids": jobs,
               "action_type": "run_commands", "action_config": config})
    };
    let commands = json!({"commands": ["true"]});
    let here = format!("/workflows/{flow}/actions");
    let one = format!("{here}/{action}");
    let elsewhere = format!("/workflows/{other}/actions/{action}");
    for (request, body, status, said) in [
        (
            format!("POST {here}"),
            new(json!({}), json!(null)),
            422,
            "Invalid action_config",
        ),
        (
            format!("POST {here}"),
            new(commands.clone(), json!([job])),
            422,
            "does not have",
        ),
        (
            format!("PUT {one}"),
            json!({}),
            422,
            "fields of action_config",
        ),
        (
            format!("PUT {one}"),
            json!([1]),
            422,
            "fields of action_config",
        ),
        (
            format!("PUT {one}"),
            json!({"x": 1}),
            422,
            "Invalid action_config",
        ),
        (
            format!("PUT {one}"),
            json!({"commands": []}),
            422,
            "Invalid action_config",
        ),
        (
            format!("PUT {elsewhere}"),
            json!({"commands": ["a"]}),
            404,
            "Action not found",
        ),
        (
            format!("DELETE {elsewhere}"),
            Value::Null,
            404,
            "Action not found",
        ),
        (
            format!("POST {elsewhere}/claim"),
            json!({}),
            404,
            "Action not found",
        ),
        (
            format!("POST {one}/claim"),
            json!({"compute_node_id": 99}),
            422,
            "does not exist",
        ),
        (
            "GET /workflows/99/actions".to_owned(),
            Value::Null,
            404,
            "Workflow not found",
        ),
    ] {
        let answer = api.send(&request, &body).await;
        assert_eq!(answer.status, status, "{request} {body}: {answer:?}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{request}: {message}");
    }
    let changed = api
        .send(&format!("PUT {one}"), &json!({"commands": ["b"]}))
        .await
        .ok();
    assert_eq!(changed["action_config"], json!({"commands": ["b"]}));
    api.send(&format!("DELETE {one}"), &Value::Null).await.ok();
    assert_eq!(api.get(&here).await, json!([]));
    server.stop().await;
}

/// A job counts once for an action, however often its list names it, and ends once.
#[tokio::test]
async fn a_job_counts_once() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let node = api.compute_node(flow).await;
    let jobs = api.jobs(flow, &[("a", &[]), ("b", &[])]).await;
    let (a, b) = (jobs[0], jobs[1]);
    let twice = create(api, flow, "on_jobs_complete", json!({"job_ids": [a, a]})).await;
    let both = create(api, flow, "on_jobs_complete", json!({"job_ids": [a, b, a]})).await;
    let nobody = create(api, flow, "on_jobs_complete", json!({"job_ids": []})).await;
    let required = |action: &Value| action["required_triggers"].as_i64().unwrap();
    let stored = api.get(&format!("/workflows/{flow}/actions")).await;
    let stored: Vec<i64> = stored.as_array().unwrap().iter().map(required).collect();
    assert_eq!(stored, [1, 2, 1]);
    api.initialize(flow).await;
    let entry = |job: i64| {
        json!({"job_id": job, "status": "completed", "run_id": 0,
               "result": result(flow, job, node, "completed", 0)})
    };
    let batch = json!({"completions": [entry(a), entry(a)]});
    let path = format!("/workflows/{flow}/batch_complete_jobs");
    let answer = api.post(&path, batch).await;
    assert_eq!(answer["completed"], json!([a]));
    assert_eq!(due(api, flow, "").await, [twice]);
    end(api, flow, node, b, 0).await;
    assert_eq!(due(api, flow, "").await, [twice, both]);
    assert!(!due(api, flow, "").await.contains(&nobody));
    server.stop().await;
}

/// What the server computes is not taken from a request, and what would make an action due
/// or done is not either.
#[tokio::test]
async fn a_new_action_is_neither_due_nor_done() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let node = api.compute_node(flow).await;
    let told = json!({
        "id": 77, "workflow_id": i64::MAX, "trigger_count": i64::MAX,
        "required_triggers": i64::MIN, "executed": true, "executed_at": "now",
        "executed_by": node, "trigger_type": "' OR 1 = 1 --",
    });
    let action = create(api, flow, "any", told).await;
    let expected = json!([{
        "id": action, "workflow_id": flow, "trigger_type": "' OR 1 = 1 --",
        "action_type": "run_commands", "action_config": {"commands": ["echo hello"]},
        "trigger_count": 0, "required_triggers": 1, "executed": false,
        "persistent": false, "is_recovery": false,
    }]);
    assert_ne!(action, 77);
    let here = format!("/workflows/{flow}/actions");
    assert_eq!(api.get(&here).await, expected);
    assert_eq!(due(api, flow, "").await, Vec::<i64>::new());
    let hostile = "?trigger_type=%27%20OR%201%20=%201%20--&trigger_type=&trigger_type=%00";
    assert_eq!(due(api, flow, hostile).await, Vec::<i64>::new());
    // A claim does not ask whether an action is due.
    let claim = format!("{here}/{action}/claim");
    api.post(&claim, json!({"compute_node_id": null})).await;
    let claimed = &api.get(&here).await[0];
    assert_eq!(claimed["executed"], true);
    assert!(claimed.get("executed_by").is_none());
    server.stop().await;
}

/// The next run begins without what was made for a recovery.
#[tokio::test]
async fn an_initialisation_forgets_recoveries() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let job = api.jobs(flow, &[("a", &[])]).await[0];
    let kept = create(api, flow, "on_jobs_ready", json!({"job_ids": [job]})).await;
    let recovery = json!({"job_ids": [job], "is_recovery": true});
    create(api, flow, "on_jobs_ready", recovery).await;
    api.initialize(flow).await;
    let left = api.get(&format!("/workflows/{flow}/actions")).await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(due(api, flow, "").await, [kept]);
    server.stop().await;
}

/// Many actions with long lists: an ended job is looked up, no list is read.
#[tokio::test]
async fn long_lists_are_counted_job_by_job() {
    let server = TestServer::start().await;
    let api = &server.api;
    let flow = api.workflow().await;
    let node = api.compute_node(flow).await;
    let jobs: Vec<Value> = (0..3_000)
        .map(|job| json!({"workflow_id": flow, "name": format!("j{job}"), "command": "true"}))
        .collect();
    let made = api.post("/bulk_jobs", json!({"jobs": jobs})).await;
    let made = made["jobs"].as_array().unwrap().iter();
    let ids: Vec<i64> = made.map(|job| job["id"].as_i64().unwrap()).collect();
    let mut actions = Vec::new();
    for _ in 0..20 {
        actions.push(create(api, flow, "on_jobs_complete", json!({"job_ids": ids})).await);
    }
    api.initialize(flow).await;
    let entry = |job: &i64| {
        json!({"job_id": job, "status": "completed", "run_id": 0,
               "result": result(flow, *job, node, "completed", 0)})
    };
    let completions: Vec<Value> = ids[1..].iter().map(entry).collect();
    let path = format!("/workflows/{flow}/batch_complete_jobs");
    api.post(&path, json!({"completions": completions})).await;
    assert_eq!(due(api, flow, "").await, Vec::<i64>::new());
    end(api, flow, node, ids[0], 0).await;
    assert_eq!(due(api, flow, "").await, actions);
    server.stop().await;
}
