//! Multiplies declarations by their parameters.

use std::collections::BTreeMap;

use super::combine::{Combination, combinations};
use super::declarations::{
    Document, FileDecl, JobDecl, Parameter, Parameters, References, UserDataDecl,
};
use super::fields::Text;
use super::problem::Problems;
use super::suggest::did_you_mean;
use super::template::fill;
use super::tree::{Spanned, Spot};
use crate::wire::files::FileModel;
use crate::wire::resource_requirements::ResourceRequirementsModel;
use crate::wire::user_data::UserDataModel;
use crate::wire::workflow_config::StdioConfig;
use crate::wire::workflows::WorkflowModel;

/// A spec in which nothing is parameterized any more.
#[derive(Debug)]
pub struct Expanded {
    /// What goes into the workflow's own row.
    pub workflow: WorkflowModel,
    /// The jobs, in the order of the source.
    pub jobs: Vec<ExpandedJob>,
    /// The files.
    pub files: Vec<Spanned<FileModel>>,
    /// The user data.
    pub user_data: Vec<Spanned<UserDataModel>>,
    /// The resource requirements.
    pub resource_requirements: Vec<Spanned<ResourceRequirementsModel>>,
    /// Jobs as the spec lists them.
    pub declared_jobs: usize,
    /// Files as the spec lists them.
    pub declared_files: usize,
}

/// One job.
#[derive(Debug)]
pub struct ExpandedJob {
    /// Its name.
    pub name: Text,
    /// What it runs.
    pub command: Text,
    /// Goes before the command.
    pub invocation_script: Option<Text>,
    /// Its own environment.
    pub env: Option<BTreeMap<String, String>>,
    /// Its priority.
    pub priority: Option<i64>,
    /// Its labels.
    pub labels: Option<Vec<Text>>,
    /// Name of its resource requirements.
    pub resource_requirements: Option<Text>,
    /// Cancelled when a job it waits for fails.
    pub cancel_on_blocking_job_failure: Option<bool>,
    /// Accepted and stored.
    pub supports_termination: Option<bool>,
    /// Jobs it waits for.
    pub depends_on: References,
    /// Files it reads.
    pub input_files: References,
    /// Files it writes.
    pub output_files: References,
    /// User data it reads.
    pub input_user_data: References,
    /// User data it writes.
    pub output_user_data: References,
    /// Where its output goes.
    pub stdio: Option<StdioConfig>,
}

/// Multiplies everything in the document.
pub fn expand(document: Document, problems: &Problems) -> Expanded {
    let shared = &document.parameters;
    let mut jobs = Vec::with_capacity(document.jobs.len());
    for decl in &document.jobs {
        let copies = copies(&decl.parameters, shared, decl.at, problems);
        jobs.extend(copies.iter().map(|copy| job(decl, copy)));
    }
    let mut files = Vec::with_capacity(document.files.len());
    for decl in &document.files {
        let copies = copies(&decl.parameters, shared, decl.at, problems);
        files.extend(copies.iter().map(|copy| file(decl, copy)));
    }
    let mut user_data = Vec::with_capacity(document.user_data.len());
    for decl in &document.user_data {
        let copies = copies(&decl.parameters, shared, decl.at, problems);
        user_data.extend(copies.iter().map(|copy| record(decl, copy)));
    }
    Expanded {
        declared_jobs: document.jobs.len(),
        declared_files: document.files.len(),
        workflow: document.workflow,
        jobs,
        files,
        user_data,
        resource_requirements: document.resource_requirements,
    }
}

/// The combinations that multiply one declaration; a single empty one where nothing does.
fn copies<'p>(
    parameters: &'p Parameters,
    shared: &'p [Parameter],
    at: Spot,
    problems: &Problems,
) -> Vec<Combination<'p>> {
    let chosen: Vec<&Parameter> = match &parameters.own {
        Some(own) => own.iter().collect(),
        None => {
            warn_unknown(&parameters.used, shared, problems);
            let used = |parameter: &&Parameter| {
                let name = &parameter.name.value;
                parameters.used.iter().any(|used| used.value == *name)
            };
            shared.iter().filter(used).collect()
        }
    };
    combinations(&chosen, parameters.mode).unwrap_or_else(|reason| {
        problems.add(at, reason);
        vec![Combination::new()]
    })
}

