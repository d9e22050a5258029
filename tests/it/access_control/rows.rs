//! Rows of a workflow, and requests about them: one of each operation of the contract.

use serde_json::{Value, json};

use super::ask;
use crate::support::api::Api;

/// Rows of a workflow of the owner's, one of each noun.
pub struct Rows {
    /// The workflow.
    pub workflow: i64,
    group: i64,
    other_group: i64,
    job: i64,
    running: i64,
    ids: Vec<(&'static str, i64)>,
}

impl Rows {
    /// As the owner makes them; the administrator makes the groups.
    pub async fn make(api: &Api, name: &str) -> Self {
        let create = async |user: &str, path: &str, body: Value| {
            let made = ask(api, user, &format!("POST {path}"), &body).await.ok();
            made["id"].as_i64().unwrap_or_default()
        };
        let group = create("root", "/access_groups", json!({"name": name})).await;
        let other = json!({"name": format!("{name}, other")});
        let other_group = create("root", "/access_groups", other).await;
        for (user, role) in [
            ("member", "member"),
            ("chief", "admin"),
            ("extra", "member"),
        ] {
            let body = json!({"user_name": user, "group_id": group, "role": role});
            create("root", &format!("/access_groups/{group}/members"), body).await;
        }
        let body = json!({"user_name": "chief", "group_id": other_group, "role": "admin"});
        create(
            "root",
            &format!("/access_groups/{other_group}/members"),
            body,
        )
        .await;
        let body = json!({"name": name, "user": "ignored", "access_groups": [name]});
        let workflow = create("owner", "/workflows", body).await;
        let mut rows = Self {
            workflow,
            group,
            other_group,
            job: 0,
            running: 0,
            ids: Vec::new(),
        };
        let mut node = 0;
        for (noun, operation) in NOUNS {
            let body = rows.body(operation, node);
            let path = noun_path(noun, workflow);
            let id = create("owner", &path, body).await;
            match *noun {
                "jobs" => rows.job = id,
                "compute_nodes" => node = id,
                _ => {}
            }
            rows.ids.push((noun, id));
        }
        rows.running = rows.run(api, node).await;
        rows
    }

    /// Makes a job that runs, and a task.
    async fn run(&mut self, api: &Api, node: i64) -> i64 {
        let flow = self.workflow;
        let body = json!({"workflow_id": flow, "name": "running", "command": "true",
                          "priority": 9});
        let job = ask(api, "owner", "POST /jobs", &body).await.ok();
        let job = job["id"].as_i64().unwrap();
        for request in [
            format!("POST /workflows/{flow}/initialize_jobs"),
            format!("POST /workflows/{flow}/claim_next_jobs?limit=1"),
            format!("PUT /jobs/{job}/start_job/0/{node}"),
        ] {
            ask(api, "owner", &request, &Value::Null).await.ok();
        }
        let workers = format!("POST /workflows/{flow}/remote_workers");
        ask(api, "owner", &workers, &json!(["host"])).await.ok();
        let later = format!("POST /workflows/{flow}/initialize_jobs?only_uninitialized=true");
        let task = ask(api, "owner", &format!("{later}&async=true"), &Value::Null).await;
        assert_eq!(task.status, 202, "{task:?}");
        self.ids.push(("tasks", task.body["id"].as_i64().unwrap()));
        job
    }

    /// The id of the row of a noun.
    pub fn id(&self, noun: &str) -> i64 {
        self.ids.iter().find(|(of, _)| *of == noun).unwrap().1
    }

    /// The path of an operation, about these rows.
    pub fn path(&self, template: &str, operation: &str) -> String {
        let noun = template.split('/').nth(1).unwrap();
        let id = match noun {
            "workflows" => self.workflow,
            "access_groups" => self.group,
            "access_check" | "users" | "admin" => 0,
            "jobs" if operation == "spawn_jobs" || operation == "complete_job" => self.running,
            "jobs" if operation == "retry_job" => self.running,
            _ if template.contains("{id}") => self.id(noun),
            _ => 0,
        };
        let group = if operation == "add_workflow_to_group" {
            self.other_group
        } else {
            self.group
        };
        let user = if noun == "access_groups" {
            "extra"
        } else {
            "member"
        };
        let path = template
            .replace("{id}", &id.to_string())
            .replace("{workflow_id}", &self.workflow.to_string())
            .replace("{group_id}", &group.to_string())
            .replace("{user_name}", user)
            .replace("{worker}", "host")
            .replace("{run_id}", "0")
            .replace("{limit}", "1")
            .replace(
                "{status}",
                match operation {
                    "complete_job" => "completed",
                    _ => "uninitialized",
                },
            );
        let path = if template.contains("{action_id}") {
            path.replace("{action_id}", &self.id("actions").to_string())
        } else {
            path
        };
        let path = if template.contains("{compute_node_id}") {
            path.replace("{compute_node_id}", &self.id("compute_nodes").to_string())
        } else {
            path
        };
        match operation {
            "retry_job" => path + "?max_retries=9",
            _ if !template.contains('{') => format!("{path}?workflow_id={}", self.workflow),
            _ => path,
        }
    }

