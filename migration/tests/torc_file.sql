-- The part of a file written by Torc that matters here: its own declarations where they differ from ours, some rows,
-- and the record of its own migrations. Job 3 waits for 1 (completed) and 2 (running), job 4 for 3 and for 1.
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES (20240101000000, 'init', '2024-01-01', 1, x'00', 1);

CREATE TABLE workflow (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, description TEXT, user TEXT NOT NULL,
    timestamp TEXT NOT NULL, is_archived INTEGER NOT NULL DEFAULT 0, compute_node_expiration_buffer_seconds INTEGER,
    compute_node_wait_for_new_jobs_seconds INTEGER NOT NULL DEFAULT 0,
    compute_node_ignore_workflow_completion INTEGER NOT NULL DEFAULT 0,
    compute_node_wait_for_healthy_database_minutes INTEGER NOT NULL DEFAULT 20,
    compute_node_min_time_for_new_jobs_seconds INTEGER NOT NULL DEFAULT 300,
    resource_monitor_config TEXT, slurm_defaults TEXT, use_pending_failed INTEGER, enable_ro_crate INTEGER,
    project TEXT, metadata TEXT, slurm_config TEXT, execution_config TEXT, env TEXT,
    run_id INTEGER NOT NULL DEFAULT 1, is_canceled INTEGER NOT NULL DEFAULT 0, dynamic_jobs TEXT,
    submission_directory TEXT
);
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workflow_id INTEGER NOT NULL, name TEXT NOT NULL, command TEXT NOT NULL,
    cancel_on_blocking_job_failure NOT NULL DEFAULT true, supports_termination NOT NULL DEFAULT false,
    resource_requirements_id INTEGER, invocation_script TEXT, status INTEGER NOT NULL, scheduler_id INTEGER,
    scheduler_type TEXT, schedule_compute_nodes JSON, unblocking_processed INTEGER NOT NULL DEFAULT 0,
    failure_handler_id INTEGER, attempt_id INTEGER NOT NULL DEFAULT 1, priority INTEGER NOT NULL DEFAULT 0,
    env TEXT, origin TEXT, start_time TEXT, compute_node_id INTEGER, labels TEXT,
    FOREIGN KEY (resource_requirements_id) REFERENCES resource_requirements (id) ON DELETE CASCADE,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE,
    FOREIGN KEY (compute_node_id) REFERENCES compute_node (id) ON DELETE SET NULL,
    FOREIGN KEY (failure_handler_id) REFERENCES failure_handler (id) ON DELETE SET NULL
);
CREATE TABLE job_depends_on (
    job_id INTEGER NOT NULL, depends_on_job_id INTEGER NOT NULL, workflow_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, depends_on_job_id),
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE,
    FOREIGN KEY (depends_on_job_id) REFERENCES job (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE user_data (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workflow_id INTEGER NOT NULL, name TEXT NOT NULL,
    is_ephemeral INTEGER NOT NULL, data JSON,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE failure_handler (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workflow_id INTEGER NOT NULL, name TEXT NOT NULL, rules TEXT NOT NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE resource_requirements (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workflow_id INTEGER NOT NULL, name TEXT NOT NULL,
    num_cpus INTEGER NOT NULL DEFAULT 1, num_gpus INTEGER NOT NULL DEFAULT 0, num_nodes INTEGER NOT NULL DEFAULT 1,
    memory TEXT NOT NULL DEFAULT '1m', runtime TEXT NOT NULL DEFAULT 'P0DT1M', memory_bytes INTEGER NOT NULL,
    runtime_s INTEGER NOT NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE compute_node (
    id INTEGER PRIMARY KEY AUTOINCREMENT, workflow_id INTEGER NOT NULL, hostname TEXT NOT NULL, pid INTEGER NOT NULL,
    start_time TEXT NOT NULL, duration_seconds REAL, is_active INTEGER, num_cpus INTEGER NOT NULL,
    memory_gb REAL NOT NULL, num_gpus INTEGER NOT NULL, num_nodes INTEGER NOT NULL, time_limit TEXT,
    scheduler_config_id INTEGER, compute_node_type TEXT NOT NULL, scheduler TEXT, sample_count INTEGER,
    peak_cpu_percent REAL, avg_cpu_percent REAL, peak_memory_bytes INTEGER, avg_memory_bytes INTEGER, end_time TEXT,
    labels TEXT,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);

INSERT INTO workflow (id, name, user, timestamp) VALUES (7, 'old', 'me', '2024-01-01');
INSERT INTO resource_requirements (id, workflow_id, name, memory_bytes, runtime_s) VALUES (5, 7, 'small', 1048576, 60);
INSERT INTO job (id, workflow_id, name, command, status, resource_requirements_id, labels, supports_termination)
VALUES (1, 7, 'first', 'true', 5, 5, NULL, false),
       (2, 7, 'second', 'true', 4, 5, 'gpu|big', true),
       (3, 7, 'third', 'true', 1, NULL, NULL, false),
       (4, 7, 'fourth', 'true', 1, NULL, NULL, false);
INSERT INTO job_depends_on VALUES (3, 1, 7), (3, 2, 7), (4, 3, 7), (4, 1, 7);
INSERT INTO user_data (workflow_id, name, is_ephemeral, data) VALUES (7, 'number', 0, '42'), (7, 'object', 1, '{"a": 1}');
