//! Integration tests, in one binary: they use the public surface alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test that panics has failed, reads as one story, and its tasks need no names"
)]

mod access_control;
mod admin_sql;
mod analyze_timings;
mod at_once;
mod auth;
mod bad_input;
mod bad_luck;
mod bad_start;
mod bulk;
mod claims;
mod cli;
mod cli_identity;
mod cli_server;
mod cli_timings;
mod cli_timings_diff;
mod cli_trace;
mod culprit_disk;
mod culprit_traces;
mod culprit_work;
mod debug_pages;
mod doctor;
mod events;
mod export;
mod flight;
mod flight_dumps;
mod hostile;
mod htpasswd;
mod initialize;
mod job_runs;
mod large_answers;
mod laws;
mod log_files;
mod metrics;
mod nouns;
mod openapi;
mod opening;
mod otlp;
mod page_formats;
mod pages;
mod recorder;
mod runner;
mod runner_fake;
mod runtime_pages;
mod service_unit;
mod settings;
mod signals;
mod slow_log;
mod spans;
mod spawn_jobs;
mod spec;
mod streams;
mod support;
mod tasks;
mod telemetry;
mod telemetry_console;
mod telemetry_misfortune;
mod tidy;
mod tls;
mod torc_files;
mod traffic;
mod transcript;
mod worker_misfortune;
mod worker_output;
mod worker_runs;
mod worker_stops;
mod workflow_actions;
mod writes;
