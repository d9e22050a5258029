//! Integration tests, in one binary: they use the public surface alone.

mod claims;
mod job_runs;
mod support;
mod tidy;
mod transcript;
