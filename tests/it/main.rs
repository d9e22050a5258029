//! Integration tests.

mod analyze_timings;
mod telemetry;
mod telemetry_console;
