//! Indexes. A partial one is used only by a query that repeats its condition with the same literals.

/// Indexes of `job`. A change of status pays for `job_status` and for the partial ones that it enters or leaves; the
/// others are written when a job is created or claimed.
///
/// - `job_status`: without uninitialized jobs, which spares creation and initialisation a third of their index work.
/// - `job_ready`: ready jobs in the order of a claim, one run of ids per claim group. From group to group in two steps,
///   `priority = ? AND claim_group < ?`, then `priority < ?`: SQLite begins a search by `(priority, claim_group) < (?, ?)`
///   inside the group of the bound and walks through all its jobs.
/// - `job_decidable`: blocked jobs whose dependencies have all ended.
/// - `job_unprocessed`: endings that the sweep has not looked at. With the status in its key, since SQLite otherwise
///   prefers a range of `job_status`.
/// - `job_workflow`: pages of a workflow's jobs by id. `job_status` would have to sort them.
pub const JOB: &str = "
CREATE INDEX IF NOT EXISTS job_ready ON job (workflow_id, priority, claim_group, id) WHERE status = 2;
CREATE INDEX IF NOT EXISTS job_decidable ON job (workflow_id) WHERE status = 1 AND blockers = 0;
CREATE INDEX IF NOT EXISTS job_unprocessed ON job (workflow_id, status)
WHERE status BETWEEN 5 AND 8 AND unblocking_processed = 0;
CREATE INDEX IF NOT EXISTS job_status ON job (workflow_id, status) WHERE status <> 0;
CREATE INDEX IF NOT EXISTS job_workflow ON job (workflow_id);
CREATE INDEX IF NOT EXISTS job_claim_token ON job (claim_token) WHERE claim_token IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_compute_node ON job (compute_node_id) WHERE compute_node_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_resource_requirements ON job (resource_requirements_id)
WHERE resource_requirements_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_failure_handler ON job (failure_handler_id) WHERE failure_handler_id IS NOT NULL;
";

/// One index per foreign key that no primary key or unique constraint serves: each deleted parent looks its children
/// up, and without an index a workflow of 100,000 jobs would read every table 100,000 times.
pub const LOOKUPS: &str = "
CREATE INDEX IF NOT EXISTS job_depends_on_blocker ON job_depends_on (depends_on_job_id, job_id);
CREATE INDEX IF NOT EXISTS job_depends_on_workflow ON job_depends_on (workflow_id);
CREATE INDEX IF NOT EXISTS job_input_file_file ON job_input_file (file_id);
CREATE INDEX IF NOT EXISTS job_input_file_workflow ON job_input_file (workflow_id);
CREATE INDEX IF NOT EXISTS job_output_file_file ON job_output_file (file_id);
CREATE INDEX IF NOT EXISTS job_output_file_workflow ON job_output_file (workflow_id);
CREATE INDEX IF NOT EXISTS job_input_user_data_user_data ON job_input_user_data (user_data_id);
CREATE INDEX IF NOT EXISTS job_output_user_data_user_data ON job_output_user_data (user_data_id);
CREATE INDEX IF NOT EXISTS result_workflow ON result (workflow_id);
CREATE INDEX IF NOT EXISTS result_compute_node ON result (compute_node_id);
CREATE INDEX IF NOT EXISTS workflow_result_job ON workflow_result (job_id);
CREATE INDEX IF NOT EXISTS workflow_result_result ON workflow_result (result_id);
CREATE INDEX IF NOT EXISTS slurm_stats_job ON slurm_stats (job_id);

CREATE INDEX IF NOT EXISTS async_handle_workflow ON async_handle (workflow_id);
CREATE INDEX IF NOT EXISTS compute_node_workflow ON compute_node (workflow_id);
CREATE INDEX IF NOT EXISTS event_workflow ON event (workflow_id);
CREATE INDEX IF NOT EXISTS failure_handler_workflow ON failure_handler (workflow_id);
CREATE INDEX IF NOT EXISTS file_workflow ON file (workflow_id);
CREATE INDEX IF NOT EXISTS local_scheduler_workflow ON local_scheduler (workflow_id);
CREATE INDEX IF NOT EXISTS remote_worker_workflow ON remote_worker (workflow_id);
CREATE INDEX IF NOT EXISTS resource_requirements_workflow ON resource_requirements (workflow_id);
CREATE INDEX IF NOT EXISTS ro_crate_entity_file ON ro_crate_entity (file_id) WHERE file_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS scheduled_compute_node_workflow ON scheduled_compute_node (workflow_id);
CREATE INDEX IF NOT EXISTS slurm_scheduler_workflow ON slurm_scheduler (workflow_id);
CREATE INDEX IF NOT EXISTS user_data_workflow ON user_data (workflow_id);
CREATE INDEX IF NOT EXISTS user_group_membership_group ON user_group_membership (group_id);
CREATE INDEX IF NOT EXISTS workflow_access_group_group ON workflow_access_group (group_id);
CREATE INDEX IF NOT EXISTS workflow_action_workflow ON workflow_action (workflow_id);
CREATE INDEX IF NOT EXISTS workflow_action_executed_by ON workflow_action (executed_by)
WHERE executed_by IS NOT NULL;
";
