//! Tells the program from which commit it was built: `TORC_GIT_HASH` where that is set, else
//! what `.git` says, in a release build. A debug build would be compiled anew after every
//! commit for it, and says that it does not know. Nothing here can fail a build.

#![allow(clippy::print_stdout, reason = "this is how a build script answers")]

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=TORC_GIT_HASH");
    println!("cargo::rerun-if-changed=build.rs");
    let given = std::env::var("TORC_GIT_HASH").ok();
    let given = given.filter(|hash| is_hash(hash));
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let found = given.or_else(|| release.then(commit).flatten());
    println!(
        "cargo::rustc-env=TORC_GIT_HASH={}",
        found.as_deref().unwrap_or("unknown")
    );
}

fn is_hash(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric())
}

/// The commit that is checked out, read from the files of git.
fn commit() -> Option<String> {
    let git = directory(Path::new(".git"))?;
    let head = read(&git.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else {
        return Some(head).filter(|hash| is_hash(hash));
    };
    // A second working tree has its branches with the first.
    let common = read(&git.join("commondir")).map_or_else(|| git.clone(), |dir| git.join(dir));
    let hash = read(&common.join(name)).or_else(|| {
        let packed = read(&common.join("packed-refs"))?;
        let line = packed.lines().find(|line| line.ends_with(name))?;
        line.split(' ').next().map(str::to_owned)
    });
    hash.filter(|hash| is_hash(hash))
}

/// The directory of git, also where `.git` is a file that names it.
fn directory(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let text = fs::read_to_string(path).ok()?;
    text.strip_prefix("gitdir: ")
        .map(|dir| PathBuf::from(dir.trim()))
}

/// A file's text; the build is made anew when it changes.
fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text.trim().to_owned())
}
