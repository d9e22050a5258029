//! The signal to stop, handed to every long-lived task.
