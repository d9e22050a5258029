//! The process group of a job: its command and what that started, however deep.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

use super::verdict::Order;

/// Time between two looks at whether somebody is left.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The group that a job's process leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group(Option<Pid>);

impl Group {
    /// The group of a process that has not been waited for yet: it has the same number.
    pub(super) fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    /// Passes an order on to all of it.
    pub(super) fn pass_on(self, order: Order) {
        let signal = match order {
            Order::Run => return,
            Order::Stop(signal) => signal,
            Order::Kill { .. } => Signal::KILL,
        };
        if let Some(group) = self.0 {
            // It fails only for a group that is already gone.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Waits until nobody of it is left.
    pub(super) async fn emptied(self) {
        let Some(group) = self.0 else { return };
        for look in 1_u32.. {
            if test_kill_process_group(group) == Err(Errno::SRCH) {
                return;
            }
            // Looking closer takes milliseconds, and is worth it ever more seldom.
            if look > 2 && look.is_power_of_two() && only_dead(group) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether all that is left has ended and waits to be noticed. In a container without
/// an init nobody ever does, so it must not count as alive.
fn only_dead(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let stats = processes
        .filter_map(Result::ok)
        .filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    let number = group.as_raw_nonzero().get();
    for stat in stats {
        if let Some((state, its_group)) = state_and_group(&stat)
            && its_group == number
            && !matches!(state, 'Z' | 'X')
        {
            return false;
        }
    }
    true
}

/// Third and fifth word of `/proc/PID/stat`; the second is in parentheses and may hold any.
fn state_and_group(stat: &str) -> Option<(char, i32)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_ascii_whitespace();
    let state = words.next()?.chars().next()?;
    Some((state, words.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use rustix::process::{Pid, Signal, kill_process_group};

    use super::{only_dead, state_and_group};

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = "12 (a) b Z (c) S 1 34 34 0 -1 4194560";
        assert_eq!(state_and_group(stat), Some(('S', 34)));
        assert_eq!(state_and_group("12 (a"), None);
    }

    #[test]
    fn the_dead_do_not_count() {
        let mut child = Command::new("sleep")
            .arg("600")
            .process_group(0)
            .spawn()
            .unwrap();
        let group = Pid::from_child(&child);
        assert!(!only_dead(group));
        kill_process_group(group, Signal::KILL).unwrap();
        // Dead and not waited for, perhaps in a moment.
        while !only_dead(group) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
