//! Jobs, what they wait for, and how they ended.

/// Tables about jobs. The two flags of `job` have no type in Torc; INTEGER makes SQLite store what the other flags
/// store, whoever writes them.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    command TEXT NOT NULL,
    cancel_on_blocking_job_failure INTEGER NOT NULL DEFAULT 1,
    supports_termination INTEGER NOT NULL DEFAULT 0,
    resource_requirements_id INTEGER REFERENCES resource_requirements (id) ON DELETE CASCADE,
    invocation_script TEXT,
    status INTEGER NOT NULL,
    scheduler_id INTEGER,
    scheduler_type TEXT,
    schedule_compute_nodes JSON,
    unblocking_processed INTEGER NOT NULL DEFAULT 0,
    failure_handler_id INTEGER REFERENCES failure_handler (id) ON DELETE SET NULL,
    attempt_id INTEGER NOT NULL DEFAULT 1,
    priority INTEGER NOT NULL DEFAULT 0,
    env TEXT,
    origin TEXT,
    start_time TEXT,
    compute_node_id INTEGER REFERENCES compute_node (id) ON DELETE SET NULL,
    labels TEXT
);

CREATE TABLE IF NOT EXISTS job_internal (
    job_id INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    input_hash TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS job_depends_on (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    depends_on_job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, depends_on_job_id)
);

CREATE TABLE IF NOT EXISTS job_input_file (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    file_id INTEGER NOT NULL REFERENCES file (id) ON DELETE CASCADE,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, file_id)
);

CREATE TABLE IF NOT EXISTS job_output_file (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    file_id INTEGER NOT NULL REFERENCES file (id) ON DELETE CASCADE,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, file_id)
);

CREATE TABLE IF NOT EXISTS job_input_user_data (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    user_data_id INTEGER NOT NULL REFERENCES user_data (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, user_data_id)
);

CREATE TABLE IF NOT EXISTS job_output_user_data (
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    user_data_id INTEGER NOT NULL REFERENCES user_data (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, user_data_id)
);

CREATE TABLE IF NOT EXISTS result (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    run_id INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL DEFAULT 1,
    compute_node_id INTEGER NOT NULL REFERENCES compute_node (id) ON DELETE CASCADE,
    return_code INTEGER NOT NULL,
    exec_time_minutes REAL NOT NULL,
    completion_time TEXT NOT NULL,
    status INTEGER NOT NULL,
    peak_memory_bytes INTEGER,
    avg_memory_bytes INTEGER,
    peak_cpu_percent REAL,
    avg_cpu_percent REAL,
    UNIQUE (job_id, run_id, attempt_id)
);

CREATE TABLE IF NOT EXISTS workflow_result (
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    result_id INTEGER NOT NULL REFERENCES result (id) ON DELETE CASCADE,
    PRIMARY KEY (workflow_id, job_id)
);

CREATE TABLE IF NOT EXISTS slurm_stats (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    run_id INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL DEFAULT 1,
    slurm_job_id TEXT,
    max_rss_bytes INTEGER,
    max_vm_size_bytes INTEGER,
    max_disk_read_bytes INTEGER,
    max_disk_write_bytes INTEGER,
    ave_cpu_seconds REAL,
    node_list TEXT,
    UNIQUE (workflow_id, job_id, run_id, attempt_id)
);
";
