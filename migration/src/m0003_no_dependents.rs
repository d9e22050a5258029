//! The trigger that keeps `job.blockers` looks first whether anything waits for the job.
//!
//! Most jobs of most workflows have no dependents, and to find that out by updating none costs a temporary table for
//! them, a filter of 10,000 bytes and another table for the rows to update (`docs/performance.md`).

use sea_orm_migration::prelude::*;

const TRIGGER: &str = "
DROP TRIGGER IF EXISTS job_status_blockers;

CREATE TRIGGER job_status_blockers AFTER UPDATE OF status ON job
WHEN (OLD.status BETWEEN 5 AND 8) <> (NEW.status BETWEEN 5 AND 8)
     AND EXISTS (SELECT 1 FROM job_depends_on WHERE depends_on_job_id = NEW.id) BEGIN
    UPDATE job SET blockers = blockers + iif(NEW.status BETWEEN 5 AND 8, -1, 1)
    WHERE id IN (SELECT job_id FROM job_depends_on WHERE depends_on_job_id = NEW.id);
END;
";

/// Replaces the trigger.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(TRIGGER).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
