//! SQL and transactions.
