//! Where the output of jobs goes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::wire::jobs::JobModel;
use crate::wire::workflow_config::{ExecutionConfig, StdioConfig, StdioMode};
use crate::wire::{RunId, WorkflowId};

/// The folder, and which files each job gets.
#[derive(Debug)]
pub(super) struct StdioPlan {
    folder: PathBuf,
    usual: StdioConfig,
    by_job: BTreeMap<String, StdioConfig>,
}

impl StdioPlan {
    /// Makes the folder under the output directory.
    pub(super) fn new(output_dir: &Path, config: Option<&ExecutionConfig>) -> io::Result<Self> {
        let folder = output_dir.join("job_stdio");
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            usual: config
                .and_then(|config| config.stdio.clone())
                .unwrap_or_default(),
            by_job: config
                .and_then(|config| config.job_stdio_overrides.clone())
                .unwrap_or_default(),
        })
    }

    /// The files of one attempt of a job.
    pub(super) fn of(&self, workflow: WorkflowId, job: &JobModel, run: RunId) -> JobStdio {
        let id = job.id.unwrap_or_default();
        let attempt = job.attempt_id.unwrap_or(1);
        let stem = format!("job_wf{workflow}_j{id}_r{run}_a{attempt}");
        let path = |ending: &str| Some(self.folder.join(format!("{stem}.{ending}")));
        let config = self.by_job.get(&job.name);
        let mode = config.and_then(|config| config.mode).or(self.usual.mode);
        let (out, err) = match mode.unwrap_or_default() {
            StdioMode::Separate => (path("o"), path("e")),
            StdioMode::Combined => (path("log"), path("log")),
            StdioMode::NoStdout => (None, path("e")),
            StdioMode::NoStderr => (path("o"), None),
            StdioMode::None => (None, None),
        };
        let delete_on_success = config
            .and_then(|config| config.delete_on_success)
            .or(self.usual.delete_on_success)
            .unwrap_or_default();
        JobStdio {
            folder: self.folder.clone(),
            out,
            err,
            delete_on_success,
        }
    }
}

/// The files of one attempt of a job.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JobStdio {
    folder: PathBuf,
    out: Option<PathBuf>,
    err: Option<PathBuf>,
    delete_on_success: bool,
}

impl JobStdio {
    /// The folder that they are in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the files for the job's standard output and standard error; in a folder that
    /// somebody has removed meanwhile, too.
    pub(super) fn open(&self) -> io::Result<(Stdio, Stdio)> {
        match self.try_open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.folder)?;
                self.try_open()
            }
            opened => opened,
        }
    }

    fn try_open(&self) -> io::Result<(Stdio, Stdio)> {
        let open = |path: &Option<PathBuf>| match path {
            Some(path) => File::create(path).map(Stdio::from),
            None => Ok(Stdio::null()),
        };
        if let Some(path) = self.out.as_ref().filter(|_| self.out == self.err) {
            // One open file for both, so that neither writes over the other.
            let file = File::create(path)?;
            return Ok((file.try_clone()?.into(), file.into()));
        }
        Ok((open(&self.out)?, open(&self.err)?))
    }

    /// Adds a word of the worker to the job's errors, for whoever looks there first.
    pub(super) fn note(&self, message: &str) {
        let Some(path) = self.err.as_ref().or(self.out.as_ref()) else {
            return;
        };
        let written = File::options()
            .append(true)
            .create(true)
            .open(path)
            .and_then(|mut file| writeln!(file, "torc: {message}"));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "could not add to a job's output");
        }
    }

    /// Removes the files of a job that ended well, where that is wanted.
    pub(super) fn tidy(&self, ended_well: bool) {
        if !(ended_well && self.delete_on_success) {
            return;
        }
        let distinct = self.err.iter().filter(|_| self.out != self.err);
        for path in self.out.iter().chain(distinct) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "could not remove a job's output");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{JobStdio, StdioPlan};
    use crate::wire::jobs::JobModel;
    use crate::wire::workflow_config::ExecutionConfig;

    fn plan(folder: &Path, config: serde_json::Value) -> StdioPlan {
        let config: ExecutionConfig = serde_json::from_value(config).unwrap();
        StdioPlan::new(folder, Some(&config)).unwrap()
    }

    fn files(plan: &StdioPlan, name: &str) -> (Option<String>, Option<String>, bool) {
        let job = JobModel {
            id: Some(7),
            name: name.to_owned(),
            attempt_id: Some(2),
            ..JobModel::default()
        };
        let JobStdio {
            out,
            err,
            delete_on_success,
            ..
        } = plan.of(3, &job, 4);
        let name = |path: Option<std::path::PathBuf>| {
            path.map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        };
        (name(out), name(err), delete_on_success)
    }

    #[test]
    fn files_are_named_as_the_contract_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let named = |ending: &str| Some(format!("job_wf3_j7_r4_a2.{ending}"));
        let plan = plan(
            folder.path(),
            serde_json::json!({
                "stdio": {"mode": "no_stdout"},
                "job_stdio_overrides": {
                    "both": {"mode": "combined", "delete_on_success": true},
                    "apart": {"mode": "separate"},
                    "quiet": {"mode": "none"},
                    "out": {"mode": "no_stderr"},
                    "same": {"delete_on_success": true},
                },
            }),
        );
        assert_eq!(files(&plan, "other"), (None, named("e"), false));
        assert_eq!(files(&plan, "both"), (named("log"), named("log"), true));
        assert_eq!(files(&plan, "apart"), (named("o"), named("e"), false));
        assert_eq!(files(&plan, "quiet"), (None, None, false));
        assert_eq!(files(&plan, "out"), (named("o"), None, false));
        assert_eq!(files(&plan, "same"), (None, named("e"), true));
    }

    #[test]
    fn notes_are_added_and_success_may_remove_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(
            folder.path(),
            serde_json::json!({"stdio": {"mode": "combined", "delete_on_success": true}}),
        );
        let stdio = plan.of(1, &JobModel::default(), 1);
        let path = stdio.out.clone().unwrap();
        std::fs::remove_dir_all(stdio.folder()).unwrap();
        drop(stdio.open().unwrap());
        stdio.note("out of luck");
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "torc: out of luck\n"
        );
        stdio.tidy(false);
        assert!(path.exists());
        stdio.tidy(true);
        assert!(!path.exists());
    }
}
