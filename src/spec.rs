//! Workflow files: parsing, checking, expansion.
//!
//! A text in any format becomes one [`tree`] in which every value knows its place,
//! the tree becomes typed declarations, and these are multiplied by their parameters
//! and linked to one another by index: the [`Plan`]. Every step notes all mistakes it
//! finds before the next one would stumble over them. Nothing here talks to a server.

mod combine;
mod declarations;
mod expand;
mod fields;
mod graph;
mod json;
mod link;
mod names;
mod parameters;
mod plan;
mod problem;
mod read;
mod read_jobs;
mod read_settings;
mod source;
mod substitute;
mod suggest;
mod template;
pub mod tree;
mod unique;
mod units;
mod variables;
mod yaml;

pub use plan::{Plan, PlannedJob, Summary};
pub use problem::{Problem, SpecErrors};
pub use source::Source;
pub use units::{parse_duration, parse_memory};

use problem::Problems;
use tree::Value;

/// Reads, checks and expands a spec.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the source.
pub fn load(source: &Source) -> Result<Plan, SpecErrors> {
    let problems = Problems::default();
    let tree = source.read(&problems);
    finish(source.label(), tree, problems)
}

/// The same for a text at hand, in the format of a file extension such as `yaml`.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the source.
pub fn parse(text: &str, extension: &str) -> Result<Plan, SpecErrors> {
    let problems = Problems::default();
    let tree = source::parse(text, extension, &problems);
    finish(format!("spec.{extension}"), tree, problems)
}

fn finish(source: String, tree: Option<Value>, problems: Problems) -> Result<Plan, SpecErrors> {
    let plan = tree.and_then(|tree| plan_of(tree, &problems));
    let warnings = problems.take_warnings();
    let problems = problems.into_sorted();
    match plan {
        Some(mut plan) if problems.is_empty() => {
            plan.summary.warnings = warnings;
            Ok(plan)
        }
        _ => Err(SpecErrors {
            source,
            problems,
            warnings,
        }),
    }
}

/// The plan of a tree; where a step found mistakes, the next one is not tried if it
/// could only repeat them.
fn plan_of(mut tree: Value, problems: &Problems) -> Option<Plan> {
    variables::apply(&mut tree, problems);
    let document = read::document(&tree, problems)?;
    let expanded = expand::expand(document, problems);
    Some(plan::build(expanded, problems))
}
