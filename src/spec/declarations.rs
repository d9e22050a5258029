//! What a spec declares, typed but not yet expanded.

use std::collections::BTreeMap;

use super::fields::Text;
use super::parameters::ParameterValue;
use super::tree::{Spanned, Spot, Value};
use crate::wire::resource_requirements::ResourceRequirementsModel;
use crate::wire::workflow_config::StdioConfig;
use crate::wire::workflows::WorkflowModel;

/// A whole spec.
#[derive(Debug)]
pub struct Document {
    /// What goes into the workflow's own row.
    pub workflow: WorkflowModel,
    /// Parameters that jobs, files and user data may use.
    pub parameters: Vec<Parameter>,
    /// The jobs.
    pub jobs: Vec<JobDecl>,
    /// The files.
    pub files: Vec<FileDecl>,
    /// The user data.
    pub user_data: Vec<UserDataDecl>,
    /// The resource requirements, each with its place.
    pub resource_requirements: Vec<Spanned<ResourceRequirementsModel>>,
}

/// One parameter and all its values.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: Text,
    /// Its values, at least one.
    pub values: Vec<ParameterValue>,
}

/// How several parameters are combined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ParameterMode {
    /// Every value with every other.
    #[default]
    Product,
    /// First with first, second with second.
    Zip,
}

/// The parameters of one declaration.
#[derive(Debug, Default)]
pub struct Parameters {
    /// Its own; they win over the workflow's.
    pub own: Option<Vec<Parameter>>,
    /// Names of the workflow's parameters that it uses.
    pub used: Vec<Text>,
    /// How they are combined.
    pub mode: ParameterMode,
}

/// The names by which a job refers to other things, with patterns for more of them.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// Exact names.
    pub names: Vec<Text>,
    /// Regular expressions.
    pub patterns: Vec<Text>,
}

/// A job before expansion.
#[derive(Debug)]
pub struct JobDecl {
    /// Where it begins.
    pub at: Spot,
    /// Its name.
    pub name: Text,
    /// What it runs.
    pub command: Text,
    /// Goes before the command.
    pub invocation_script: Option<Text>,
    /// Its own environment.
    pub env: Option<BTreeMap<String, Text>>,
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
    /// What it is multiplied by.
    pub parameters: Parameters,
}

/// A file before expansion.
#[derive(Debug)]
pub struct FileDecl {
    /// Where it begins.
    pub at: Spot,
    /// Its name.
    pub name: Text,
    /// Its path.
    pub path: Text,
    /// Its modification time.
    pub st_mtime: Option<f64>,
    /// What it is multiplied by.
    pub parameters: Parameters,
}

/// A record of user data before expansion.
#[derive(Debug)]
pub struct UserDataDecl {
    /// Where it begins.
    pub at: Spot,
    /// Its name.
    pub name: Text,
    /// Its value.
    pub data: Option<Value>,
    /// Whether clients may clear it between runs.
    pub is_ephemeral: Option<bool>,
    /// What it is multiplied by.
    pub parameters: Parameters,
}
