//! Keys of an object are unique, in every format.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::problem::Problems;
use super::tree::Entry;

/// The entries with the first of each key; the others are noted as mistakes.
pub fn check_unique(entries: Vec<Entry>, problems: &Problems) -> Vec<Entry> {
    let mut lines: HashMap<String, u32> = HashMap::with_capacity(entries.len());
    entries
        .into_iter()
        .filter(|entry| {
            let key = &entry.key;
            match lines.entry(key.value.clone()) {
                Slot::Vacant(slot) => {
                    slot.insert(key.at.line);
                    true
                }
                Slot::Occupied(first) => {
                    let line = first.get();
                    let message =
                        format!("the key `{}` was given before, in line {line}", key.value);
                    problems.add(key.at, message);
                    false
                }
            }
        })
        .collect()
}