    /// A body that the operation takes.
    pub fn body(&self, operation: &str, node: i64) -> Value {
        let flow = self.workflow;
        match operation {
            "create_access_group" => json!({"name": format!("new {flow}")}),
            "add_user_to_group" => json!({"user_name": "new", "group_id": 0, "role": "member"}),
            "admin_sql" => json!({"sql": "SELECT 1"}),
            "create_files" => json!({"files": [{"workflow_id": flow, "name": "f", "path": "p"}]}),
            "create_jobs" => json!({"jobs": [{"workflow_id": flow, "name": "b", "command": "c"}]}),
            "create_user_data_list" => json!({"user_data": [{"workflow_id": flow, "name": "u"}]}),
            "create_compute_node" | "update_compute_node" => json!({
                "workflow_id": flow, "hostname": "h", "pid": 1, "num_cpus": 1, "memory_gb": 1.0,
                "num_gpus": 0, "num_nodes": 1, "compute_node_type": "local",
                "start_time": "2026-01-01T00:00:00Z",
            }),
            "create_event" => json!({"workflow_id": flow, "timestamp": 0, "data": {}}),
            "update_event" => json!({"a": 1}),
            "create_failure_handler" => json!({"workflow_id": flow, "name": "h", "rules": "[]"}),
            "create_file" | "update_file" => json!({"workflow_id": flow, "name": "f", "path": "p"}),
            "create_job" | "update_job" => {
                json!({"workflow_id": flow, "name": "j", "command": "c"})
            }
            "complete_job" => self.result(self.running, node),
            "create_result" | "update_result" => self.result(self.job, node),
            "spawn_jobs" => json!({"jobs": []}),
            "create_local_scheduler" | "update_local_scheduler" => {
                json!({"workflow_id": flow, "memory": "1g", "num_cpus": 1})
            }
            "create_resource_requirements" | "update_resource_requirements" => {
                json!({"workflow_id": flow, "name": "r", "num_cpus": 1, "num_gpus": 0,
                       "num_nodes": 1, "memory": "1g", "runtime": "PT1H"})
            }
            "create_ro_crate_entity" | "update_ro_crate_entity" => json!({
                "workflow_id": flow, "entity_id": format!("#{operation}"), "entity_type": "T",
                "metadata": {},
            }),
            "create_scheduled_compute_node" | "update_scheduled_compute_node" => json!({
                "workflow_id": flow, "scheduler_id": 1, "scheduler_config_id": 1,
                "scheduler_type": "slurm", "status": "complete",
            }),
            "create_slurm_scheduler" | "update_slurm_scheduler" => {
                json!({"workflow_id": flow, "account": "a", "nodes": 1, "walltime": "01:00:00"})
            }
            "create_slurm_stats" => {
                json!({"workflow_id": flow, "job_id": self.job, "run_id": 0,
                       "attempt_id": self.ids.len()})
            }
            "create_user_data" | "update_user_data" => json!({"workflow_id": flow, "name": "u"}),
            "create_workflow" => json!({"name": "w", "user": "somebody"}),
            "update_workflow" => json!({"name": "w", "user": "owner"}),
            "create_workflow_action" => json!({
                "workflow_id": flow, "trigger_type": "on_workflow_start",
                "action_type": "run_commands", "action_config": {"commands": ["true"]},
            }),
            "update_workflow_action" => json!({"commands": ["false"]}),
            "claim_action" => json!({}),
            "archive_workflow" => json!({"is_archived": false}),
            "batch_complete_jobs" => json!({"completions": []}),
            "claim_jobs_based_on_resources" => {
                json!({"num_cpus": 1, "memory_gb": 1.0, "num_gpus": 0, "num_nodes": 1})
            }
            "create_remote_workers" => json!(["another"]),
            _ => Value::Null,
        }
    }

    fn result(&self, job: i64, node: i64) -> Value {
        json!({
            "workflow_id": self.workflow, "job_id": job, "run_id": 0,
            "compute_node_id": node, "return_code": 0, "exec_time_minutes": 1.0,
            "completion_time": "2026-01-01T00:00:00Z", "status": "completed",
        })
    }
}

/// Nouns whose rows have ids, with the operation that creates one.
const NOUNS: &[(&str, &str)] = &[
    ("compute_nodes", "create_compute_node"),
    ("resource_requirements", "create_resource_requirements"),
    ("files", "create_file"),
    ("user_data", "create_user_data"),
    ("jobs", "create_job"),
    ("events", "create_event"),
    ("failure_handlers", "create_failure_handler"),
    ("local_schedulers", "create_local_scheduler"),
    ("slurm_schedulers", "create_slurm_scheduler"),
    ("scheduled_compute_nodes", "create_scheduled_compute_node"),
    ("slurm_stats", "create_slurm_stats"),
    ("ro_crate_entities", "create_ro_crate_entity"),
    ("results", "create_result"),
    ("actions", "create_workflow_action"),
];

fn noun_path(noun: &str, workflow: i64) -> String {
    match noun {
        "actions" => format!("/workflows/{workflow}/actions"),
        _ => format!("/{noun}"),
    }
}
