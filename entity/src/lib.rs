//! The tables as entities.
