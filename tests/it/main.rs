//! Integration tests.

mod runner;
mod runner_fake;
mod spec;
