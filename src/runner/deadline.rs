//! The end of the worker's own time, and what happens shortly before it.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::workflow_config::ExecutionConfig;

/// Seconds before the end at which jobs are killed, unless the workflow says otherwise.
const KILL_BEFORE_END: u64 = 60;
/// Seconds between the polite signal and the kill, unless the workflow says otherwise.
const SIGNAL_BEFORE_KILL: u64 = 30;
/// A job may be claimed that asks for this much more than is left: most ask for too much.
const CLAIM_GRACE: Duration = Duration::from_secs(120);

/// When jobs are asked to stop, and when they are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    end: Instant,
    /// Jobs are asked to stop.
    pub(super) signal_at: Instant,
    /// Jobs are killed.
    pub(super) kill_at: Instant,
}

impl Deadline {
    /// For a worker that may run for `limit` from `start`.
    ///
    /// A short limit is not eaten up by the pauses before its end: each is at most a
    /// quarter of it.
    pub(super) fn new(start: Instant, limit: Duration, config: Option<&ExecutionConfig>) -> Self {
        let seconds = |given: Option<i64>, usual: u64| {
            let wanted = given.and_then(|given| u64::try_from(given).ok());
            Duration::from_secs(wanted.unwrap_or(usual)).min(limit / 4)
        };
        let headroom = config.and_then(|config| config.sigkill_headroom_seconds);
        let lead = config.and_then(|config| config.sigterm_lead_seconds);
        let end = start + limit;
        let kill_at = end - seconds(headroom, KILL_BEFORE_END);
        Self {
            end,
            signal_at: kill_at - seconds(lead, SIGNAL_BEFORE_KILL),
            kill_at,
        }
    }

    /// What a claim says about the time left.
    pub(super) fn time_left(&self, now: Instant) -> Duration {
        self.end.saturating_duration_since(now) + CLAIM_GRACE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Deadline;
    use crate::wire::workflow_config::ExecutionConfig;

    #[test]
    fn jobs_are_signalled_then_killed_then_time_is_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let hour = Deadline::new(start, Duration::from_secs(3600), None);
        assert_eq!((hour.signal_at, hour.kill_at), (at(3510), at(3540)));
        assert_eq!(hour.time_left(at(3590)), Duration::from_secs(130));
        assert_eq!(hour.time_left(at(9999)), Duration::from_secs(120));

        let short = Deadline::new(start, Duration::from_secs(40), None);
        assert_eq!((short.signal_at, short.kill_at), (at(20), at(30)));

        let config = ExecutionConfig {
            sigkill_headroom_seconds: Some(10),
            sigterm_lead_seconds: Some(5),
            ..ExecutionConfig::default()
        };
        let own = Deadline::new(start, Duration::from_secs(3600), Some(&config));
        assert_eq!((own.signal_at, own.kill_at), (at(3585), at(3590)));
    }
}
