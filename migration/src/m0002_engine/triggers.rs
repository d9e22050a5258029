//! Triggers that keep the counters. Foreign keys may be on or off: each trigger is right by itself.

/// Keeps `job_status_count`. A deletion only subtracts, so once the rows of a workflow that is being deleted are gone
/// (before its jobs go), nothing brings them back.
pub const STATUS_COUNT: &str = "
CREATE TRIGGER IF NOT EXISTS job_insert_count AFTER INSERT ON job BEGIN
    INSERT INTO job_status_count (workflow_id, status, jobs) VALUES (NEW.workflow_id, NEW.status, 1)
    ON CONFLICT (workflow_id, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER IF NOT EXISTS job_status_count_move AFTER UPDATE OF status ON job
WHEN OLD.status IS NOT NEW.status BEGIN
    UPDATE job_status_count SET jobs = jobs - 1 WHERE workflow_id = OLD.workflow_id AND status = OLD.status;
    INSERT INTO job_status_count (workflow_id, status, jobs) VALUES (NEW.workflow_id, NEW.status, 1)
    ON CONFLICT (workflow_id, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER IF NOT EXISTS job_delete_count AFTER DELETE ON job BEGIN
    UPDATE job_status_count SET jobs = jobs - 1 WHERE workflow_id = OLD.workflow_id AND status = OLD.status;
END;

CREATE TRIGGER IF NOT EXISTS workflow_delete_count BEFORE DELETE ON workflow BEGIN
    DELETE FROM job_status_count WHERE workflow_id = OLD.id;
END;
";

/// Keeps `job.blockers`.
///
/// A deleted job takes itself off its dependents before it goes. Its links go after it (by the cascade, or by hand),
/// and their trigger counts only a blocker that still exists, so nothing is subtracted twice. A link to a job that does
/// not exist yet, which foreign keys forbid, is not seen when the job comes.
pub const BLOCKERS: &str = "
CREATE TRIGGER IF NOT EXISTS job_status_blockers AFTER UPDATE OF status ON job
WHEN (OLD.status BETWEEN 5 AND 8) <> (NEW.status BETWEEN 5 AND 8) BEGIN
    UPDATE job SET blockers = blockers + iif(NEW.status BETWEEN 5 AND 8, -1, 1)
    WHERE id IN (SELECT job_id FROM job_depends_on WHERE depends_on_job_id = NEW.id);
END;

CREATE TRIGGER IF NOT EXISTS job_delete_blockers BEFORE DELETE ON job
WHEN OLD.status NOT BETWEEN 5 AND 8 BEGIN
    UPDATE job SET blockers = blockers - 1
    WHERE id IN (SELECT job_id FROM job_depends_on WHERE depends_on_job_id = OLD.id) AND id <> OLD.id;
END;

CREATE TRIGGER IF NOT EXISTS job_depends_on_insert_blockers AFTER INSERT ON job_depends_on BEGIN
    UPDATE job SET blockers = blockers + 1
    WHERE id = NEW.job_id
      AND EXISTS (SELECT 1 FROM job WHERE id = NEW.depends_on_job_id AND status NOT BETWEEN 5 AND 8);
END;

CREATE TRIGGER IF NOT EXISTS job_depends_on_delete_blockers AFTER DELETE ON job_depends_on BEGIN
    UPDATE job SET blockers = blockers - 1
    WHERE id = OLD.job_id
      AND EXISTS (SELECT 1 FROM job WHERE id = OLD.depends_on_job_id AND status NOT BETWEEN 5 AND 8);
END;

CREATE TRIGGER IF NOT EXISTS job_depends_on_update_blockers
AFTER UPDATE OF job_id, depends_on_job_id ON job_depends_on BEGIN
    UPDATE job SET blockers = blockers - 1
    WHERE id = OLD.job_id
      AND EXISTS (SELECT 1 FROM job WHERE id = OLD.depends_on_job_id AND status NOT BETWEEN 5 AND 8);
    UPDATE job SET blockers = blockers + 1
    WHERE id = NEW.job_id
      AND EXISTS (SELECT 1 FROM job WHERE id = NEW.depends_on_job_id AND status NOT BETWEEN 5 AND 8);
END;
";
