//! `torc-server htpasswd`, on files as it finds them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::process::{Answer, bare, output_bounded, torc_server};
use crate::support::terminal;

/// Runs `torc-server htpasswd` in `directory`, with this on standard input.
fn htpasswd(directory: &Path, arguments: &[&str], stdin: &str) -> Answer {
    // A file, as a pipe may be closed before it was written.
    let input = directory.join(".stdin");
    fs::write(&input, stdin).unwrap();
    let mut command = torc_server();
    command
        .current_dir(directory)
        .arg("htpasswd")
        .args(arguments)
        .stdin(fs::File::open(input).unwrap());
    output_bounded(&mut command)
}

fn add(directory: &Path, user: &str, password: &str) -> Answer {
    let arguments = ["add", "-f", "users", user, "--password-stdin", "-c", "4"];
    htpasswd(directory, &arguments, password)
}

fn verify(directory: &Path, user: &str, password: &str) -> Option<i32> {
    let arguments = ["verify", "-f", "users", user, "--password-stdin"];
    htpasswd(directory, &arguments, password).code
}

fn users(directory: &Path) -> String {
    fs::read_to_string(directory.join("users")).unwrap()
}

fn mode(directory: &Path) -> u32 {
    fs::metadata(directory.join("users")).unwrap().mode() & 0o777
}

/// What lies in the directory besides what the tests put there.
fn left_behind(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".htpasswd")).collect()
}

#[test]
fn users_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let added = add(here, "ann", "secret\n");
    assert_eq!(
        (added.code, added.out.as_str()),
        (Some(0), "ann added\n"),
        "{}",
        added.err
    );
    assert!(users(here).starts_with("ann:$2b$04$"), "{}", users(here));
    assert_eq!(mode(here), 0o600);
    assert_eq!(add(here, "böb", "b").code, Some(0));

    assert_eq!(verify(here, "ann", "secret"), Some(0));
    assert_eq!(
        verify(here, "ann", "secret\r\nmore"),
        Some(0),
        "only the first line counts"
    );
    assert_eq!(verify(here, "ann", "secret "), Some(1));
    assert_eq!(verify(here, "nobody", "secret"), Some(1));

    let replaced = add(here, "ann", "other");
    assert!(replaced.out.contains("there already"), "{}", replaced.out);
    assert_eq!(verify(here, "ann", "secret"), Some(1));
    assert_eq!(verify(here, "ann", "other"), Some(0));

    let list = htpasswd(here, &["list", "-f", "users"], "");
    assert_eq!(list.out, "ann\nböb\n");
    let list = htpasswd(here, &["list", "-f", "users", "--json"], "");
    let items = json!([{"user": "ann", "cost": 4}, {"user": "böb", "cost": 4}]);
    assert_eq!(
        serde_json::from_str::<Value>(&list.out).unwrap(),
        json!({"items": items})
    );

    assert_eq!(
        htpasswd(here, &["remove", "-f", "users", "nobody"], "").code,
        Some(1)
    );
    assert_eq!(
        htpasswd(here, &["remove", "-f", "users", "böb"], "").code,
        Some(0)
    );
    let last = htpasswd(here, &["remove", "-f", "users", "ann"], "");
    assert_eq!(last.code, Some(0));
    assert!(last.err.contains("nobody is left"), "{}", last.err);
    assert_eq!(users(here), "");
    assert!(left_behind(here).is_empty());
}

#[test]
fn the_file_may_be_named_by_the_environment_and_the_password_by_a_flag() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = torc_server();
    command
        .current_dir(directory.path())
        .env("TORC_AUTH_FILE", "users")
        .args(["htpasswd", "add", "ann", "-p", "secret", "-c", "4"])
        .stdin(Stdio::null());
    assert_eq!(output_bounded(&mut command).code, Some(0));
    assert_eq!(verify(directory.path(), "ann", "secret"), Some(0));
}

