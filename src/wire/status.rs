//! The status of a job: its spelling on the wire and its code in the database.

use serde::{Deserialize, Serialize};

/// Where a job stands. On the wire always the snake_case word, in the database the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Created, not yet part of a run.
    Uninitialized,
    /// Waits for other jobs.
    Blocked,
    /// May be claimed.
    Ready,
    /// Claimed by a worker, not yet started.
    Pending,
    /// Started by a worker.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Will not run, or was stopped by a cancelled workflow.
    Canceled,
    /// Stopped from outside while running.
    Terminated,
    /// Taken out of the workflow by its user.
    Disabled,
    /// Failed, and its user has yet to decide what that means.
    PendingFailed,
}

impl JobStatus {
    /// All statuses in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::Uninitialized,
        Self::Blocked,
        Self::Ready,
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
        Self::Disabled,
        Self::PendingFailed,
    ];

    /// The code in `job.status` and `result.status`.
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// The status with this code.
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uninitialized => "uninitialized",
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Terminated => "terminated",
            Self::Disabled => "disabled",
            Self::PendingFailed => "pending_failed",
        }
    }

    /// Whether a job in this status has ended, so that its dependents need not wait for it.
    pub const fn is_complete(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Canceled | Self::Terminated
        )
    }

    /// Whether a completion may name this status.
    pub const fn is_terminal(self) -> bool {
        self.is_complete() || matches!(self, Self::PendingFailed)
    }
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for JobStatus {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                format!("unknown job status '{word}'; one of {known}")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::JobStatus;

    #[test]
    fn words_and_codes_agree_with_serde() {
        for (code, status) in JobStatus::ALL.into_iter().enumerate() {
            assert_eq!(JobStatus::from_code(code as i64), Some(status));
            assert_eq!(status.code(), code as i64);
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!(JobStatus::from_code(11), None);
        assert_eq!(JobStatus::from_code(-1), None);
    }
}
