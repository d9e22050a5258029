//! How an ended process counts: its return code and the job's status.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;

use crate::wire::JobStatus;
use crate::wire::workflow_config::{ExecutionConfig, TerminationSignal};
use crate::wire::workflows::WorkflowModel;

/// The return code of a job that was killed because time was up, unless the workflow says otherwise.
pub(super) const TIMEOUT_CODE: i64 = 152;
/// The shell's code for a command that it cannot find.
pub(super) const NOT_FOUND_CODE: i64 = 127;
/// The code of a job of which nothing better is known.
pub(super) const UNKNOWN_CODE: i64 = -1;

/// What the worker wants of its running jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Run to the end.
    Run,
    /// End, please: this signal goes to the job's process group.
    Stop(Signal),
    /// End now.
    Kill {
        /// Because the worker's own time is over.
        time_up: bool,
    },
}

/// The settings of a workflow that matter here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    /// Failed jobs wait for their user.
    pub(super) use_pending_failed: bool,
    /// Return code of a job killed because time was up.
    pub(super) timeout_code: Option<i64>,
}

impl Rules {
    pub(super) fn of(workflow: &WorkflowModel) -> Self {
        let config = workflow.execution_config.as_ref();
        Self {
            use_pending_failed: workflow.use_pending_failed.unwrap_or_default(),
            timeout_code: config
                .and_then(|config| config.timeout_exit_code)
                .map(i64::from),
        }
    }
}

/// How jobs of a workflow want to be asked to stop.
pub(super) fn polite_signal(config: Option<&ExecutionConfig>) -> Signal {
    let Some(name) = config.and_then(|config| config.termination_signal.as_deref()) else {
        return Signal::TERM;
    };
    match TerminationSignal::named(name) {
        Some(TerminationSignal::Term) => Signal::TERM,
        Some(TerminationSignal::Int) => Signal::INT,
        Some(TerminationSignal::Hup) => Signal::HUP,
        Some(TerminationSignal::Quit) => Signal::QUIT,
        Some(TerminationSignal::Usr1) => Signal::USR1,
        Some(TerminationSignal::Usr2) => Signal::USR2,
        Some(TerminationSignal::Alrm) => Signal::ALARM,
        Some(TerminationSignal::Kill) => Signal::KILL,
        None => {
            tracing::warn!(name, "no signal is called so; jobs will get SIGTERM");
            Signal::TERM
        }
    }
}

/// The exit code; 128 + n after signal n.
pub(super) fn return_code(status: ExitStatus) -> i64 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.into(),
        (None, Some(signal)) => 128 + i64::from(signal),
        (None, None) => UNKNOWN_CODE,
    }
}

/// Return code and status of a job that ended with `code` while `order` was in force.
pub(super) fn verdict(code: i64, order: Order, rules: Rules) -> (i64, JobStatus) {
    match (code, order) {
        // Also a job that was told to stop may end well.
        (0, _) => (0, JobStatus::Completed),
        (_, Order::Run) if rules.use_pending_failed => (code, JobStatus::PendingFailed),
        (_, Order::Run) => (code, JobStatus::Failed),
        (_, Order::Kill { time_up: true }) => {
            let code = rules.timeout_code.unwrap_or(TIMEOUT_CODE);
            (code, JobStatus::Terminated)
        }
        (_, Order::Stop(_) | Order::Kill { .. }) => (code, JobStatus::Terminated),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use rustix::process::Signal;

    use super::{Order, Rules, return_code, verdict};
    use crate::wire::JobStatus::{Completed, Failed, PendingFailed, Terminated};

    #[test]
    fn codes_of_exits_and_signals() {
        for (raw, code) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (9, 137), (15, 143)] {
            assert_eq!(return_code(ExitStatus::from_raw(raw)), code, "{raw}");
        }
    }

    #[test]
    fn verdicts() {
        let usual = Rules::default();
        let patient = Rules {
            use_pending_failed: true,
            timeout_code: Some(99),
        };
        let stop = Order::Stop(Signal::TERM);
        let kill = Order::Kill { time_up: false };
        let late = Order::Kill { time_up: true };
        for (code, order, rules, expected) in [
            (0, Order::Run, usual, (0, Completed)),
            (1, Order::Run, usual, (1, Failed)),
            (1, Order::Run, patient, (1, PendingFailed)),
            (0, stop, usual, (0, Completed)),
            (143, stop, patient, (143, Terminated)),
            (137, kill, usual, (137, Terminated)),
            (137, late, usual, (152, Terminated)),
            (137, late, patient, (99, Terminated)),
        ] {
            assert_eq!(verdict(code, order, rules), expected, "{code} {order:?}");
        }
    }
}
