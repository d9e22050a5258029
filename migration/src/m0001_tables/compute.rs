//! The machines that run jobs, and how they are asked for.

/// Tables about compute nodes and schedulers.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS compute_node (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    hostname TEXT NOT NULL,
    pid INTEGER NOT NULL,
    start_time TEXT NOT NULL,
    duration_seconds REAL,
    is_active INTEGER,
    num_cpus INTEGER NOT NULL,
    memory_gb REAL NOT NULL,
    num_gpus INTEGER NOT NULL,
    num_nodes INTEGER NOT NULL,
    time_limit TEXT,
    scheduler_config_id INTEGER,
    compute_node_type TEXT NOT NULL,
    scheduler TEXT,
    sample_count INTEGER,
    peak_cpu_percent REAL,
    avg_cpu_percent REAL,
    peak_memory_bytes INTEGER,
    avg_memory_bytes INTEGER,
    end_time TEXT,
    labels TEXT
);

CREATE TABLE IF NOT EXISTS scheduled_compute_node (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    scheduler_config_id INTEGER NOT NULL,
    scheduler_id INTEGER NOT NULL,
    scheduler_type TEXT NOT NULL,
    status TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS local_scheduler (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    memory TEXT NOT NULL,
    num_cpus INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS slurm_scheduler (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    account TEXT NOT NULL,
    gres TEXT,
    mem TEXT,
    nodes INTEGER,
    ntasks_per_node INTEGER,
    \"partition\" TEXT,
    qos TEXT,
    tmp TEXT,
    walltime TEXT NOT NULL,
    extra TEXT,
    serialize_allocations INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS remote_worker (
    worker TEXT NOT NULL,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    PRIMARY KEY (worker, workflow_id)
);

CREATE TABLE IF NOT EXISTS workflow_action (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    trigger_type TEXT NOT NULL,
    action_type TEXT NOT NULL,
    action_config TEXT NOT NULL,
    job_ids TEXT,
    trigger_count INTEGER NOT NULL DEFAULT 0,
    required_triggers INTEGER NOT NULL DEFAULT 1,
    executed INTEGER NOT NULL DEFAULT 0,
    executed_at TEXT,
    executed_by INTEGER REFERENCES compute_node (id) ON DELETE SET NULL,
    persistent INTEGER NOT NULL DEFAULT 0,
    is_recovery INTEGER NOT NULL DEFAULT 0
);
";
