//! The top level of a spec: from the tree to typed declarations.

use std::collections::BTreeMap;

use super::declarations::{Document, Parameter, ParameterMode, Parameters};
use super::fields::{Fields, Text};
use super::parameters::{MOST_VALUES, ParameterValue, parse_values};
use super::problem::Problems;
use super::tree::{Entry, Kind, Spanned, Value, to_json_map};
use super::{read_jobs, read_settings, template, units};
use crate::wire::resource_requirements::ResourceRequirementsModel;
use crate::wire::workflow_config::DynamicJobsConfig;
use crate::wire::workflows::WorkflowModel;

/// Reads the whole tree; `None` only if it is no object at all.
pub fn document(tree: &Value, problems: &Problems) -> Option<Document> {
    let fields = Fields::of(tree, "a workflow spec", problems)?;
    let parameters = match fields.entries("parameters") {
        Some(entries) => parameter_list(entries, problems),
        None => Vec::new(),
    };
    let document = Document {
        workflow: workflow(&fields, &parameters, problems),
        parameters,
        jobs: read_jobs::jobs(&fields, problems),
        files: read_jobs::files(&fields, problems),
        user_data: read_jobs::user_data(&fields, problems),
        resource_requirements: fields
            .list("resource_requirements")
            .iter()
            .filter_map(|item| resource_requirements(item, problems))
            .collect(),
    };
    // Substituted before anything is read.
    fields.value("variables");
    unsupported(&fields);
    fields.finish();
    Some(document)
}

fn unsupported(fields: &Fields<'_>) {
    let slurm = "Slurm comes with a later version; `torc run` runs the jobs on this machine";
    for key in ["slurm_schedulers", "slurm_defaults"] {
        fields.unsupported(key, slurm);
    }
    let handlers = "remove it; recovery comes with a later version";
    fields.unsupported("failure_handlers", handlers);
    fields.unsupported("actions", "remove it; a job can do what the action would");
    fields.unsupported("access_groups", "remove it; everybody sees all workflows");
    fields.unsupported("parameters_file", "write the values under `parameters`");
}

fn workflow(fields: &Fields<'_>, parameters: &[Parameter], problems: &Problems) -> WorkflowModel {
    // The user is who runs the command, whatever the spec says.
    fields.text("user");
    let key = "compute_node_min_time_for_new_jobs_seconds";
    fields.without_effect(key, "a worker takes what fits into its time limit");
    let key = "compute_node_expiration_buffer_seconds";
    fields.without_effect(key, "`torc run --time-limit` says when a worker ends");
    fields.without_effect("enable_ro_crate", "RO-Crates come with a later version");
    WorkflowModel {
        name: fields.required_text("name").value,
        description: fields.text("description").map(|text| text.value),
        project: fields.text("project").map(|text| text.value),
        metadata: fields.entries("metadata").map(to_json_map),
        env: fields
            .text_map("env")
            .map(|env| workflow_env(env, parameters, problems)),
        resource_monitor_config: read_settings::resource_monitor(fields, problems),
        execution_config: read_settings::execution_config(fields, problems),
        dynamic_jobs: dynamic_jobs(fields, problems),
        use_pending_failed: fields.flag("use_pending_failed"),
        enable_ro_crate: fields.flag("enable_ro_crate"),
        compute_node_wait_for_new_jobs_seconds: fields
            .int("compute_node_wait_for_new_jobs_seconds", 0),
        compute_node_ignore_workflow_completion: fields
            .flag("compute_node_ignore_workflow_completion"),
        compute_node_wait_for_healthy_database_minutes: fields
            .int("compute_node_wait_for_healthy_database_minutes", 0),
        compute_node_min_time_for_new_jobs_seconds: fields
            .int("compute_node_min_time_for_new_jobs_seconds", 0),
        compute_node_expiration_buffer_seconds: fields
            .int("compute_node_expiration_buffer_seconds", 0),
        ..WorkflowModel::default()
    }
}

fn dynamic_jobs(fields: &Fields<'_>, problems: &Problems) -> Option<DynamicJobsConfig> {
    let value = fields.value("dynamic_jobs")?;
    let why = "jobs cannot spawn jobs in this version";
    fields.without_effect("dynamic_jobs", why);
    let inner = Fields::of(value, "`dynamic_jobs`", problems)?;
    let max_iterations = inner.int("max_iterations", 1);
    inner.finish();
    Some(DynamicJobsConfig { max_iterations })
}

