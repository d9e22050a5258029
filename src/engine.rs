//! The rules: commands, reads, effects.
