-- A database as Torc 1.0.0 leaves it: all its tables, with a row in each. Job 1 has ended, job 2 may
-- run, job 3 waits for it; nothing of it was ever seen by this server.

CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
VALUES (20250101000000, 'initial', 1, x'00', 1);

CREATE TABLE access_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    description TEXT,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    is_system INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX access_group_unique_1 ON access_group (name);
CREATE TABLE admin_audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_name TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    sql_text TEXT NOT NULL,
    is_write INTEGER NOT NULL,
    allow_full_table INTEGER NOT NULL,
    rows_affected INTEGER,
    committed INTEGER NOT NULL,
    success INTEGER NOT NULL,
    error TEXT
);
CREATE TABLE async_handle (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    operation TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER,
    finished_at_ms INTEGER,
    requested_by TEXT,
    request_json TEXT,
    result_json TEXT,
    error TEXT,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX async_handle_unique_1 ON async_handle (workflow_id) WHERE status IN ('queued', 'running');
CREATE TABLE compute_node (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
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
    labels TEXT,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    data TEXT NOT NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE failure_handler (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    rules TEXT NOT NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    st_mtime REAL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    command TEXT NOT NULL,
    cancel_on_blocking_job_failure BOOLEAN NOT NULL DEFAULT true,
    supports_termination BOOLEAN NOT NULL DEFAULT false,
    resource_requirements_id INTEGER,
    invocation_script TEXT,
    status INTEGER NOT NULL,
    scheduler_id INTEGER,
    scheduler_type TEXT,
    schedule_compute_nodes JSON,
    unblocking_processed INTEGER NOT NULL DEFAULT 0,
    failure_handler_id INTEGER,
    attempt_id INTEGER NOT NULL DEFAULT 1,
    priority INTEGER NOT NULL DEFAULT 0,
    env TEXT,
    origin TEXT,
    start_time TEXT,
    compute_node_id INTEGER,
    labels TEXT,
    FOREIGN KEY (resource_requirements_id) REFERENCES resource_requirements (id) ON DELETE CASCADE,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE,
    FOREIGN KEY (compute_node_id) REFERENCES compute_node (id) ON DELETE SET NULL,
    FOREIGN KEY (failure_handler_id) REFERENCES failure_handler (id) ON DELETE SET NULL
);
CREATE TABLE job_depends_on (
    job_id INTEGER,
    depends_on_job_id INTEGER,
    workflow_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, depends_on_job_id),
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE,
    FOREIGN KEY (depends_on_job_id) REFERENCES job (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE job_input_file (
    job_id INTEGER,
    file_id INTEGER,
    workflow_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, file_id),
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE,
    FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE job_input_user_data (
    job_id INTEGER,
    user_data_id INTEGER,
    PRIMARY KEY (job_id, user_data_id),
    FOREIGN KEY (user_data_id) REFERENCES user_data (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE job_internal (
    job_id INTEGER PRIMARY KEY,
    input_hash TEXT NOT NULL,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE job_output_file (
    job_id INTEGER,
    file_id INTEGER,
    workflow_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, file_id),
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE,
    FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE job_output_user_data (
    job_id INTEGER,
    user_data_id INTEGER,
    PRIMARY KEY (job_id, user_data_id),
    FOREIGN KEY (user_data_id) REFERENCES user_data (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE
);
CREATE TABLE local_scheduler (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    memory TEXT NOT NULL,
    num_cpus INTEGER NOT NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE remote_worker (
    worker TEXT,
    workflow_id INTEGER,
    PRIMARY KEY (worker, workflow_id),
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE resource_requirements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    num_cpus INTEGER NOT NULL DEFAULT 1,
    num_gpus INTEGER NOT NULL DEFAULT 0,
    num_nodes INTEGER NOT NULL DEFAULT 1,
    memory TEXT NOT NULL DEFAULT '1m',
    runtime TEXT NOT NULL DEFAULT 'P0DT1M',
    memory_bytes INTEGER NOT NULL,
    runtime_s INTEGER NOT NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE result (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL DEFAULT 1,
    compute_node_id INTEGER NOT NULL,
    return_code INTEGER NOT NULL,
    exec_time_minutes REAL NOT NULL,
    completion_time TEXT NOT NULL,
    status INTEGER NOT NULL,
    peak_memory_bytes INTEGER,
    avg_memory_bytes INTEGER,
    peak_cpu_percent REAL,
    avg_cpu_percent REAL,
    FOREIGN KEY (compute_node_id) REFERENCES compute_node (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX result_unique_1 ON result (job_id, run_id, attempt_id);
CREATE TABLE ro_crate_entity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    file_id INTEGER,
    entity_id TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    FOREIGN KEY (file_id) REFERENCES file (id) ON DELETE SET NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX ro_crate_entity_unique_1 ON ro_crate_entity (workflow_id, file_id) WHERE file_id IS NOT NULL;
CREATE UNIQUE INDEX ro_crate_entity_unique_2 ON ro_crate_entity (workflow_id, entity_id);
CREATE TABLE scheduled_compute_node (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    scheduler_config_id INTEGER NOT NULL,
    scheduler_id INTEGER NOT NULL,
    scheduler_type TEXT NOT NULL,
    status TEXT NOT NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE slurm_scheduler (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    account TEXT NOT NULL,
    gres TEXT,
    mem TEXT,
    nodes INTEGER,
    ntasks_per_node INTEGER,
    "partition" TEXT,
    qos TEXT,
    tmp TEXT,
    walltime TEXT NOT NULL,
    extra TEXT,
    serialize_allocations INTEGER NOT NULL DEFAULT 0,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE slurm_stats (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    attempt_id INTEGER NOT NULL DEFAULT 1,
    slurm_job_id TEXT,
    max_rss_bytes INTEGER,
    max_vm_size_bytes INTEGER,
    max_disk_read_bytes INTEGER,
    max_disk_write_bytes INTEGER,
    ave_cpu_seconds REAL,
    node_list TEXT,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX slurm_stats_unique_1 ON slurm_stats (workflow_id, job_id, run_id, attempt_id);
CREATE TABLE user_data (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    is_ephemeral INTEGER NOT NULL,
    data JSON,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX user_data_unique_1 ON user_data (workflow_id, name) WHERE name GLOB '__torc_lineage__*';
CREATE TABLE user_group_membership (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_name TEXT NOT NULL,
    group_id INTEGER NOT NULL,
    role TEXT NOT NULL DEFAULT 'member',
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    FOREIGN KEY (group_id) REFERENCES access_group (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX user_group_membership_unique_1 ON user_group_membership (user_name, group_id);
CREATE TABLE workflow (
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
CREATE TABLE workflow_access_group (
    workflow_id INTEGER,
    group_id INTEGER,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    PRIMARY KEY (workflow_id, group_id),
    FOREIGN KEY (group_id) REFERENCES access_group (id) ON DELETE CASCADE,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE workflow_action (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL,
    trigger_type TEXT NOT NULL,
    action_type TEXT NOT NULL,
    action_config TEXT NOT NULL,
    job_ids TEXT,
    trigger_count INTEGER NOT NULL DEFAULT 0,
    required_triggers INTEGER NOT NULL DEFAULT 1,
    executed INTEGER NOT NULL DEFAULT 0,
    executed_at TEXT,
    executed_by INTEGER,
    persistent INTEGER NOT NULL DEFAULT 0,
    is_recovery INTEGER NOT NULL DEFAULT 0,
    FOREIGN KEY (executed_by) REFERENCES compute_node (id) ON DELETE SET NULL,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);
CREATE TABLE workflow_result (
    workflow_id INTEGER,
    job_id INTEGER,
    result_id INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, job_id),
    FOREIGN KEY (result_id) REFERENCES result (id) ON DELETE CASCADE,
    FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE,
    FOREIGN KEY (workflow_id) REFERENCES workflow (id) ON DELETE CASCADE
);

INSERT INTO workflow (id, name, description, user, timestamp, env, metadata, run_id, enable_ro_crate, dynamic_jobs)
VALUES (1, 'w', 'd', 'ada', '2026-01-01T00:00:00.000Z', '{"A":"1"}', '{"k":[1]}', 1, 0, '{"max_iterations":3}');
INSERT INTO resource_requirements (id, workflow_id, name, memory_bytes, runtime_s)
VALUES (1, 1, 'default', 1048576, 60);
INSERT INTO compute_node (id, workflow_id, hostname, pid, start_time, is_active, num_cpus, memory_gb, num_gpus, num_nodes, compute_node_type, scheduler, labels)
VALUES (1, 1, 'node1', 7, '2026-01-01T00:00:00Z', 1, 4, 8.0, 0, 1, 'slurm', '{"type":"slurm","scheduler_id":1}', '["big"]');
INSERT INTO failure_handler (id, workflow_id, name, rules)
VALUES (1, 1, 'again', '[{"exit_codes":[1],"max_retries":2}]');
INSERT INTO job (id, workflow_id, name, command, resource_requirements_id, status, unblocking_processed, failure_handler_id, env, labels)
VALUES (1, 1, 'first', 'true', 1, 5, 1, 1, '{"A":"1"}', NULL), (2, 1, 'second', 'true', 1, 2, 0, NULL, NULL, NULL), (3, 1, 'third', 'true', 1, 1, 0, NULL, NULL, NULL);
INSERT INTO file (id, workflow_id, name, path, st_mtime)
VALUES (1, 1, 'in', 'in.txt', 1700000000.5);
INSERT INTO user_data (id, workflow_id, name, is_ephemeral, data)
VALUES (1, 1, 'settings', 0, '{"x":1}');
INSERT INTO result (id, workflow_id, job_id, run_id, compute_node_id, return_code, exec_time_minutes, completion_time, status)
VALUES (1, 1, 1, 1, 1, 0, 0.5, '2026-01-01T00:01:00.000Z', 5);
INSERT INTO job_depends_on (job_id, depends_on_job_id, workflow_id)
VALUES (2, 1, 1), (3, 2, 1);
INSERT INTO job_input_file (job_id, file_id, workflow_id)
VALUES (2, 1, 1);
INSERT INTO job_output_file (job_id, file_id, workflow_id)
VALUES (1, 1, 1);
INSERT INTO job_input_user_data (job_id, user_data_id)
VALUES (2, 1);
INSERT INTO job_output_user_data (job_id, user_data_id)
VALUES (1, 1);
INSERT INTO job_internal (job_id, input_hash)
VALUES (1, 'abc');
INSERT INTO workflow_result (workflow_id, job_id, result_id)
VALUES (1, 1, 1);
INSERT INTO event (id, workflow_id, timestamp, data)
VALUES (1, 1, 1767225600000, '{"category":"c"}');
INSERT INTO local_scheduler (id, workflow_id, memory, num_cpus)
VALUES (1, 1, '8g', 4);
INSERT INTO slurm_scheduler (id, workflow_id, name, account, nodes, walltime)
VALUES (1, 1, 'short', 'a', 1, '01:00:00');
INSERT INTO scheduled_compute_node (id, workflow_id, scheduler_config_id, scheduler_id, scheduler_type, status)
VALUES (1, 1, 1, 42, 'slurm', 'active');
INSERT INTO slurm_stats (id, workflow_id, job_id, run_id, slurm_job_id, max_rss_bytes)
VALUES (1, 1, 1, 1, '42', 5);
INSERT INTO ro_crate_entity (id, workflow_id, file_id, entity_id, entity_type, metadata)
VALUES (1, 1, 1, 'in.txt', 'File', '{"@id":"in.txt"}');
INSERT INTO remote_worker (worker, workflow_id)
VALUES ('ada@host', 1);
INSERT INTO workflow_action (id, workflow_id, trigger_type, action_type, action_config, job_ids, required_triggers)
VALUES (1, 1, 'on_jobs_complete', 'run_commands', '{"commands":["true"]}', '[2]', 1);
INSERT INTO access_group (id, name, description, created_at, is_system)
VALUES (1, 'admin', 'System administrators', '2026-01-01 00:00:00', 1), (2, 'team', NULL, '2026-01-01 00:00:00', 0);
INSERT INTO user_group_membership (id, user_name, group_id, role, created_at)
VALUES (1, 'bob', 2, 'member', '2026-01-01 00:00:00');
INSERT INTO workflow_access_group (workflow_id, group_id, created_at)
VALUES (1, 2, '2026-01-01 00:00:00');
INSERT INTO async_handle (id, workflow_id, operation, status, created_at_ms, requested_by, request_json)
VALUES (1, 1, 'initialize_jobs', 'running', 1767225600000, 'ada', '{}');
INSERT INTO admin_audit_log (id, user_name, timestamp, sql_text, is_write, allow_full_table, committed, success)
VALUES (1, 'root', 1767225600000, 'UPDATE job SET priority = 1 WHERE id = 1', 1, 0, 1, 1);
