//! What commands weigh in a batch: the texts that a struct's own size leaves out.

use std::collections::BTreeMap;

use serde_json::Value;

/// Roughly the memory of a JSON value.
pub(super) fn of_json(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(of_json).sum(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| name.len() + of_json(value))
                .sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

/// Roughly the memory of an environment.
pub(super) fn of_env(env: Option<&BTreeMap<String, String>>) -> usize {
    env.into_iter()
        .flatten()
        .map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>())
        .sum()
}

/// Roughly the memory of some texts.
pub(super) fn of_texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> usize {
    texts
        .into_iter()
        .map(|text| text.len() + size_of::<String>())
        .sum()
}
