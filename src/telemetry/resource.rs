//! Resources of our own in tokio-console.
