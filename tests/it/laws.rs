//! The law of release: for any acyclic graph, any order, any outcome and any grouping
//! of endings, a job is blocked, ready or cancelled exactly when the contract says so,
//! and an action is due exactly when what it waits for has happened.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::api::{Api, result};
use crate::support::server::TestServer;

/// A job: which earlier jobs it waits for, and whether a failure cancels it.
#[derive(Debug, Clone)]
struct Node {
    after: Vec<usize>,
    cancels: bool,
}

/// An ending: which of the ready jobs, and how it ends.
#[derive(Debug, Clone, Copy)]
struct Ending {
    pick: usize,
    status: &'static str,
    return_code: i64,
    /// Ends two at once, in one batch.
    batch: bool,
}

fn graph() -> impl Strategy<Value = Vec<Node>> {
    proptest::collection::vec((any::<u16>(), any::<bool>()), 1..9).prop_map(|seeds| {
        seeds
            .iter()
            .enumerate()
            .map(|(at, (bits, cancels))| Node {
                after: (0..at).filter(|earlier| bits >> earlier & 1 == 1).collect(),
                cancels: *cancels,
            })
            .collect()
    })
}

fn endings() -> impl Strategy<Value = Vec<Ending>> {
    let outcome = prop_oneof![
        4 => Just(("completed", 0)),
        1 => Just(("completed", 2)),
        3 => Just(("failed", 1)),
        1 => Just(("failed", 0)),
        1 => Just(("terminated", 0)),
        1 => Just(("terminated", 143)),
        1 => Just(("pending_failed", 1)),
    ];
    proptest::collection::vec((any::<usize>(), outcome, any::<bool>()), 1..12).prop_map(|all| {
        all.into_iter()
            .map(|(pick, (status, return_code), batch)| Ending {
                pick,
                status,
                return_code,
                batch,
            })
            .collect()
    })
}

/// An action: its trigger, and the jobs that it waits for, one bit each.
type Action = (&'static str, u16);

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let trigger = prop_oneof![
        Just("on_jobs_ready"),
        Just("on_jobs_complete"),
        Just("on_workflow_complete"),
    ];
    // Few bits, so that some of them come true.
    proptest::collection::vec((trigger, any::<u16>(), any::<u16>()), 0..5).prop_map(|all| {
        all.into_iter()
            .map(|(trigger, some, others)| (trigger, some & others))
            .collect()
    })
}

/// Whether a bit is set for this job.
const fn names(bits: u16, job: usize) -> bool {
    bits >> job & 1 == 1
}

/// The rules of the contract, told in the plainest way.
struct Model {
    graph: Vec<Node>,
    status: Vec<&'static str>,
    /// It was ready once.
    was_ready: Vec<bool>,
    codes: Vec<i64>,
    failures: bool,
}

fn ended(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "canceled" | "terminated")
}

impl Model {
    fn new(graph: Vec<Node>) -> Self {
        let was_ready: Vec<bool> = graph.iter().map(|node| node.after.is_empty()).collect();
        let first = |ready: &bool| if *ready { "ready" } else { "blocked" };
        Self {
            status: was_ready.iter().map(first).collect(),
            was_ready,
            codes: vec![0; graph.len()],
            graph,
            failures: false,
        }
    }

    fn ready(&self) -> Vec<usize> {
        (0..self.graph.len())
            .filter(|job| self.status[*job] == "ready")
            .collect()
    }

    fn end(&mut self, jobs: &[usize], ending: Ending) {
        for job in jobs {
            self.status[*job] = ending.status;
            self.codes[*job] = ending.return_code;
        }
        if !ended(ending.status) {
            return;
        }
        self.failures |= ending.return_code != 0;
        let waits_for_nobody =
            |status: &[&str], node: &Node| node.after.iter().all(|earlier| ended(status[*earlier]));
        let mut changed = self.failures;
        while changed {
            changed = false;
            for (job, node) in self.graph.iter().enumerate() {
                let bad = node
                    .after
                    .iter()
                    .any(|earlier| match self.status[*earlier] {
                        "canceled" | "terminated" => true,
                        "failed" => self.codes[*earlier] != 0,
                        _ => false,
                    });
                if self.status[job] == "blocked"
                    && node.cancels
                    && bad
                    && waits_for_nobody(&self.status, node)
                {
                    self.status[job] = "canceled";
                    changed = true;
                }
            }
        }
        for (job, node) in self.graph.iter().enumerate() {
            if self.status[job] == "blocked" && waits_for_nobody(&self.status, node) {
                self.status[job] = "ready";
                self.was_ready[job] = true;
            }
        }
    }

