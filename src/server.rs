//! Joins store, engine and router into a running server.
