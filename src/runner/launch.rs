//! Starting a job's process, and whose fault it is if that fails.

use std::io::{self, ErrorKind};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::RunnerError;
use super::gpus::NAMES;
use super::job_process::Shop;
use super::stdio::JobStdio;
use super::verdict;
use crate::client::Trace;
use crate::wire::jobs::JobModel;

/// Why a job's process was not started.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// No machine could start it; this is its return code.
    Job(io::Error, i64),
    /// This machine cannot, at least not now. The next job would fare no better.
    Machine(RunnerError),
}

/// What `bash -c` gets: the script goes before the command, on its own lines if it has several.
fn command_line(job: &JobModel) -> String {
    match job.invocation_script.as_deref().map(str::trim_end) {
        None | Some("") => job.command.clone(),
        Some(script) if script.contains('\n') => format!("{script}\n{}", job.command),
        Some(script) => format!("{script} {}", job.command),
    }
}

/// Starts the job's process as the leader of a process group of its own.
///
/// Nothing here keeps the standard library from `posix_spawn`, which does not copy the
/// worker's page tables for every job.
pub(super) fn launch(
    job: &JobModel,
    gpus: &[String],
    trace: Option<Trace>,
    shop: &Shop,
    stdio: &JobStdio,
) -> Result<Child, NotStarted> {
    let (out, err) = stdio.open().map_err(|source| {
        NotStarted::Machine(RunnerError::OutputDir {
            path: stdio.folder().to_owned(),
            source,
        })
    })?;
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(command_line(job))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    if let Some(env) = &job.env {
        command.envs(env);
    }
    command
        .envs(shop.env.iter().map(|(name, value)| (name, value)))
        .env("TORC_RUN_ID", shop.run_id.to_string())
        .env("TORC_JOB_ID", job.id.unwrap_or_default().to_string())
        .env("TORC_JOB_NAME", &job.name)
        .env("TORC_ATTEMPT_ID", job.attempt_id.unwrap_or(1).to_string());
    if let Some(trace) = trace {
        // What programs that trace themselves look for.
        command.env("TRACEPARENT", trace.header());
    }
    if !gpus.is_empty() {
        let gpus = gpus.join(",");
        command.envs(NAMES.map(|name| (name, &gpus)));
    }
    command.spawn().map_err(blame)
}

fn blame(error: io::Error) -> NotStarted {
    match error.kind() {
        ErrorKind::NotFound => NotStarted::Job(error, verdict::NOT_FOUND_CODE),
        // Too long a command or environment, or a zero byte in it.
        ErrorKind::ArgumentListTooLong | ErrorKind::InvalidInput => {
            NotStarted::Job(error, verdict::UNKNOWN_CODE)
        }
        // No memory, no file descriptors, no more processes for this user.
        _ => NotStarted::Machine(RunnerError::Spawn(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::{NotStarted, blame, command_line};
    use crate::wire::jobs::JobModel;

    #[test]
    fn the_script_goes_before_the_command() {
        for (script, expected) in [
            (None, "run x"),
            (Some(""), "run x"),
            (Some("time"), "time run x"),
            (Some("time\n"), "time run x"),
            (Some("set -e\ncd /"), "set -e\ncd /\nrun x"),
        ] {
            let job = JobModel {
                command: "run x".to_owned(),
                invocation_script: script.map(str::to_owned),
                ..JobModel::default()
            };
            assert_eq!(command_line(&job), expected);
        }
    }

    #[test]
    fn a_machine_that_has_no_more_to_give_is_no_fault_of_the_job() {
        for (errno, jobs) in [
            (Errno::NOENT, true),
            (Errno::TOOBIG, true),
            (Errno::INVAL, true),
            (Errno::AGAIN, false),
            (Errno::NOMEM, false),
            (Errno::MFILE, false),
            (Errno::NFILE, false),
            (Errno::NOSPC, false),
            (Errno::ACCESS, false),
        ] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            let blamed = blame(error);
            assert_eq!(matches!(blamed, NotStarted::Job(..)), jobs, "{errno}");
        }
    }
}
