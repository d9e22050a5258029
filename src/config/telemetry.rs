//! The telemetry part of the configuration.
