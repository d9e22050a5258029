//! Integration tests, in one binary: they use the public surface alone.

mod bad_input;
mod bad_luck;
mod bad_start;
mod claims;
mod job_runs;
mod runner;
mod runner_fake;
mod support;
mod tidy;
mod transcript;
