//! What every bulk request must be, whatever it creates.

use std::collections::HashSet;

use super::EngineError;
use crate::wire::page::MAX_LIMIT;

/// Refuses a request that is empty, too long, of several workflows, or uses a name twice;
/// answers its workflow. `one` and `list` name what is created, for the messages.
///
/// # Errors
///
/// [`EngineError::Invalid`].
pub(super) fn check_bulk<'a>(
    one: &str,
    list: &str,
    items: impl Iterator<Item = (i64, &'a str)>,
) -> Result<i64, EngineError> {
    let mut workflow_id = None;
    let mut names = HashSet::with_capacity(items.size_hint().0.min(MAX_LIMIT as usize));
    for (workflow, name) in items {
        let first = *workflow_id.get_or_insert(workflow);
        if workflow != first {
            return Err(EngineError::invalid(format!(
                "All {list} in a batch must have the same workflow_id. Found workflow_ids: \
                 {first} and {workflow}"
            )));
        }
        if !names.insert(name) {
            return Err(EngineError::invalid(format!(
                "Duplicate {one} name '{name}' in bulk create request"
            )));
        }
        if names.len() as i64 > MAX_LIMIT {
            return Err(EngineError::invalid(format!(
                "Bulk {one} creation takes at most {MAX_LIMIT} {list}"
            )));
        }
    }
    workflow_id.ok_or_else(|| {
        let key = list.replace(' ', "_");
        EngineError::invalid(format!(
            "Bulk {one} creation requires a non-empty `{key}` array"
        ))
    })
}
