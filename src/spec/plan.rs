//! The plan: everything that a spec asks a server to create.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::expand::{Expanded, ExpandedJob};
use super::graph::{self, Cycle};
use super::link::{self, Links};
use super::problem::{Problem, Problems};
use super::substitute;
use super::tree::Spot;
use crate::wire::files::FileModel;
use crate::wire::jobs::JobModel;
use crate::wire::resource_requirements::ResourceRequirementsModel;
use crate::wire::user_data::UserDataModel;
use crate::wire::workflow_config::StdioConfig;
use crate::wire::workflows::WorkflowModel;

/// A checked spec. Ids are unset and `workflow_id` is 0 throughout; the lists refer to
/// one another by index.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The workflow's own row; `user` and `submission_directory` are the caller's to fill in.
    pub workflow: WorkflowModel,
    /// Its files.
    pub files: Vec<FileModel>,
    /// Its user data.
    pub user_data: Vec<UserDataModel>,
    /// Its resource requirements.
    pub resource_requirements: Vec<ResourceRequirementsModel>,
    /// Its jobs, in the order of the spec.
    pub jobs: Vec<PlannedJob>,
    /// What to tell about it.
    pub summary: Summary,
}

/// A job and, by index, what it refers to.
#[derive(Debug, Clone)]
pub struct PlannedJob {
    /// The job itself.
    pub model: JobModel,
    /// How many jobs must be created before it, one after another.
    pub level: usize,
    /// Its resource requirements.
    pub resource_requirements: Option<usize>,
    /// Jobs it waits for.
    pub depends_on: Vec<usize>,
    /// Files it reads.
    pub input_files: Vec<usize>,
    /// Files it writes.
    pub output_files: Vec<usize>,
    /// User data it reads.
    pub input_user_data: Vec<usize>,
    /// User data it writes.
    pub output_user_data: Vec<usize>,
}

/// What a spec comes to, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Name of the workflow.
    pub workflow_name: String,
    /// What it is for.
    pub workflow_description: Option<String>,
    /// Jobs.
    pub job_count: usize,
    /// Jobs as the spec lists them.
    pub job_count_before_expansion: usize,
    /// Files.
    pub file_count: usize,
    /// Files as the spec lists them.
    pub file_count_before_expansion: usize,
    /// Records of user data.
    pub user_data_count: usize,
    /// Resource requirements.
    pub resource_requirements_count: usize,
    /// What is allowed, but hardly meant.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
}

/// Links what was expanded. With problems noted, the plan is not to be used.
pub fn build(mut expanded: Expanded, problems: &Problems) -> Plan {
    check_names(&expanded, problems);
    check_labels(&expanded.jobs, problems);
    check_default_requirements(&expanded, problems);
    substitute::apply(&mut expanded, problems);
    let links = link::link(&expanded, problems);
    let levels = graph::levels(&links, expanded.files.len(), expanded.user_data.len());
    let levels = levels.unwrap_or_else(|cycle| {
        report_cycle(&cycle, &expanded.jobs, problems);
        vec![0; links.len()]
    });
    let summary = Summary {
        workflow_name: expanded.workflow.name.clone(),
        workflow_description: expanded.workflow.description.clone(),
        job_count: expanded.jobs.len(),
        job_count_before_expansion: expanded.declared_jobs,
        file_count: expanded.files.len(),
        file_count_before_expansion: expanded.declared_files,
        user_data_count: expanded.user_data.len(),
        resource_requirements_count: expanded.resource_requirements.len(),
        // Gathered last of all.
        warnings: Vec::new(),
    };
    let mut workflow = expanded.workflow;
    add_stdio_overrides(&mut workflow, &expanded.jobs);
    let jobs = expanded.jobs.into_iter().zip(links).zip(levels);
    Plan {
        workflow,
        files: expanded.files.into_iter().map(|file| file.value).collect(),
        user_data: expanded
            .user_data
            .into_iter()
            .map(|row| row.value)
            .collect(),
        resource_requirements: expanded
            .resource_requirements
            .into_iter()
            .map(|row| row.value)
            .collect(),
        jobs: jobs
            .map(|((job, links), level)| planned(job, links, level))
            .collect(),
        summary,
    }
}

