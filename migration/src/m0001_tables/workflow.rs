//! A workflow and what belongs to it as a whole.

/// Tables about workflows.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS workflow (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    description TEXT,
    user TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    is_archived INTEGER NOT NULL DEFAULT 0,
    compute_node_expiration_buffer_seconds INTEGER,
    compute_node_wait_for_new_jobs_seconds INTEGER NOT NULL DEFAULT 0,
    compute_node_ignore_workflow_completion INTEGER NOT NULL DEFAULT 0,
    compute_node_wait_for_healthy_database_minutes INTEGER NOT NULL DEFAULT 20,
    compute_node_min_time_for_new_jobs_seconds INTEGER NOT NULL DEFAULT 300,
    resource_monitor_config TEXT,
    slurm_defaults TEXT,
    use_pending_failed INTEGER,
    enable_ro_crate INTEGER,
    project TEXT,
    metadata TEXT,
    slurm_config TEXT,
    execution_config TEXT,
    env TEXT,
    run_id INTEGER NOT NULL DEFAULT 1,
    is_canceled INTEGER NOT NULL DEFAULT 0,
    dynamic_jobs TEXT,
    submission_directory TEXT
);

CREATE TABLE IF NOT EXISTS workflow_access_group (
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES access_group (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    PRIMARY KEY (workflow_id, group_id)
);

CREATE TABLE IF NOT EXISTS async_handle (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    operation TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER,
    finished_at_ms INTEGER,
    requested_by TEXT,
    request_json TEXT,
    result_json TEXT,
    error TEXT
);

CREATE UNIQUE INDEX IF NOT EXISTS async_handle_active ON async_handle (workflow_id)
WHERE status IN ('queued', 'running');

CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    timestamp INTEGER NOT NULL,
    data TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS failure_handler (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    rules TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS resource_requirements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    num_cpus INTEGER NOT NULL DEFAULT 1,
    num_gpus INTEGER NOT NULL DEFAULT 0,
    num_nodes INTEGER NOT NULL DEFAULT 1,
    memory TEXT NOT NULL DEFAULT '1m',
    runtime TEXT NOT NULL DEFAULT 'P0DT1M',
    memory_bytes INTEGER NOT NULL,
    runtime_s INTEGER NOT NULL
);
";
