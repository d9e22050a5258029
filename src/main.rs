//! torc-server.
fn main() {}
