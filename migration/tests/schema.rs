//! Migrating a new file, migrating a file of Torc's, and the plans that claims rely on.

mod common;

use common::TestDb;
use migration::{Migrator, MigratorTrait};

const SHAPE: &str =
    "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY type, name";

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let test = TestDb::migrated().await.unwrap();
    let before = test.texts(SHAPE).await.unwrap();
    assert_eq!(
        test.texts(
            "SELECT 'table' FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
                           AND name NOT IN ('seaql_migrations', 'job_status_count', 'workflow_action_job')"
        )
        .await
        .unwrap()
        .len(),
        28
    );

    Migrator::up(&test.db, None).await.unwrap();
    assert_eq!(before, test.texts(SHAPE).await.unwrap());

    // As after a crash between a migration and its record: everything is found in place.
    test.run("DELETE FROM seaql_migrations").await.unwrap();
    Migrator::up(&test.db, None).await.unwrap();
    assert_eq!(before, test.texts(SHAPE).await.unwrap());
}

#[tokio::test]
async fn a_file_of_torc_is_taken_over() {
    let test = TestDb::empty().await.unwrap();
    test.run(include_str!("torc_file.sql")).await.unwrap();
    Migrator::up(&test.db, None).await.unwrap();

    assert_eq!(
        test.counters().await.unwrap(),
        [
            "job 1: 0",
            "job 2: 0",
            "job 3: 1",
            "job 4: 1",
            "workflow 7 status 1: 2",
            "workflow 7 status 4: 1",
            "workflow 7 status 5: 1",
        ]
    );
    assert_eq!(
        test.texts("SELECT claim_group FROM job ORDER BY id")
            .await
            .unwrap(),
        ["5|-|", "5|-|gpu|big", "-|-|", "-|-|"]
    );
    assert_eq!(
        test.texts("SELECT name FROM job ORDER BY id")
            .await
            .unwrap(),
        ["first", "second", "third", "fourth"]
    );
    assert_eq!(
        test.texts("SELECT description FROM _sqlx_migrations")
            .await
            .unwrap(),
        ["init"]
    );
    assert_eq!(
        test.integers("SELECT has_failures FROM workflow")
            .await
            .unwrap(),
        [0]
    );

    test.run("UPDATE job SET status = 5 WHERE id = 2")
        .await
        .unwrap();
    assert_eq!(
        test.integers("SELECT id FROM job WHERE status = 1 AND blockers = 0")
            .await
            .unwrap(),
        [3]
    );
    test.run("INSERT INTO job (workflow_id, name, command, status) VALUES (7, 'next', 'true', 0)")
        .await
        .unwrap();
    assert_eq!(test.integers("SELECT max(id) FROM job").await.unwrap(), [5]);
}

/// An interrupted migration leaves nothing, so the next start does all of it.
#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let test = TestDb::empty().await.unwrap();
    test.run(include_str!("torc_file.sql")).await.unwrap();
    Migrator::up(&test.db, Some(1)).await.unwrap();
    let before = test.texts(SHAPE).await.unwrap();

    // The name of a late index is taken, by a table: the second migration fails after its columns were added.
    test.run("CREATE TABLE workflow_action_executed_by (id INTEGER)")
        .await
        .unwrap();
    Migrator::up(&test.db, None).await.unwrap_err();
    test.run("DROP TABLE workflow_action_executed_by")
        .await
        .unwrap();
    assert_eq!(before, test.texts(SHAPE).await.unwrap());

    Migrator::up(&test.db, None).await.unwrap();
    assert_eq!(
        test.integers("SELECT sum(jobs) FROM job_status_count")
            .await
            .unwrap(),
        [4]
    );
}

/// Every foreign key of every table is served by an index, or deleting a workflow becomes quadratic.
#[tokio::test]
async fn every_foreign_key_is_indexed() {
    let test = TestDb::migrated().await.unwrap();
    let keys = test
        .texts(
            "SELECT t.name || '.' || k.\"from\" FROM sqlite_master t, pragma_foreign_key_list(t.name) k
             WHERE t.type = 'table'",
        )
        .await
        .unwrap();
    assert!(keys.len() > 40, "{keys:?}");
    for key in keys {
        let (table, column) = key.split_once('.').unwrap();
        let plan = test
            .rows(&format!(
                "EXPLAIN QUERY PLAN DELETE FROM {table} WHERE {column} = 1"
            ))
            .await
            .unwrap()
            .iter()
            .map(|row| row.try_get::<String>("", "detail").unwrap())
            .collect::<Vec<_>>();
        assert!(plan[0].starts_with("SEARCH"), "{key}: {plan:?}");
    }
}
