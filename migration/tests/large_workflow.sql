-- Ten chains of 10,000 jobs in workflow 1; each job waits for the one before it, reads a file and has a result.
BEGIN;
INSERT INTO resource_requirements (id, workflow_id, name, memory_bytes, runtime_s) VALUES (1, 1, 'small', 1, 1);
INSERT INTO compute_node (id, workflow_id, hostname, pid, start_time, num_cpus, memory_gb, num_gpus, num_nodes, compute_node_type)
VALUES (1, 1, 'host', 1, '', 1, 1, 0, 1, 'local');

CREATE TEMP TABLE n AS
WITH RECURSIVE up (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM up WHERE i < 100000) SELECT i FROM up;

INSERT INTO job (id, workflow_id, name, command, status, resource_requirements_id, compute_node_id)
SELECT i, 1, 'job ' || i, 'true', 0, 1, 1 FROM n;
INSERT INTO job_depends_on (job_id, depends_on_job_id, workflow_id) SELECT i, i - 10, 1 FROM n WHERE i > 10;
INSERT INTO file (id, workflow_id, name, path) SELECT i, 1, 'file ' || i, '' FROM n;
INSERT INTO job_input_file (job_id, file_id, workflow_id) SELECT i, i, 1 FROM n;
INSERT INTO result (id, workflow_id, job_id, run_id, compute_node_id, return_code, exec_time_minutes, completion_time, status)
SELECT i, 1, i, 1, 1, 0, 1, '', 5 FROM n;
INSERT INTO workflow_result (workflow_id, job_id, result_id) SELECT 1, i, i FROM n;
COMMIT;
