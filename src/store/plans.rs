//! The plans of the writer's frequent statements: none may read more than it answers.
//!
//! Checked on the statements themselves, before SQLite has seen any statistics and
//! after it has seen those of a large workflow whose jobs are all alike.

use rusqlite::Connection;

use super::sql::Sql;
use super::{OpenOptions, Store, graph, ready, run_state};

/// Statements, and a part of each step of their plans.
const PLANS: &[(Sql, &[&str])] = &[
    (
        ready::FIRST_GROUP,
        &["SEARCH job USING INDEX job_ready (workflow_id=?)"],
    ),
    (
        ready::NEXT_OF_PRIORITY,
        &["SEARCH job USING INDEX job_ready (workflow_id=? AND priority=? AND claim_group<?)"],
    ),
    (
        ready::NEXT_PRIORITY,
        &["SEARCH job USING INDEX job_ready (workflow_id=? AND priority<?)"],
    ),
    (
        ready::FIRST_IDS,
        &["SEARCH job USING INDEX job_ready (workflow_id=? AND priority=? AND claim_group=?)"],
    ),
    (
        ready::CLAIM,
        &["SEARCH job USING INTEGER PRIMARY KEY (rowid=?)"],
    ),
    (
        ready::CLAIMED_WITH,
        &["SEARCH job USING INDEX job_claim_token (claim_token=?)"],
    ),
    (
        ready::NEEDS,
        &["SEARCH resource_requirements USING INTEGER PRIMARY KEY (rowid=?)"],
    ),
    (
        graph::DECIDABLE,
        &["SEARCH job USING INDEX job_decidable (workflow_id=?)"],
    ),
    (
        graph::UNPROCESSED,
        &["USING COVERING INDEX job_unprocessed"],
    ),
    (
        graph::UNPROCESSED_RESULTS,
        &[
            "SEARCH j USING COVERING INDEX job_unprocessed (workflow_id=? AND status>? AND status<?)",
            "SEARCH r USING INDEX sqlite_autoindex_result_1 (job_id=? AND run_id=?)",
            "USE TEMP B-TREE FOR GROUP BY",
        ],
    ),
    (
        run_state::START,
        &["SEARCH job USING INTEGER PRIMARY KEY (rowid=?)"],
    ),
    (
        run_state::END,
        &["SEARCH job USING INTEGER PRIMARY KEY (rowid=?)"],
    ),
    (
        run_state::CANCEL_ACTIVE,
        &["SEARCH job USING COVERING INDEX job_status (workflow_id=? AND status=?)"],
    ),
    (
        run_state::COUNTS,
        &["SEARCH job_status_count USING PRIMARY KEY (workflow_id=?)"],
    ),
];

#[tokio::test]
async fn frequent_statements_read_what_they_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plans.db");
    let options = OpenOptions {
        path: Some(path.clone()),
        durability: super::Durability::Process,
        queue_capacity: 1,
        readers: 1,
    };
    let store = Store::open(&options, Box::new(|_| ())).await.unwrap();
    store.close().await;

    let conn = Connection::open(path).unwrap();
    check(&conn, "an empty database");
    conn.execute_batch(
        "INSERT INTO workflow (id, name, user, timestamp) VALUES (1, 'a', 'me', '')",
    )
    .unwrap();
    conn.execute_batch(include_str!("../../migration/tests/large_workflow.sql"))
        .unwrap();
    for status in [1, 2, 3, 5] {
        conn.execute_batch(&format!("UPDATE job SET status = {status}; ANALYZE"))
            .unwrap();
        check(&conn, &format!("all jobs in status {status}"));
    }
}

fn check(conn: &Connection, when: &str) {
    let mut wrong = Vec::new();
    for (sql, expected) in PLANS {
        let mut statement = conn
            .prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text))
            .unwrap();
        let count = statement.parameter_count();
        let steps: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(vec![1_i64; count]), |row| {
                row.get(3)
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let alike = steps.len() == expected.len()
            && steps
                .iter()
                .zip(*expected)
                .all(|(step, part)| step.contains(part));
        if !alike {
            wrong.push(format!("{}: {steps:#?}", sql.id));
        }
    }
    assert!(wrong.is_empty(), "with {when}: {}", wrong.join("\n"));
}
