//! Spawning with names, so that tokio-console shows what a task is.
