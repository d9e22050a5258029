//! Variables: constants put into every string of a spec before anything else is read.

use std::collections::{HashMap, HashSet};

use super::problem::Problems;
use super::suggest::did_you_mean;
use super::tree::{Entry, Kind, Spot, Value};

/// Replaces `{name}` by the value of each variable, throughout the tree.
pub fn apply(tree: &mut Value, problems: &Problems) {
    let Kind::Map(entries) = &mut tree.value else {
        return;
    };
    let Some(declared) = find(entries, "variables") else {
        return;
    };
    let Kind::Map(declared) = &declared.value else {
        let message = format!("`variables` must be an object, this is {}", declared.noun());
        problems.add(declared.at, message);
        return;
    };
    let parameters = parameter_names(entries);
    let scope = Scope {
        variables: checked(declared, &parameters, problems),
        parameters,
        problems,
    };
    for entry in entries.iter_mut() {
        if entry.key.value != "variables" {
            scope.walk(&mut entry.value, &entry.key.value);
        }
    }
}

fn find<'t>(entries: &'t [Entry], key: &str) -> Option<&'t Value> {
    let entry = entries.iter().find(|entry| entry.key.value == key)?;
    (entry.value.value != Kind::Null).then_some(&entry.value)
}

/// The variables that are as they should be.
fn checked(
    declared: &[Entry],
    parameters: &HashSet<String>,
    problems: &Problems,
) -> HashMap<String, String> {
    let mut variables = HashMap::new();
    for Entry { key, value } in declared {
        let name = &key.value;
        let Kind::Text(text) = &value.value else {
            let message = format!(
                "variable `{name}` must be a string, this is {}",
                value.noun()
            );
            problems.add(value.at, message);
            continue;
        };
        if !is_identifier(name) {
            let message = format!("`{name}` is no name for a variable");
            let help = "a name has letters, digits and underscores, and no digit first";
            problems.add_with_help(key.at, message, help);
        } else if parameters.contains(name) {
            let message = format!("`{name}` is both a variable and a parameter");
            problems.add(key.at, message);
        } else if placeholders(text).next().is_some() {
            let message = format!("the value of variable `{name}` must not contain `{{...}}`");
            problems.add(value.at, message);
        }
        // Known in any case, so that its uses are not told as mistakes too.
        variables.insert(name.clone(), text.clone());
    }
    variables
}

/// The names of all parameters, wherever they are declared.
fn parameter_names(entries: &[Entry]) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut collect = |entries: &[Entry]| {
        if let Some(Value {
            value: Kind::Map(parameters),
            ..
        }) = find(entries, "parameters")
        {
            names.extend(parameters.iter().map(|entry| entry.key.value.clone()));
        }
    };
    collect(entries);
    for list in ["jobs", "files", "user_data"] {
        if let Some(Value {
            value: Kind::List(items),
            ..
        }) = find(entries, list)
        {
            for item in items {
                if let Kind::Map(entries) = &item.value {
                    collect(entries);
                }
            }
        }
    }
    names
}

struct Scope<'p> {
    variables: HashMap<String, String>,
    parameters: HashSet<String>,
    problems: &'p Problems,
}

impl Scope<'_> {
    fn walk(&self, value: &mut Value, key: &str) {
        let at = value.at;
        match &mut value.value {
            Kind::Text(text) => self.replace(text, at),
            // Its entries name parameters; they are not text.
            Kind::List(_) if key == "use_parameters" => {}
            Kind::List(items) => items.iter_mut().for_each(|item| self.walk(item, "")),
            Kind::Map(entries) => entries
                .iter_mut()
                .for_each(|entry| self.walk(&mut entry.value, &entry.key.value)),
            _ => {}
        }
    }

    fn replace(&self, text: &mut String, at: Spot) {
        if !text.contains('{') {
            return;
        }
        let mut replaced = String::with_capacity(text.len());
        let mut copied = 0;
        for (start, end) in placeholders(text) {
            let inner = &text[start + 1..end - 1];
            let name = inner.split_once(':').map_or(inner, |(name, _)| name);
            if let Some(value) = self.variables.get(inner) {
                replaced.push_str(&text[copied..start]);
                replaced.push_str(value);
                copied = end;
            } else if !self.parameters.contains(name) {
                let message = format!("`{{{inner}}}` names neither a variable nor a parameter");
                let known = self.variables.keys().chain(&self.parameters);
                let help = did_you_mean(name, known.map(String::as_str));
                self.problems.push(at, message, help);
            }
        }
        replaced.push_str(&text[copied..]);
        *text = replaced;
    }
}

fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Where `{identifier}` and `{identifier:format}` begin and end; the shell's `${...}` is left out.
fn placeholders(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text[from..].find('{')?;
            from = start + 1;
            let length = text[from..].find(['{', '}'])?;
            let end = from + length + 1;
            let inner = &text[from..end - 1];
            let shell = text[..start].ends_with('$');
            if shell {
                from = end;
                continue;
            }
            let name = inner.split_once(':').map_or(inner, |(name, _)| name);
            if text[..end].ends_with('}') && is_identifier(name) {
                from = end;
                return Some((start, end));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::apply;
    use crate::spec::problem::Problems;
    use crate::spec::yaml;

    fn applied(text: &str) -> (serde_json::Value, Vec<String>) {
        let problems = Problems::default();
        let mut tree = yaml::parse(text, &problems).unwrap();
        apply(&mut tree, &problems);
        let messages = problems.into_sorted().into_iter().map(|p| p.message);
        (tree.to_json(), messages.collect())
    }

    #[test]
    fn variables_reach_every_string() {
        let (tree, problems) = applied(
            "variables: {root: /data}\nparameters: {i: '1:3'}\nenv: {A: '{root}/x ${root} {i:02d}'}\njobs: [{command: ['{root}']}]\n",
        );
        assert_eq!(tree["env"]["A"], "/data/x ${root} {i:02d}");
        assert_eq!(tree["jobs"][0]["command"][0], "/data");
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn mistakes_are_told() {
        let (_, problems) = applied(
            "variables: {root: /data, i: x, 2x: y, z: '{root}'}\nparameters: {i: '1:3'}\nname: '{rot} {print $1}'\n",
        );
        insta::assert_snapshot!(problems.join("\n"), @"
        `i` is both a variable and a parameter
        `2x` is no name for a variable
        the value of variable `z` must not contain `{...}`
        `{rot}` names neither a variable nor a parameter
        ");
    }

    #[test]
    fn without_variables_braces_mean_nothing() {
        let (tree, problems) = applied("name: '{whatever}'\n");
        assert_eq!(
            (tree["name"].as_str(), problems.len()),
            (Some("{whatever}"), 0)
        );
    }
}
