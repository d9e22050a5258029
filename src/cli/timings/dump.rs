//! Dumps of timings: files that SIGUSR1 or `torc timings --json` wrote.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::cli::failure::Failure;
use crate::wire::debug::Timings;

/// A dump is a few hundred KiB; this much is something else.
const LARGEST: u64 = 64 << 20;

/// Reads a dump.
///
/// # Errors
///
/// [`Failure`] if it cannot be read, or is none.
pub fn open(path: &Path) -> Result<Timings, Failure> {
    let shown = path.display();
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text));
    read.map_err(|error| {
        Failure::new(format!("cannot read {shown}: {error}"))
            .hint("name a dump, or `live` for the server that runs")
    })?;
    let no_dump = |reason: String| {
        Failure::new(format!("{shown} is no dump of timings: {reason}")).hint(
            "dumps are the .json files that SIGUSR1 makes the server write, and what \
             `torc timings --json` prints",
        )
    };
    if text.len() as u64 > LARGEST {
        return Err(no_dump("it is larger than 64 MiB".to_owned()));
    }
    let value: Value = serde_json::from_slice(&text).map_err(|error| no_dump(error.to_string()))?;
    parsed(value).map_err(no_dump)
}

/// Takes the server's answer for what it is.
///
/// # Errors
///
/// [`Failure`] if it is something else.
pub fn read(value: Value) -> Result<Timings, Failure> {
    parsed(value).map_err(|reason| {
        Failure::new(format!("what the server answers are no timings: {reason}"))
            .hint("is it a torc server of a matching version?")
    })
}

fn parsed(value: Value) -> Result<Timings, String> {
    // Every field may be missing, so that anything at all would do.
    if value.get("phases").is_none_or(|phases| !phases.is_object()) {
        return Err("it has no `phases`".to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// JSON as people like to see it, with lists of numbers in one line: a bucket's two would
/// take four lines else.
pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    push(&mut text, value, 0);
    text
}

fn push(text: &mut String, value: &Value, depth: usize) {
    let open = |text: &mut String, depth: usize| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('{');
            for (place, (key, value)) in map.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                open(text, depth + 1);
                *text += &format!("{}: ", Value::from(key.as_str()));
                push(text, value, depth + 1);
            }
            open(text, depth);
            text.push('}');
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                open(text, depth + 1);
                push(text, item, depth + 1);
            }
            open(text, depth);
            text.push(']');
        }
        other => *text += &other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{pretty, read};

    #[test]
    fn buckets_stay_in_one_line() {
        let value = json!({"a": [{"buckets": [[1.5, 2], [2.0, 3]]}], "b\"": {}, "c": []});
        let text = pretty(&value);
        assert!(
            text.contains("\n      \"buckets\": [[1.5,2],[2.0,3]]\n"),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }

    #[test]
    fn any_json_is_not_a_report() {
        for other in [json!(3), json!({}), json!({"phases": 1}), json!([])] {
            assert!(read(other.clone()).is_err(), "{other}");
        }
        assert!(read(json!({"phases": {"routes": [{"new": 1}]}})).is_ok());
    }
}