/// The format ignores unknown names; that they are slips more often than not is worth a word.
fn warn_unknown(used: &[Text], shared: &[Parameter], problems: &Problems) {
    for name in used {
        let mut known = shared.iter().map(|parameter| parameter.name.value.as_str());
        if !known.clone().any(|known| known == name.value) {
            let message = format!("the workflow has no parameter `{}`", name.value);
            problems.warn(name.at, message, did_you_mean(&name.value, known.by_ref()));
        }
    }
}

fn fill_text(text: &Text, copy: &Combination<'_>) -> Text {
    Text {
        at: text.at,
        value: fill(&text.value, copy),
    }
}

fn fill_references(references: &References, copy: &Combination<'_>) -> References {
    let fill_all = |texts: &[Text]| texts.iter().map(|text| fill_text(text, copy)).collect();
    References {
        names: fill_all(&references.names),
        patterns: fill_all(&references.patterns),
    }
}

fn job(decl: &JobDecl, copy: &Combination<'_>) -> ExpandedJob {
    let env = decl.env.as_ref().map(|env| {
        env.iter()
            .map(|(name, text)| (name.clone(), fill(&text.value, copy)))
            .collect()
    });
    let labels = decl.labels.as_ref();
    ExpandedJob {
        name: fill_text(&decl.name, copy),
        command: fill_text(&decl.command, copy),
        invocation_script: decl.invocation_script.as_ref().map(|t| fill_text(t, copy)),
        env,
        priority: decl.priority,
        labels: labels.map(|labels| labels.iter().map(|t| fill_text(t, copy)).collect()),
        resource_requirements: decl
            .resource_requirements
            .as_ref()
            .map(|text| fill_text(text, copy)),
        cancel_on_blocking_job_failure: decl.cancel_on_blocking_job_failure,
        supports_termination: decl.supports_termination,
        depends_on: fill_references(&decl.depends_on, copy),
        input_files: fill_references(&decl.input_files, copy),
        output_files: fill_references(&decl.output_files, copy),
        input_user_data: fill_references(&decl.input_user_data, copy),
        output_user_data: fill_references(&decl.output_user_data, copy),
        stdio: decl.stdio.clone(),
    }
}

fn file(decl: &FileDecl, copy: &Combination<'_>) -> Spanned<FileModel> {
    Spanned {
        at: decl.name.at,
        value: FileModel {
            name: fill(&decl.name.value, copy),
            path: fill(&decl.path.value, copy),
            st_mtime: decl.st_mtime,
            ..FileModel::default()
        },
    }
}

fn record(decl: &UserDataDecl, copy: &Combination<'_>) -> Spanned<UserDataModel> {
    Spanned {
        at: decl.name.at,
        value: UserDataModel {
            name: fill(&decl.name.value, copy),
            data: decl
                .data
                .as_ref()
                .map(|data| fill_json(data.to_json(), copy)),
            is_ephemeral: decl.is_ephemeral,
            ..UserDataModel::default()
        },
    }
}

/// Fills the strings inside of a JSON value; its keys stay.
fn fill_json(value: serde_json::Value, copy: &Combination<'_>) -> serde_json::Value {
    use serde_json::Value as J;
    match value {
        J::String(text) => J::String(fill(&text, copy)),
        J::Array(items) => items
            .into_iter()
            .map(|item| fill_json(item, copy))
            .collect(),
        J::Object(map) => map
            .into_iter()
            .map(|(key, item)| (key, fill_json(item, copy)))
            .collect(),
        other => other,
    }
}
