//! `torc` against a server that asks for a password and speaks HTTPS.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::certificate;
use crate::support::process::{Answer, ServerProcess, bare, output_bounded, torc};
use crate::support::terminal;

/// A server whose only user is ann, with the password `hunter2`.
fn server(directory: &Path, arguments: &[&str]) -> ServerProcess {
    let line = format!("ann:{}\n", bcrypt::hash("hunter2", 4).unwrap());
    fs::write(directory.join("users"), line).unwrap();
    let all = [&["--auth-file", "users", "--require-auth"], arguments].concat();
    ServerProcess::start(directory, &all)
}

fn https(directory: &Path) -> (ServerProcess, String) {
    certificate::write(directory, &certificate::made());
    let arguments = ["--https", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let server = server(directory, &arguments);
    let url = format!("https://127.0.0.1:{}", server.port());
    (server, url)
}

/// `torc` as ann, whose password the environment has.
fn ann(directory: &Path, url: &str) -> Command {
    let mut command = torc();
    command
        .current_dir(directory)
        .env("TORC_API_URL", url)
        .env("TORC_USERNAME", "ann")
        .env("TORC_PASSWORD", "hunter2")
        .stdin(Stdio::null());
    command
}

fn fine(answer: &Answer) {
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

#[test]
fn jobs_run_over_https_with_a_password() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let (server, url) = https(here);
    let spec =
        "name: w\njobs:\n  - name: a\n    command: torc --tls-ca-cert cert.pem ping > said\n";
    fs::write(here.join("w.yaml"), spec).unwrap();
    let mut run = ann(here, &url);
    let programs = Path::new(env!("CARGO_BIN_EXE_torc")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    run.args([
        "run",
        "w.yaml",
        "--fail-on-job-failure",
        "--tls-ca-cert",
        "cert.pem",
    ])
    .env("PATH", path);
    fine(&output_bounded(&mut run));
    // The job asked too, by what it found in its environment.
    let said = fs::read_to_string(here.join("said")).unwrap();
    assert_eq!(said, "Server is running\n");
    let mut list = ann(here, &url);
    list.args(["--tls-ca-cert", "cert.pem", "workflows", "list", "--json"]);
    let list = output_bounded(&mut list);
    fine(&list);
    assert!(list.out.contains("\"user\": \"ann\""), "{}", list.out);
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let (_server, url) = https(here);
    let answer = output_bounded(ann(here, &url).arg("ping"));
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.err.contains("--tls-ca-cert"), "{}", answer.err);

    fine(&output_bounded(
        ann(here, &url)
            .arg("ping")
            .env("TORC_TLS_CA_CERT", "cert.pem"),
    ));
    let insecure = output_bounded(ann(here, &url).args(["ping", "--tls-insecure"]));
    fine(&insecure);
    assert!(insecure.err.contains("warning"), "{}", insecure.err);
    let off = ann(here, &url)
        .arg("ping")
        .env("TORC_TLS_INSECURE", "0")
        .output()
        .unwrap();
    assert_eq!(off.status.code(), Some(1));

    // Another certificate of the same names.
    let other = here.join("other");
    fs::create_dir(&other).unwrap();
    certificate::write(&other, &certificate::made());
    let answer = output_bounded(ann(here, &url).args(["ping", "--tls-ca-cert", "other/cert.pem"]));
    assert_eq!(answer.code, Some(1), "{answer:?}");
    for (file, said) in [("none.pem", "cannot read"), ("users", "no CA certificate")] {
        let answer = output_bounded(ann(here, &url).args(["ping", "--tls-ca-cert", file]));
        assert_eq!(answer.code, Some(1), "{answer:?}");
        assert!(answer.err.contains(said), "{}", answer.err);
    }
}

#[test]
fn a_password_comes_from_the_environment_a_flag_or_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let server = server(here, &[]);
    let url = format!("http://127.0.0.1:{}", server.port());
    fine(&output_bounded(ann(here, &url).arg("ping")));
    let mut wrong = ann(here, &url);
    let wrong =
        output_bounded(wrong.args(["ping", "--password", "hunter3", "--log-level", "trace"]));
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.err.contains("status 401") && wrong.err.contains("TORC_PASSWORD"),
        "{}",
        wrong.err
    );
    assert!(!wrong.err.contains("hunter"), "{}", wrong.err);
    let mut none = ann(here, &url);
    assert_eq!(
        output_bounded(none.arg("ping").env("TORC_PASSWORD", "")).code,
        Some(1)
    );

    let help = output_bounded(ann(here, &url).args(["ping", "--help"]));
    assert!(
        help.out.contains("TORC_PASSWORD") && !help.out.contains("hunter2"),
        "{}",
        help.out
    );

    let mut script = bare("script");
    script.current_dir(here).env("TORC_USERNAME", "ann");
    let line = format!(
        "{} --url {url} --prompt-password ping",
        env!("CARGO_BIN_EXE_torc")
    );
    let (code, shown) = terminal::type_in(script, &line, &["hunter2\r"]);
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("Server is running") && !shown.contains("hunter"),
        "{shown}"
    );
}
