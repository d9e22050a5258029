//! SIGUSR1: dump the timings, and whatever else was asked for.
//!
//! The default effect of SIGUSR1 is death, so [`Sigusr1::install`] comes before
//! anything else in `main`; a signal that arrives before [`Sigusr1::listen`] is kept
//! and served then.

use std::io;

use tokio::task::JoinHandle;

use super::{TelemetryHandle, task};

/// Something to be done on each SIGUSR1 besides the dump. It must return at once:
/// wake a task (a `Notify` coalesces by itself), don't do the work.
pub type Hook = Box<dyn Fn() + Send + Sync>;

/// The installed handler: from its making on, the signal no longer kills.
pub struct Sigusr1 {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Sigusr1 {
    /// Installs the handler. Needs to run inside a runtime (`Runtime::enter` will do).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1())?,
        })
    }

    /// Serves signals from now on, in a task of its own.
    ///
    /// Signals that come while a dump is being written are served by one more dump
    /// after it. The hooks run first, in order, once per dump.
    #[cfg(unix)]
    pub fn listen(mut self, telemetry: TelemetryHandle, hooks: Vec<Hook>) -> JoinHandle<()> {
        task::spawn("sigusr1-dumps-timings", async move {
            while self.signal.recv().await.is_some() {
                for hook in &hooks {
                    hook();
                }
                let telemetry = telemetry.clone();
                let dumped = task::spawn_blocking("timing-dump", move || telemetry.dump()).await;
                match dumped {
                    Ok(Ok(path)) => {
                        tracing::info!(path = %path.display(), "timings dumped");
                    }
                    Ok(Err(error)) => tracing::error!(%error, "cannot write the timings"),
                    Err(error) => tracing::error!(%error, "the timing dump failed"),
                }
            }
        })
    }

    /// Where there is no such signal, nothing listens.
    #[cfg(not(unix))]
    pub fn listen(self, _telemetry: TelemetryHandle, _hooks: Vec<Hook>) -> JoinHandle<()> {
        task::spawn("sigusr1-absent", std::future::ready(()))
    }
}
