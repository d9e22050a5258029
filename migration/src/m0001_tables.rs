//! The tables of Torc 1.0.0: names, columns and constraints as admin SQL and exported files show them.

mod access;
mod compute;
mod data;
mod job;
mod workflow;

use sea_orm_migration::prelude::*;

/// Creates every table that is not there yet.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for tables in [
            access::TABLES,
            workflow::TABLES,
            compute::TABLES,
            data::TABLES,
            job::TABLES,
        ] {
            db.execute_unprepared(tables).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
