//! The map of torc-server. One noun has one file name in every layer.
//!
//! | module | what lives there | may import |
//! |---|---|---|
//! | [`wire`] | the types on the wire, seen by both sides | nothing of ours |
//! | [`store`] | SQL, transactions, entity to wire | `wire` |
//! | [`engine`] | the rules, commands and reads, effects | `store`, `wire` |
//! | [`htpasswd`] | the file of users, and its command | `config` |
//! | [`server`] | axum, status codes, the joining of the parts | `engine`, `htpasswd`, `wire`, `telemetry`; `server.rs` also `store` |
//! | [`telemetry`] | subscriber layers, histograms, dumps | `config` |
//! | [`spec`] | workflow files and their expansion | `wire` |
//! | [`client`] | the API over HTTP | `wire` |
//! | [`runner`] | the worker: child processes | `client`, `wire` |
//! | [`cli`] | the `torc` commands | `spec`, `client`, `runner`, `wire` |
//!
//! `clock`, `prompt`, `say`, `shutdown`, `trust`, `telemetry::task`, `telemetry::phase` and
//! `telemetry::resource` are leaves: anyone may import them, they import nothing
//! of ours. `tests/it/tidy.rs` holds this table.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod engine;
pub mod htpasswd;
pub mod prompt;
pub mod runner;
pub mod say;
pub mod server;
pub mod shutdown;
pub mod spec;
pub mod store;
pub mod telemetry;
pub mod trust;
pub mod wire;
