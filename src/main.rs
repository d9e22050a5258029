//! `torc-server`: parses, starts what it shows of itself, runs.
fn main() {}