/// The workflow's environment, with parameters that have one value filled in.
fn workflow_env(
    env: BTreeMap<String, Text>,
    parameters: &[Parameter],
    problems: &Problems,
) -> BTreeMap<String, String> {
    check_env_names(&env, problems);
    let single = parameters
        .iter()
        .filter(|parameter| parameter.values.len() == 1)
        .map(|parameter| (parameter.name.value.as_str(), &parameter.values[0]))
        .collect();
    let fill = |(name, text): (String, Text)| {
        let filled = template::fill(&text.value, &single);
        let several = parameters.iter().find(|parameter| {
            let placeholder = format!("{{{}}}", parameter.name.value);
            parameter.values.len() > 1 && filled.contains(&placeholder)
        });
        if let Some(several) = several {
            let message = format!(
                "`env.{name}` uses parameter `{}`, which has {} values",
                several.name.value,
                several.values.len()
            );
            let help = "put it into the `env` of the jobs, where each has its own value";
            problems.add_with_help(text.at, message, help);
        }
        (name, filled)
    };
    env.into_iter().map(fill).collect()
}

/// Notes names that no shell would take.
pub fn check_env_names(env: &BTreeMap<String, Text>, problems: &Problems) {
    for (name, text) in env {
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !valid {
            let message = format!("`{name}` is no name for an environment variable");
            let help = "a name has letters, digits and underscores, and no digit first";
            problems.add_with_help(text.at, message, help);
        }
    }
}

fn resource_requirements(
    item: &Value,
    problems: &Problems,
) -> Option<Spanned<ResourceRequirementsModel>> {
    let fields = Fields::of(item, "resource requirements", problems)?;
    let name = fields.required_text("name");
    let checked = |text: Text, parse: fn(&str) -> Result<u64, String>| {
        if !text.value.is_empty()
            && let Err(reason) = parse(&text.value)
        {
            problems.add(text.at, reason);
        }
        text.value
    };
    if fields.value("num_cpus").is_none() {
        problems.add(fields.at, "resource requirements needs `num_cpus`");
    }
    let model = ResourceRequirementsModel {
        id: None,
        workflow_id: 0,
        name: name.value,
        num_cpus: fields.int("num_cpus", 1).unwrap_or(1),
        num_gpus: fields.int("num_gpus", 0).unwrap_or(0),
        num_nodes: fields.int("num_nodes", 1).unwrap_or(1),
        memory: checked(fields.required_text("memory"), units::parse_memory),
        runtime: match fields.text("runtime") {
            Some(text) => checked(text, units::parse_duration),
            None => "PT1H".to_owned(),
        },
    };
    fields.finish();
    Some(Spanned {
        at: name.at,
        value: model,
    })
}

/// The parameter keys that jobs, files and user data share.
pub fn parameters(fields: &Fields<'_>, problems: &Problems) -> Parameters {
    let table = "write the values under `parameters`";
    fields.unsupported("parameters_file", table);
    fields.unsupported("use_parameters_file", table);
    Parameters {
        own: fields
            .entries("parameters")
            .map(|entries| parameter_list(entries, problems)),
        used: fields.texts("use_parameters"),
        mode: fields
            .choice(
                "parameter_mode",
                &[
                    ("product", ParameterMode::Product),
                    ("zip", ParameterMode::Zip),
                ],
            )
            .unwrap_or_default(),
    }
}

fn parameter_list(entries: &[Entry], problems: &Problems) -> Vec<Parameter> {
    entries
        .iter()
        .filter_map(|Entry { key, value }| match values(value) {
            Ok(values) => Some(Parameter {
                name: key.clone(),
                values,
            }),
            Err(reason) => {
                let message = format!("parameter `{}`: {reason}", key.value);
                problems.add(value.at, message);
                None
            }
        })
        .collect()
}

fn values(value: &Value) -> Result<Vec<ParameterValue>, String> {
    match &value.value {
        Kind::Text(text) => parse_values(text, &|path| std::fs::read_to_string(path)),
        Kind::List(items) if items.is_empty() => Err("the list is empty".to_owned()),
        Kind::List(items) if items.len() > MOST_VALUES => {
            Err(format!("a parameter has at most {MOST_VALUES} values"))
        }
        Kind::List(items) => items.iter().map(single).collect(),
        _ => Ok(vec![single(value)?]),
    }
}

fn single(value: &Value) -> Result<ParameterValue, String> {
    match &value.value {
        Kind::Int(number, _) => Ok(ParameterValue::Int(*number)),
        Kind::Float(number, _) => Ok(ParameterValue::Float(*number)),
        Kind::Bool(flag, _) => Ok(ParameterValue::Text(flag.to_string())),
        Kind::Text(text) => Ok(ParameterValue::infer(text)),
        Kind::Null | Kind::List(_) | Kind::Map(_) => Err(format!(
            "a value must be a string or a number, this is {}",
            value.noun()
        )),
    }
}
