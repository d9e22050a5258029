//! What an action's configuration may say, by the type of the action.

use serde_json::{Map, Value};

use super::EngineError;

/// What a field of `schedule_nodes` must be.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Text,
    Flag,
}

impl Kind {
    fn holds(self, value: &Value) -> bool {
        match self {
            // As if it were not there, which is what clients with optional fields mean.
            _ if value.is_null() => true,
            Self::Integer => value.is_i64(),
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Text => "a string",
            Self::Flag => "true or false",
        }
    }
}

/// The fields of `schedule_nodes`, all of them optional.
const SCHEDULE_NODES: [(&str, Kind); 5] = [
    ("scheduler_id", Kind::Integer),
    ("scheduler_type", Kind::Text),
    ("num_allocations", Kind::Integer),
    ("start_one_worker_per_node", Kind::Flag),
    ("max_parallel_jobs", Kind::Integer),
];

/// Refuses a configuration that no worker could carry out. Types that the contract does
/// not know may say what they like.
///
/// # Errors
///
/// Each text begins with `Invalid action_config`.
pub(super) fn check(action_type: &str, config: &Value) -> Result<(), EngineError> {
    let Value::Object(fields) = config else {
        return Err(wrong("it must be a JSON object"));
    };
    match action_type {
        "run_commands" => commands(fields),
        "schedule_nodes" => nodes(fields),
        _ => Ok(()),
    }
}

fn wrong(what: &str) -> EngineError {
    EngineError::invalid(format!("Invalid action_config: {what}"))
}

fn commands(fields: &Map<String, Value>) -> Result<(), EngineError> {
    if fields.keys().any(|name| name != "commands") {
        return Err(wrong(
            "For action_type 'run_commands', only 'commands' field is allowed",
        ));
    }
    match fields.get("commands") {
        Some(Value::Array(all)) if !all.is_empty() && all.iter().all(Value::is_string) => Ok(()),
        _ => Err(wrong(
            "For action_type 'run_commands', 'commands' must be a non-empty array of strings",
        )),
    }
}

fn nodes(fields: &Map<String, Value>) -> Result<(), EngineError> {
    for (name, value) in fields {
        let Some((_, kind)) = SCHEDULE_NODES.iter().find(|(known, _)| known == name) else {
            let known = SCHEDULE_NODES.map(|(name, _)| name).join(", ");
            return Err(wrong(&format!(
                "For action_type 'schedule_nodes', '{name}' is no field; the fields are {known}"
            )));
        };
        if !kind.holds(value) {
            let kind = kind.name();
            return Err(wrong(&format!(
                "For action_type 'schedule_nodes', '{name}' must be {kind}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_type_takes_its_fields() {
        for (kind, config, fine) in [
            ("run_commands", json!({"commands": ["a"]}), true),
            ("run_commands", json!({"commands": []}), false),
            ("run_commands", json!({"commands": [1]}), false),
            ("run_commands", json!({"commands": "a"}), false),
            ("run_commands", json!({"commands": ["a"], "x": 1}), false),
            ("run_commands", json!({}), false),
            ("schedule_nodes", json!({}), true),
            (
                "schedule_nodes",
                json!({"scheduler_id": 1, "scheduler_type": "slurm", "num_allocations": 2,
                       "start_one_worker_per_node": true, "max_parallel_jobs": 3}),
                true,
            ),
            ("schedule_nodes", json!({"scheduler_id": "1"}), false),
            ("schedule_nodes", json!({"scheduler_id": 1.5}), false),
            (
                "schedule_nodes",
                json!({"start_one_worker_per_node": 1}),
                false,
            ),
            ("schedule_nodes", json!({"commands": ["a"]}), false),
            ("schedule_nodes", json!({"commands": null}), false),
            ("schedule_nodes", json!({"max_parallel_jobs": null}), true),
            (
                "schedule_nodes",
                json!({"num_allocations": u64::MAX}),
                false,
            ),
            ("schedule_nodes", json!({"num_allocations": i64::MIN}), true),
            ("run_commands", json!({"commands": null}), false),
            ("something_else", json!({"any": [1]}), true),
            ("something_else", json!([1]), false),
            ("run_commands", json!(null), false),
        ] {
            assert_eq!(check(kind, &config).is_ok(), fine, "{kind} {config}");
        }
    }
}
