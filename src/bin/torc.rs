//! torc.
fn main() {}
