//! The schema changes of torc-server.
//!
//! Every statement asks before it creates, so a file that Torc itself wrote is taken over as it is: its tables and
//! rows stay, and what our engine needs is added beside them. Each migration is one transaction, DDL included, so an
//! interrupted one leaves nothing behind and simply runs again.

mod m0001_tables;
mod m0002_engine;
mod m0003_no_dependents;
mod m0004_actions;

pub use m0002_engine::REBUILD_COUNTERS;
pub use m0004_actions::REBUILD_ACTION_JOBS;
pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Brings a database file to the newest schema.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_tables::Migration),
            Box::new(m0002_engine::Migration),
            Box::new(m0003_no_dependents::Migration),
            Box::new(m0004_actions::Migration),
        ]
    }
}
