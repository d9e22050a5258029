//! Which jobs an action waits for, by job.
//!
//! Torc keeps them as a list in the action's row; an ended job would have to be looked up in each list, and a list may
//! name a hundred thousand. Triggers keep this table, whoever writes the action.

use sea_orm_migration::prelude::*;

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS workflow_action_job (
    job_id INTEGER NOT NULL,
    action_id INTEGER NOT NULL REFERENCES workflow_action (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, action_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS workflow_action_job_action ON workflow_action_job (action_id);

CREATE TRIGGER IF NOT EXISTS workflow_action_jobs_new AFTER INSERT ON workflow_action
WHEN json_valid(NEW.job_ids) BEGIN
    INSERT OR IGNORE INTO workflow_action_job (job_id, action_id)
    SELECT value, NEW.id FROM json_each(NEW.job_ids) WHERE type = 'integer';
END;

CREATE TRIGGER IF NOT EXISTS workflow_action_jobs_changed AFTER UPDATE OF job_ids ON workflow_action
WHEN NEW.job_ids IS NOT OLD.job_ids BEGIN
    DELETE FROM workflow_action_job WHERE action_id = NEW.id;
    INSERT OR IGNORE INTO workflow_action_job (job_id, action_id)
    SELECT value, NEW.id FROM json_each(iif(json_valid(NEW.job_ids), NEW.job_ids, '[]')) WHERE type = 'integer';
END;
";

/// Makes the table what the lists say. To be run in order, in one transaction.
pub const REBUILD_ACTION_JOBS: &[&str] = &[
    "DELETE FROM workflow_action_job",
    "INSERT OR IGNORE INTO workflow_action_job (job_id, action_id)
     SELECT j.value, a.id FROM workflow_action a,
         json_each(iif(json_valid(a.job_ids), a.job_ids, '[]')) j WHERE j.type = 'integer'",
];

/// Adds the table and its triggers.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(TABLE).await?;
        for statement in REBUILD_ACTION_JOBS {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
