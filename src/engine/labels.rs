//! Labels: which jobs a worker may take.

use super::EngineError;

/// Refuses labels that cannot be told apart in a list; `of` names whose they are.
///
/// # Errors
///
/// [`EngineError::Invalid`], naming the first bad one.
pub fn check(labels: &[String], of: &str) -> Result<(), EngineError> {
    match labels
        .iter()
        .find(|label| label.is_empty() || label.contains(',') || label.trim() != label.as_str())
    {
        None => Ok(()),
        Some(label) => Err(EngineError::invalid(format!(
            "label must be non-empty with no comma and no leading or trailing whitespace, \
             got \"{label}\" for {of}"
        ))),
    }
}

/// Whether a worker with these labels may take a job with those: without labels
/// only unlabeled jobs, with labels only labeled jobs whose every label it has.
pub fn serves(runner: &[String], job: &[String]) -> bool {
    runner.is_empty() == job.is_empty() && job.iter().all(|label| runner.contains(label))
}

/// The labels of a comma-separated query value; none for an empty one.
pub fn parse_list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(str::to_owned).collect()
}
