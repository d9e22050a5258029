//! The house rules that a compiler does not know: who may import whom, how long
//! files are, and that each says what it is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::root;

/// What each part of `src/` may import of ours. `server.rs` joins the parts.
fn allowed(part: &str) -> Option<&'static [&'static str]> {
    Some(match part {
        "wire" => &["wire"],
        "store" => &["store", "wire"],
        "engine" => &["engine", "store", "wire"],
        "server" => &["server", "engine", "htpasswd", "wire", "telemetry"],
        "server.rs" => &["server", "store", "engine", "telemetry"],
        "telemetry" => &["telemetry", "config"],
        "spec" => &["spec", "wire"],
        "client" => &["client", "wire"],
        "runner" => &["runner", "client", "wire"],
        "cli" => &["cli", "spec", "client", "runner", "wire"],
        "cli/standalone.rs" => &["cli", "server", "wire", "store"],
        "config" => &["config"],
        "htpasswd" => &["htpasswd", "config"],
        "clock" | "prompt" | "say" | "shutdown" | "trust" => &[],
        "lib" => return None,
        "main" | "bin" => return None,
        other => panic!("src/{other} has no place in the table of who may import whom"),
    })
}

/// May be imported by anyone; they import each other and [`BELOW_LEAVES`].
const LEAVES: [&str; 11] = [
    "clock",
    "prompt",
    "say",
    "shutdown",
    "trust",
    "telemetry::task",
    "telemetry::board",
    "telemetry::phase",
    "telemetry::request",
    "telemetry::resource",
    "telemetry::scope",
];

/// What telemetry's leaves rest on: they record, and that is where it goes.
const BELOW_LEAVES: [&str; 4] = [
    "clock",
    "telemetry::named",
    "telemetry::recorder",
    "telemetry::series",
];

/// Crates that only one part may know.
const ALONE: [(&str, &[&str]); 13] = [
    ("sea_orm", &["store"]),
    ("rusqlite", &["store"]),
    ("sqlx", &["store"]),
    ("entity", &["store"]),
    ("migration", &["store"]),
    ("axum", &["server"]),
    ("prometheus_client", &["telemetry"]),
    ("bcrypt", &["htpasswd"]),
    ("hyper", &["server"]),
    ("pprof", &["telemetry"]),
    ("tokio_rustls", &["server", "client", "trust"]),
    ("reqwest", &["client", "telemetry"]),
    ("clap", &["config", "cli", "main", "bin"]),
];

/// Whether code names a crate, by a path that begins with it.
fn knows(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
    })
}

/// A file without its comments.
fn code_of(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

fn all(directories: &[&str]) -> BTreeMap<String, String> {
    let mut found = Vec::new();
    for directory in directories {
        let directory = root().join(directory);
        if directory.exists() {
            sources(&directory, &mut found);
        }
    }
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (
                path.strip_prefix(root()).unwrap().display().to_string(),
                text,
            )
        })
        .collect()
}

/// The module paths of ours that a file's code names, such as `telemetry::task`. What it
/// says from its parent on counts too, but for tests, whose parent is the file itself.
fn imports(inside: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let mut named = Vec::new();
    let places = code.split("crate::").skip(1);
    let mut places: Vec<String> = places.map(str::to_owned).collect();
    let outside_tests = code.split("#[cfg(test)]").next().unwrap();
    let module: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    for (at, _) in outside_tests.match_indices("super::") {
        let before = outside_tests[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
            continue;
        }
        let (mut rest, mut depth) = (&outside_tests[at..], 0);
        while let Some(further) = rest.strip_prefix("super::") {
            (rest, depth) = (further, depth + 1);
        }
        let parents = module.len().saturating_sub(depth);
        let parent: String = module[..parents]
            .iter()
            .flat_map(|name| [name, "::"])
            .collect();
        places.push(parent + rest);
    }
    for after in &places {
        let path: String = after
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '{'))
            .collect();
        match path.split_once("::{") {
            // `telemetry::{task, phase}`: each is an import of its own.
            Some((head, _)) => {
                let list = after.split_once('{').map_or("", |(_, rest)| rest);
                let list = list.split('}').next().unwrap_or("");
                for item in list
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                {
                    named.push(format!("{head}::{item}"));
                }
            }
            None => named.push(path.trim_end_matches(':').to_owned()),
        }
    }
    named
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in all(&["src"]) {
        let inside = path.strip_prefix("src/").unwrap();
        let part = inside.split(['/', '.']).next().unwrap();
        let leaf = matches!(
            inside,
            "telemetry/board.rs"
                | "telemetry/request.rs"
                | "telemetry/task.rs"
                | "telemetry/phase.rs"
                | "telemetry/resource.rs"
                | "telemetry/scope.rs"
        ) || inside.starts_with("telemetry/board/")
            || inside.starts_with("telemetry/task/");
        let whole = match inside {
            "server.rs" | "cli/standalone.rs" => inside,
            _ => part,
        };
        let Some(may) = allowed(whole) else { continue };
        for import in imports(inside, &text) {
            let target = import.split("::").next().unwrap();
            let to_leaf = LEAVES
                .iter()
                .any(|leaf| import == *leaf || import.starts_with(&format!("{leaf}::")));
            let own_leaf = leaf && inside.starts_with(&import.replace("::", "/"));
            let below = BELOW_LEAVES
                .iter()
                .any(|below| import == *below || import.starts_with(&format!("{below}::")));
            let fine = to_leaf
                || if leaf {
                    own_leaf || below
                } else {
                    may.contains(&target)
                };
            if !fine {
                wrong.push(format!("{path} imports {import}"));
            }
        }
        for (name, parts) in ALONE {
            if knows(&code_of(&text), name) && !parts.contains(&part) {
                wrong.push(format!("{path} knows {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (path, text) in all(&["src", "entity", "migration", "tests", "benches"]) {
        let lines = text.lines().count();
        if lines > 500 {
            wrong.push(format!("{path} has {lines} lines"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{path} does not open with //!"));
        }
        let outside_tests = text.split("#[cfg(test)]").next().unwrap();
        if path.starts_with("src/") && outside_tests.contains("use super::*") {
            wrong.push(format!("{path} imports all of its parent"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// reqwest's short ways look for the system's certificates, and fail where there are none.
#[test]
fn tests_need_no_certificates() {
    let inside = |path: &str| !matches!(path, "tests/it/support/http.rs" | "tests/it/tidy.rs");
    let mut wrong = Vec::new();
    for (path, text) in all(&["tests"]) {
        let short = ["reqwest::get(", "reqwest::Client::new("];
        if inside(&path) && short.iter().any(|way| text.contains(way)) {
            wrong.push(format!("{path}: take support::http instead"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