#[test]
fn what_else_is_in_the_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    add(here, "ann", "a");
    let ann = users(here);
    // As another program may leave it: no newline at the end, readable by others.
    let before = format!(
        "# ours\n\n{ann}  # theirs\nbob{}",
        ann.trim_end().trim_start_matches("ann")
    );
    fs::write(here.join("users"), &before).unwrap();
    fs::set_permissions(here.join("users"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(add(here, "bob", "b").code, Some(0));
    let after = users(here);
    assert!(
        after.starts_with(&format!("# ours\n\n{ann}  # theirs\nbob:$2b$")),
        "{after}"
    );
    assert_eq!(after.lines().count(), 5, "{after}");
    assert_eq!(
        mode(here),
        0o640,
        "the group may go on reading it, others may not"
    );

    // A link stays one.
    fs::rename(here.join("users"), here.join("real")).unwrap();
    symlink("real", here.join("users")).unwrap();
    assert_eq!(
        htpasswd(here, &["remove", "-f", "users", "bob"], "").code,
        Some(0)
    );
    assert!(
        fs::symlink_metadata(here.join("users"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(users(here), format!("# ours\n\n{ann}  # theirs\n"));
}

#[test]
fn names_and_passwords_that_would_not_work_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let long = "x".repeat(73);
    for (user, password, said) in [
        ("", "x", "empty"),
        ("a:b", "x", "colon"),
        ("a\nb", "x", "newline"),
        (" a", "x", "blank"),
        ("#a", "x", "comment"),
        ("ann", "", "no password"),
        ("ann", "\n", "empty"),
        ("ann", "a\0b", "zero byte"),
        ("ann", &long, "73 bytes"),
    ] {
        let answer = add(here, user, password);
        assert!(
            matches!(answer.code, Some(1 | 2)),
            "{user:?} {password:?}: {answer:?}"
        );
        assert!(
            answer.err.contains(said),
            "{user:?} {password:?}: {}",
            answer.err
        );
        assert!(!here.join("users").exists(), "{user:?} {password:?}");
    }
    let longest = "x".repeat(72);
    assert_eq!(add(here, "ann", &longest).code, Some(0));
    assert_eq!(verify(here, "ann", &longest), Some(0));
    for arguments in [
        &["add", "-f", "users", "ann", "-c", "3"][..],
        &["add", "-f", "users", "ann", "-c", "18"],
        &["add", "ann"],
        &["add", "-f", "users", "ann", "-p", "x", "--password-stdin"],
    ] {
        assert_eq!(
            htpasswd(here, arguments, "x").code,
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_file_that_is_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let text = "ann:hunter2\nkey = value\n";
    fs::write(here.join("users"), text).unwrap();
    for arguments in [
        &["add", "-f", "users", "bob", "--password-stdin", "-c", "4"][..],
        &["remove", "-f", "users", "ann"],
        &["list", "-f", "users"],
        &["verify", "-f", "users", "ann", "--password-stdin"],
    ] {
        let answer = htpasswd(here, arguments, "x");
        assert_eq!(answer.code, Some(1), "{arguments:?}");
        assert!(answer.err.contains("users, line 1: "), "{}", answer.err);
        assert!(
            !answer.err.contains("hunter2") && answer.out.is_empty(),
            "{answer:?}"
        );
    }
    assert_eq!(users(here), text);
    for arguments in [
        &["list", "-f", "none"][..],
        &["remove", "-f", "none", "ann"],
    ] {
        let answer = htpasswd(here, arguments, "");
        assert_eq!(answer.code, Some(1));
        assert!(
            answer.err.contains("cannot read the auth file none"),
            "{}",
            answer.err
        );
    }
    let answer = htpasswd(
        here,
        &["add", "-f", "no/where", "a", "-p", "x", "-c", "4"],
        "",
    );
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.err.contains("cannot write the auth file no/where"),
        "{}",
        answer.err
    );
}

#[test]
fn many_at_one_time_lose_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    std::thread::scope(|scope| {
        for n in 0..8 {
            scope.spawn(move || {
                let mut command = torc_server();
                let user = format!("user{n}");
                command
                    .current_dir(here)
                    .args([
                        "htpasswd", "add", "-f", "users", &user, "-p", "x", "-c", "4",
                    ])
                    .stdin(Stdio::null());
                assert_eq!(output_bounded(&mut command).code, Some(0));
            });
        }
    });
    assert_eq!(users(here).lines().count(), 8);
    assert!(left_behind(here).is_empty());
}

/// The same at a terminal, where these are typed.
fn at_a_terminal(directory: &Path, arguments: &str, answers: &[&str]) -> (i32, String) {
    let program = env!("CARGO_BIN_EXE_torc-server");
    let mut command = bare("script");
    command.current_dir(directory);
    terminal::type_in(command, &format!("{program} htpasswd {arguments}"), answers)
}

#[test]
fn passwords_are_asked_for_twice_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let command = "add -f users ann -c 4";
    let (code, shown) = at_a_terminal(here, command, &["hunter2\r", "hunter3\r"]);
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("differ") && !shown.contains("hunter"),
        "{shown}"
    );
    let (code, shown) = at_a_terminal(here, command, &["hunter2\u{3}"]);
    assert_eq!(code, 130, "{shown}");
    assert!(!here.join("users").exists());
    let (code, shown) = at_a_terminal(here, command, &["hunter1\u{7f}2\r", "hunter2\r"]);
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert_eq!(verify(here, "ann", "hunter2"), Some(0));
}

#[test]
fn without_a_terminal_there_is_advice() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = bare("setsid");
    command
        .current_dir(directory.path())
        .args(["-w", env!("CARGO_BIN_EXE_torc-server")])
        .args(["htpasswd", "add", "-f", "users", "ann"])
        .stdin(Stdio::null());
    let answer = output_bounded(&mut command);
    assert_eq!(answer.code, Some(2), "{}", answer.err);
    assert!(answer.err.contains("--password-stdin"), "{}", answer.err);
}
