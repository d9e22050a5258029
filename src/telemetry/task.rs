//! Spawning with names, so that tokio-console shows what a task is.
//!
//! This is the only file that may call tokio's own spawn functions (clippy.toml
//! forbids them elsewhere). A build without `--cfg tokio_unstable` has no task
//! names; the same calls then spawn plain tasks. [`alive`] knows which tasks there are.

pub mod alive;
#[cfg(all(
    tokio_unstable,
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
pub mod spot;

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Spawns a task on the current runtime under a name that a newcomer understands.
///
/// # Panics
///
/// Outside of a runtime, as tokio's own spawn does.
#[track_caller]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_on(&Handle::current(), name, future)
}

/// Spawns a named task on the given runtime, from any thread.
#[track_caller]
pub fn spawn_on<F>(handle: &Handle, name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[cfg(all(
        tokio_unstable,
        target_os = "linux",
        any(target_arch = "aarch64", target_arch = "x86_64")
    ))]
    let future = spot::with_spot(future);
    #[cfg(tokio_unstable)]
    {
        let _naming = alive::naming(name);
        let spawned = tokio::task::Builder::new()
            .name(name)
            .spawn_on(future, handle);
        match spawned {
            Ok(task) => task,
            // tokio's signature allows for it, its code never does it.
            Err(error) => panic!("cannot spawn the task {name}: {error}"),
        }
    }
    #[cfg(not(tokio_unstable))]
    {
        let _ = name;
        handle.spawn(future)
    }
}

/// Runs a blocking function on the blocking pool, as a named task.
///
/// # Panics
///
/// Outside of a runtime, or when the operating system refuses a thread, as
/// tokio's own function does.
#[track_caller]
pub fn spawn_blocking<F, R>(name: &'static str, function: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let ticket = alive::Ticket::draw(name);
    let function = move || {
        ticket.run();
        let _until_the_end = ticket;
        function()
    };
    #[cfg(tokio_unstable)]
    {
        let spawned = tokio::task::Builder::new()
            .name(name)
            .spawn_blocking(function);
        match spawned {
            Ok(task) => task,
            Err(error) => panic!("cannot start the blocking task {name}: {error}"),
        }
    }
    #[cfg(not(tokio_unstable))]
    {
        Handle::current().spawn_blocking(function)
    }
}
