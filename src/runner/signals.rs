//! The signals that ask the worker to stop.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

/// Listens for SIGINT, SIGTERM and SIGHUP from its making on. From then on none of them
/// ends the process by itself, so whoever has it must go on asking.
#[derive(Debug)]
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: Option<unix::Signal>,
    heard: u32,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // `nohup` has it ignored, and means that.
            hang_up: match is_ignored(Signal::HUP) {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
            heard: 0,
        })
    }

    /// The next signal that comes.
    pub async fn next(&mut self) -> Signal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        let signal = tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::INT,
            Some(()) = self.terminate.recv() => Signal::TERM,
            Some(()) = hang_up => Signal::HUP,
            else => std::future::pending().await,
        };
        self.heard += 1;
        signal
    }

    /// How many have come.
    pub(super) fn heard(&self) -> u32 {
        self.heard
    }

    /// The number of the next signal that comes.
    pub async fn next_number(&mut self) -> i32 {
        self.next().await.as_raw()
    }
}

/// Whether this process was started with the signal ignored.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}
