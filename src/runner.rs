//! The worker: claims jobs, runs them, reports.
