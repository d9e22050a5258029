//! The schema changes.
