//! The layers of the subscriber, and what reads them.

pub mod phase;
pub mod resource;
pub mod task;
