//! Puts paths of files and values of user data into commands: `${files.input.NAME}`.
//!
//! Each use also declares the relation, so that a command alone is enough to say what
//! its job reads and writes.

use std::collections::HashMap;

use super::declarations::References;
use super::expand::{Expanded, ExpandedJob};
use super::fields::Text;
use super::problem::Problems;
use super::tree::Spot;

/// Fills the commands and invocation scripts of all jobs.
pub fn apply(expanded: &mut Expanded, problems: &Problems) {
    let values = Values {
        files: expanded
            .files
            .iter()
            .map(|file| (file.value.name.as_str(), file.value.path.as_str()))
            .collect(),
        user_data: expanded
            .user_data
            .iter()
            .filter_map(|record| {
                let data = record.value.data.as_ref()?;
                Some((record.value.name.as_str(), data.to_string()))
            })
            .collect(),
    };
    for job in &mut expanded.jobs {
        fill_job(job, &values, problems);
    }
}

/// What names stand for.
struct Values<'e> {
    files: HashMap<&'e str, &'e str>,
    user_data: HashMap<&'e str, String>,
}

/// The relations that a text uses, in the order of [`lists`].
type Found = [Vec<String>; 4];

fn lists(job: &mut ExpandedJob) -> [(&'static str, &mut References); 4] {
    [
        ("input_files", &mut job.input_files),
        ("output_files", &mut job.output_files),
        ("input_user_data", &mut job.input_user_data),
        ("output_user_data", &mut job.output_user_data),
    ]
}

fn fill_job(job: &mut ExpandedJob, values: &Values<'_>, problems: &Problems) {
    if let Some((command, found)) = fill(&job.command.value, values) {
        job.command.value = command;
        let at = job.command.at;
        for ((key, list), names) in lists(job).into_iter().zip(found) {
            if !names.is_empty() {
                warn_about_replaced(key, list, &names, problems);
                list.names = texts(names, at);
            }
        }
    }
    if let Some(script) = &mut job.invocation_script
        && let Some((filled, found)) = fill(&script.value, values)
    {
        script.value = filled;
        let at = script.at;
        for ((_, list), names) in lists(job).into_iter().zip(found) {
            list.names.extend(texts(names, at));
        }
    }
}

fn texts(names: Vec<String>, at: Spot) -> Vec<Text> {
    names.into_iter().map(|value| Text { at, value }).collect()
}

/// The format lets the command's names replace the list, which may lose a dependency.
fn warn_about_replaced(key: &str, list: &References, names: &[String], problems: &Problems) {
    for lost in &list.names {
        if !names.contains(&lost.value) {
            let message = format!(
                "`{key}` names `{}`, but only what the command names with `${{...}}` counts",
                lost.value
            );
            let help = "name it in the command too, or in `invocation_script`";
            problems.warn(lost.at, message, Some(help.to_owned()));
        }
    }
}

/// The text with all known names replaced, and which they were; `None` if there are none.
fn fill(text: &str, values: &Values<'_>) -> Option<(String, Found)> {
    let mut filled = String::new();
    let mut found = Found::default();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let inner = &rest[start + 2..];
        let hit = inner.find('}').and_then(|end| {
            let (relation, name) = relation(&inner[..end])?;
            let value = match relation {
                0 | 1 => values.files.get(name).copied(),
                _ => values.user_data.get(name).map(String::as_str),
            };
            Some((end, relation, name, value?))
        });
        let taken = match hit {
            Some((end, relation, name, value)) => {
                filled.push_str(&rest[..start]);
                filled.push_str(value);
                if !found[relation].iter().any(|known| known == name) {
                    found[relation].push(name.to_owned());
                }
                start + 2 + end + 1
            }
            // The shell's own, or a name that nobody declared: left as it is.
            None => {
                filled.push_str(&rest[..start + 2]);
                start + 2
            }
        };
        rest = &rest[taken..];
    }
    if found.iter().all(Vec::is_empty) {
        return None;
    }
    filled.push_str(rest);
    Some((filled, found))
}

fn relation(text: &str) -> Option<(usize, &str)> {
    let prefixes = [
        "files.input.",
        "files.output.",
        "user_data.input.",
        "user_data.output.",
    ];
    prefixes
        .iter()
        .enumerate()
        .find_map(|(index, prefix)| Some((index, text.strip_prefix(prefix)?)))
}

#[cfg(test)]
mod tests {
    use super::{Values, fill};

    #[test]
    fn known_names_are_replaced_and_others_stay() {
        let values = Values {
            files: [("a", "/in/a.txt"), ("b", "b.txt")].into(),
            user_data: [("d", "{\"x\":1}".to_owned())].into(),
        };
        let text = "cat ${files.input.a} ${files.input.a} ${HOME} ${files.input.none} '${user_data.output.d}' > ${files.output.b}; ${x";
        let (filled, found) = fill(text, &values).unwrap();
        assert_eq!(
            filled,
            "cat /in/a.txt /in/a.txt ${HOME} ${files.input.none} '{\"x\":1}' > b.txt; ${x"
        );
        let found = found.map(|names| names.join(","));
        assert_eq!(found, ["a", "b", "", "d"]);
        assert!(fill("echo ${HOME}", &values).is_none());
    }
}
