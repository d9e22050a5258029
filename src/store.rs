//! SQL and transactions: the only part that knows sea-orm, rusqlite and the tables.
//!
//! Everything that changes rows goes through [`writer::Writer`] as a
//! [`command::Command`]; everything that only looks takes a [`reads::ReadConn`].
//! No rule lives here: what may follow what is the engine's business.

pub mod access;
pub mod access_groups;
pub mod admin_sql;
pub mod backend;
pub mod bulk;
pub mod command;
pub mod compute_nodes;
pub mod convert;
pub mod effects;
pub mod error;
pub mod events;
pub mod export;
pub mod failure_handlers;
pub mod files;
pub mod graph;
pub mod inspect;
pub mod job_inputs;
pub mod job_links;
pub mod jobs;
pub mod list_sizes;
pub mod local_schedulers;
pub mod new_jobs;
pub mod open;
pub mod owned;
pub mod paging;
#[cfg(test)]
mod plans;
pub mod reads;
pub mod ready;
pub mod relationships;
pub mod remote_workers;
pub mod resource_requirements;
pub mod results;
pub mod ro_crate_entities;
pub mod ro_crate_files;
pub mod rows;
pub mod run_state;
pub mod scheduled_compute_nodes;
pub mod slurm_schedulers;
pub mod slurm_stats;
pub mod snapshot;
pub mod spawn_jobs;
pub mod sql;
pub mod statements;
pub mod tasks;
pub mod tx;
pub mod user_data;
pub mod workflow_actions;
pub mod workflow_lists;
pub mod workflow_status;
pub mod workflows;
pub mod writer;

pub use command::Command;
pub use effects::Effects;
pub use error::StoreError;
pub use open::{Durability, OpenOptions, Store};
pub use reads::{ReadConn, Reads};
pub use tx::WriteTx;
pub use writer::Writer;

/// The version of SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
