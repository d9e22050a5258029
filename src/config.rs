//! What flags and environment say, as plain values.

pub mod telemetry;
