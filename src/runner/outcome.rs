//! What a worker has done, and why it stopped.

use std::fmt;

use crate::wire::JobStatus;

/// Why a worker stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is left to do in the workflow.
    #[default]
    Complete,
    /// The workflow was canceled.
    Canceled,
    /// No job could be had for so long as the workflow lets a worker wait.
    Idle,
    /// The worker's own time was over.
    TimeUp,
    /// A signal came; this is its number.
    Interrupted(i32),
}

/// What a worker has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunOutcome {
    /// Jobs that ended well.
    pub completed: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that failed and wait for their user.
    pub pending_failed: u64,
    /// Jobs that were stopped.
    pub terminated: u64,
    /// Jobs that were canceled with the workflow while they ran.
    pub canceled: u64,
    /// Jobs whose run was over before they were, because the workflow was started again.
    pub superseded: u64,
    /// Jobs that were claimed and given back.
    pub given_back: u64,
    /// Jobs whose ending the server refused to record; the log says why.
    pub refused: u64,
    /// Jobs whose ending the server could not be told.
    pub unreported: u64,
    /// Why the worker stopped.
    pub ending: Ending,
}

impl RunOutcome {
    /// The number of the signal that stopped the worker.
    pub fn interrupted_by(&self) -> Option<i32> {
        match self.ending {
            Ending::Interrupted(signal) => Some(signal),
            _ => None,
        }
    }

    /// Whether a job of this worker ended badly.
    pub fn has_failures(&self) -> bool {
        self.failed + self.pending_failed + self.terminated > 0
    }

    pub(super) fn count(&mut self, status: JobStatus) {
        match status {
            JobStatus::Completed => self.completed += 1,
            JobStatus::PendingFailed => self.pending_failed += 1,
            JobStatus::Terminated => self.terminated += 1,
            JobStatus::Canceled => self.canceled += 1,
            _ => self.failed += 1,
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ending {
            Ending::Complete => write!(f, "the workflow is complete")?,
            Ending::Canceled => write!(f, "the workflow was canceled")?,
            Ending::Idle => write!(f, "no more jobs to be had")?,
            Ending::TimeUp => write!(f, "the time limit is reached")?,
            Ending::Interrupted(signal) => write!(f, "stopped by signal {signal}")?,
        }
        write!(f, "; this worker: {} completed", self.completed)?;
        for (count, what) in [
            (self.failed, "failed"),
            (self.pending_failed, "failed and waiting for a decision"),
            (self.terminated, "terminated"),
            (self.canceled, "canceled"),
            (self.superseded, "of an earlier run"),
            (self.given_back, "given back"),
            (self.refused, "refused by the server"),
            (self.unreported, "NOT reported"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, RunOutcome};

    #[test]
    fn the_summary_names_only_what_there_was() {
        let mut outcome = RunOutcome {
            completed: 3,
            ..RunOutcome::default()
        };
        assert_eq!(
            outcome.to_string(),
            "the workflow is complete; this worker: 3 completed"
        );
        outcome.failed = 1;
        outcome.ending = Ending::Interrupted(15);
        assert_eq!(
            outcome.to_string(),
            "stopped by signal 15; this worker: 3 completed, 1 failed"
        );
        assert_eq!(outcome.interrupted_by(), Some(15));
        assert!(outcome.has_failures());
    }
}
