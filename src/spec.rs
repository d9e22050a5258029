//! Workflow files: parsing, checking, expansion.
