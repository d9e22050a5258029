//! Jobs, files and user data: from the tree to typed declarations.

use super::declarations::{FileDecl, JobDecl, References, UserDataDecl};
use super::fields::{Fields, Text};
use super::problem::Problems;
use super::read::{check_env_names, parameters};
use super::read_settings;
use super::tree::Value;

/// Reads `jobs`; a workflow without any is a mistake.
pub fn jobs(top: &Fields<'_>, problems: &Problems) -> Vec<JobDecl> {
    let items = top.list("jobs");
    if items.is_empty() {
        let at = top.value("jobs").map_or(top.at, |value| value.at);
        problems.add(at, "a workflow spec needs at least one job under `jobs`");
    }
    items
        .iter()
        .filter_map(|item| job(item, problems))
        .collect()
}

fn job(item: &Value, problems: &Problems) -> Option<JobDecl> {
    let fields = Fields::of(item, "a job", problems)?;
    let references = |names: &'static str, patterns: &'static str| References {
        names: fields.texts(names),
        patterns: fields.texts(patterns),
    };
    fields.without_effect("supports_termination", "every job gets the signal to stop");
    let decl = JobDecl {
        at: fields.at,
        name: fields.required_text("name"),
        command: fields.required_text("command"),
        invocation_script: fields.text("invocation_script"),
        env: fields.text_map("env"),
        priority: fields.int("priority", 0),
        labels: fields.optional_texts("labels"),
        resource_requirements: fields.text("resource_requirements"),
        cancel_on_blocking_job_failure: fields.flag("cancel_on_blocking_job_failure"),
        supports_termination: fields.flag("supports_termination"),
        depends_on: references("depends_on", "depends_on_regexes"),
        input_files: references("input_files", "input_file_regexes"),
        output_files: references("output_files", "output_file_regexes"),
        input_user_data: references("input_user_data", "input_user_data_regexes"),
        output_user_data: references("output_user_data", "output_user_data_regexes"),
        stdio: fields
            .value("stdio")
            .and_then(|value| read_settings::stdio(value, problems)),
        parameters: parameters(&fields, problems),
    };
    if let Some(env) = &decl.env {
        check_env_names(env, problems);
    }
    fields.unsupported(
        "failure_handler",
        "remove it; recovery comes with a later version",
    );
    fields.unsupported(
        "scheduler",
        "remove it; `torc run` runs the jobs on this machine",
    );
    fields.finish();
    Some(decl)
}

/// Reads `files`.
pub fn files(top: &Fields<'_>, problems: &Problems) -> Vec<FileDecl> {
    top.list("files")
        .iter()
        .filter_map(|item| {
            let fields = Fields::of(item, "a file", problems)?;
            let decl = FileDecl {
                at: fields.at,
                name: fields.required_text("name"),
                path: fields.required_text("path"),
                st_mtime: fields.float("st_mtime"),
                parameters: parameters(&fields, problems),
            };
            fields.unsupported(
                "identifier",
                "remove it; RO-Crates come with a later version",
            );
            fields.finish();
            Some(decl)
        })
        .collect()
}

/// Reads `user_data`.
pub fn user_data(top: &Fields<'_>, problems: &Problems) -> Vec<UserDataDecl> {
    top.list("user_data")
        .iter()
        .filter_map(|item| {
            let fields = Fields::of(item, "user data", problems)?;
            // A record without a name can be listed, though no job can refer to it.
            let name = fields.text("name").unwrap_or(Text {
                at: fields.at,
                value: String::new(),
            });
            let decl = UserDataDecl {
                at: fields.at,
                name,
                data: fields.value("data").cloned(),
                is_ephemeral: fields.flag("is_ephemeral"),
                parameters: parameters(&fields, problems),
            };
            fields.finish();
            Some(decl)
        })
        .collect()
}
