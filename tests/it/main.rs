//! Integration tests.

mod analyze_timings;
mod telemetry;