    /// Whether an action may be claimed.
    fn due(&self, (trigger, bits): Action) -> bool {
        let jobs = 0..self.graph.len();
        let mut named = jobs.clone().filter(|job| names(bits, *job)).peekable();
        let any = named.peek().is_some();
        match trigger {
            "on_jobs_ready" => any && named.all(|job| self.was_ready[job]),
            "on_jobs_complete" => any && named.all(|job| ended(self.status[job])),
            _ => self.status.iter().all(|status| ended(status)),
        }
    }
}

/// Creates the actions; answers their ids.
async fn create_actions(api: &Api, flow: i64, jobs: &[i64], actions: &[Action]) -> Vec<Value> {
    let mut ids = Vec::new();
    for (trigger, bits) in actions {
        let named: Vec<i64> = (0..jobs.len())
            .filter(|job| names(*bits, *job))
            .map(|job| jobs[job])
            .collect();
        let action = json!({
            "workflow_id": flow, "trigger_type": trigger, "job_ids": named,
            "action_type": "run_commands", "action_config": {"commands": ["true"]},
        });
        let path = format!("/workflows/{flow}/actions");
        ids.push(api.post(&path, action).await["id"].clone());
    }
    ids
}

/// The ids of the actions that may be claimed.
async fn pending(api: &Api, flow: i64) -> Vec<Value> {
    let pending = api.get(&format!("/workflows/{flow}/actions/pending")).await;
    let pending = pending.as_array().unwrap().iter();
    pending.map(|action| action["id"].clone()).collect()
}

async fn follow(
    api: &Api,
    graph: Vec<Node>,
    endings: Vec<Ending>,
    actions: Vec<Action>,
) -> Result<(), TestCaseError> {
    let flow = api.workflow().await;
    let mut ids: Vec<i64> = Vec::new();
    for (at, node) in graph.iter().enumerate() {
        let depends_on: Vec<i64> = node.after.iter().map(|earlier| ids[*earlier]).collect();
        let job = json!({
            "workflow_id": flow, "name": format!("j{at}"), "command": "true",
            "depends_on_job_ids": depends_on, "cancel_on_blocking_job_failure": node.cancels,
        });
        ids.push(api.post("/jobs", job).await["id"].as_i64().unwrap());
    }
    let compute_node = api.compute_node(flow).await;
    let action_ids = create_actions(api, flow, &ids, &actions).await;
    api.initialize(flow).await;
    let mut model = Model::new(graph);
    let due = |model: &Model| -> Vec<Value> {
        let both = actions.iter().zip(&action_ids);
        both.filter(|(action, _)| model.due(**action))
            .map(|(_, id)| id.clone())
            .collect()
    };
    prop_assert_eq!(pending(api, flow).await, due(&model), "at the start");
    for ending in endings {
        let ready = model.ready();
        if ready.is_empty() {
            break;
        }
        let mut jobs = vec![ready[ending.pick % ready.len()]];
        if ending.batch && ready.len() > 1 {
            jobs.push(ready[(ending.pick + 1) % ready.len()]);
        }
        let completions: Vec<Value> = jobs
            .iter()
            .map(|job| {
                let (id, code) = (ids[*job], ending.return_code);
                json!({
                    "job_id": id, "status": ending.status, "run_id": 0,
                    "result": result(flow, id, compute_node, ending.status, code),
                })
            })
            .collect();
        if let ([_], [one]) = (&jobs[..], &completions[..]) {
            let path = format!("/jobs/{}/complete_job/{}/0", one["job_id"], ending.status);
            api.post(&path, one["result"].clone()).await;
        } else {
            let path = format!("/workflows/{flow}/batch_complete_jobs");
            let answer = api.post(&path, json!({"completions": completions})).await;
            prop_assert_eq!(&answer["errors"], &json!([]));
        }
        model.end(&jobs, ending);
        let page = api.get(&format!("/jobs?workflow_id={flow}")).await;
        let now: Vec<&str> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["status"].as_str().unwrap())
            .collect();
        prop_assert_eq!(&now, &model.status, "after {:?} of {:?}", ending, &jobs);
        prop_assert_eq!(
            pending(api, flow).await,
            due(&model),
            "after {:?} of {:?}, of {:?}",
            ending,
            &jobs,
            &actions
        );
    }
    Ok(())
}

#[test]
fn jobs_are_released_and_actions_due_exactly_when_the_contract_says_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(
            &(graph(), endings(), actions()),
            |(graph, endings, actions)| {
                runtime.block_on(follow(&server.api, graph, endings, actions))
            },
        )
        .unwrap();
    runtime.block_on(server.stop());
}
