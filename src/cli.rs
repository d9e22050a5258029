//! The `torc` commands: parsing and printing.