fn planned(job: ExpandedJob, links: Links, level: usize) -> PlannedJob {
    let labels = job
        .labels
        .map(|labels| labels.into_iter().map(|label| label.value).collect());
    PlannedJob {
        model: JobModel {
            name: job.name.value,
            command: job.command.value,
            invocation_script: job.invocation_script.map(|text| text.value),
            env: job.env,
            priority: job.priority,
            labels,
            cancel_on_blocking_job_failure: job.cancel_on_blocking_job_failure,
            supports_termination: job.supports_termination,
            ..JobModel::default()
        },
        level,
        resource_requirements: links.resource_requirements,
        depends_on: links.depends_on,
        input_files: links.input_files,
        output_files: links.output_files,
        input_user_data: links.input_user_data,
        output_user_data: links.output_user_data,
    }
}

fn check_names(expanded: &Expanded, problems: &Problems) {
    let jobs = expanded.jobs.iter();
    unique(
        "jobs",
        jobs.map(|job| (job.name.value.as_str(), job.name.at)),
        problems,
    );
    let files = expanded.files.iter();
    unique(
        "files",
        files.map(|file| (file.value.name.as_str(), file.at)),
        problems,
    );
    let records = expanded.user_data.iter();
    unique(
        "user data",
        records.map(|row| (row.value.name.as_str(), row.at)),
        problems,
    );
    let requirements = expanded.resource_requirements.iter();
    let requirements = requirements.map(|row| (row.value.name.as_str(), row.at));
    unique("resource requirements", requirements, problems);
}

fn unique<'n>(noun: &str, names: impl Iterator<Item = (&'n str, Spot)>, problems: &Problems) {
    let mut first: HashMap<&str, Spot> = HashMap::new();
    for (name, at) in names.filter(|(name, _)| !name.is_empty()) {
        let Some(before) = first.insert(name, at) else {
            continue;
        };
        if before == at {
            let message = format!("several {noun} are named `{name}` after expansion");
            let help = "put each parameter into the name, such as `{i}`";
            problems.add_with_help(at, message, help);
        } else {
            let line = before.line;
            let message = format!("several {noun} are named `{name}`, the first in line {line}");
            problems.add(at, message);
            first.insert(name, before);
        }
    }
}

fn check_labels(jobs: &[ExpandedJob], problems: &Problems) {
    for label in jobs.iter().flat_map(|job| job.labels.iter().flatten()) {
        let text = &label.value;
        let wrong = if text.is_empty() {
            "is empty"
        } else if text.contains(',') {
            "contains a comma"
        } else if text.trim() != text {
            "begins or ends with a blank"
        } else {
            continue;
        };
        problems.add(label.at, format!("label `{text}` {wrong}"));
    }
}

/// The server makes a row `default` of its own; with two of them it refuses jobs that
/// name none.
fn check_default_requirements(expanded: &Expanded, problems: &Problems) {
    let mut rows = expanded.resource_requirements.iter();
    let named_default = rows.find(|row| row.value.name == "default");
    let job_without = expanded
        .jobs
        .iter()
        .find(|job| job.resource_requirements.is_none());
    if let (Some(row), Some(job)) = (named_default, job_without) {
        let message = format!(
            "`default` is also the name of the server's own requirements, so that job `{}`, which names none, could have either",
            job.name.value
        );
        let help = "give them another name, or name them in every job";
        problems.add_with_help(row.at, message, help);
    }
}

/// Jobs named in the message about a cycle.
const NAMED: usize = 12;

fn report_cycle(cycle: &Cycle, jobs: &[ExpandedJob], problems: &Problems) {
    let name = |place: &usize| format!("`{}`", jobs[*place].name.value);
    let Some(first) = cycle.jobs.first() else {
        return;
    };
    let at = jobs[*first].name.at;
    if cycle.jobs.len() == 2 {
        let message = format!("job {} waits for itself", name(first));
        let help = "see its `depends_on`, and whether a pattern matches its own name";
        problems.add_with_help(at, message, help);
        return;
    }
    let names: Vec<String> = cycle.jobs.iter().take(NAMED).map(name).collect();
    let more = if cycle.jobs.len() > NAMED {
        " -> ..."
    } else {
        ""
    };
    let message = format!(
        "jobs wait for one another in a circle: {}{more}",
        names.join(" -> ")
    );
    problems.add_with_help(
        at,
        message,
        "each waits for the next, by `depends_on` or by a file",
    );
}

fn add_stdio_overrides(workflow: &mut WorkflowModel, jobs: &[ExpandedJob]) {
    let overrides: BTreeMap<String, StdioConfig> = jobs
        .iter()
        .filter_map(|job| Some((job.name.value.clone(), job.stdio.clone()?)))
        .collect();
    if !overrides.is_empty() {
        let config = workflow.execution_config.get_or_insert_default();
        config.job_stdio_overrides = Some(overrides);
    }
}
