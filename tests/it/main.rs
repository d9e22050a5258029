//! Integration tests.

mod analyze_timings;
