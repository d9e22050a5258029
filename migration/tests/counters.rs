//! The triggers keep `job.blockers` and `job_status_count` equal to what the rows say.

mod common;

use common::TestDb;
use migration::REBUILD_COUNTERS;

const FLOW: &str = "INSERT INTO workflow (id, name, user, timestamp) VALUES (1, 'a', 'me', ''), (2, 'b', 'me', '')";

/// Numbers that are the same on every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    /// A number from 0 to `sides - 1`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// A statement that changes something the counters depend on; many find no row, or change none.
    fn statement(&mut self) -> String {
        let (a, b) = (1 + self.roll(40), 1 + self.roll(40));
        let (status, flow) = (self.roll(11), 1 + self.roll(2));
        match self.roll(16) {
            0..=4 => format!("UPDATE job SET status = {status} WHERE id = {a}"),
            5 => format!("UPDATE job SET status = {status} WHERE id BETWEEN {a} AND {b}"),
            6..=9 => format!(
                "INSERT OR IGNORE INTO job_depends_on (job_id, depends_on_job_id, workflow_id)
                 SELECT a.id, b.id, a.workflow_id FROM job a, job b WHERE a.id = {a} AND b.id = {b}"
            ),
            10 => format!("DELETE FROM job_depends_on WHERE job_id = {a}"),
            11 => format!("DELETE FROM job_depends_on WHERE job_id < {a} AND depends_on_job_id > {b}"),
            12 => format!("UPDATE OR IGNORE job_depends_on SET depends_on_job_id = {b} WHERE job_id = {a}
                           AND EXISTS (SELECT 1 FROM job WHERE id = {b})"),
            13 => format!("DELETE FROM job WHERE id IN ({a}, {b})"),
            14 if self.roll(20) == 0 => format!("DELETE FROM workflow WHERE id = {flow}"),
            _ => format!(
                "INSERT OR IGNORE INTO workflow (id, name, user, timestamp) VALUES ({flow}, 'again', 'me', '');
                 INSERT OR IGNORE INTO job (id, workflow_id, name, command, status)
                 VALUES ({a}, {flow}, 'n', 'c', {status}), ({b}, {flow}, 'n', 'c', {status})"
            ),
        }
    }
}

/// The counters as the rows say. Repairs them on the way.
async fn recounted(test: &TestDb) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    for statement in REBUILD_COUNTERS {
        test.run(statement).await?;
    }
    Ok(test.counters().await?)
}

async fn hold_through_random_changes(
    foreign_keys: &str,
    seed: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let test = TestDb::migrated().await?;
    test.run(&format!("PRAGMA foreign_keys = {foreign_keys}"))
        .await?;
    test.run(FLOW).await?;
    let mut dice = Dice(seed);
    let mut blocked = 0;
    for step in 0..1500 {
        let statement = dice.statement();
        // Without foreign keys a deleted workflow would leave jobs behind, whose counters nobody reads.
        if foreign_keys == "OFF" && statement.starts_with("DELETE FROM workflow") {
            continue;
        }
        test.run(&statement).await?;
        if foreign_keys == "OFF" {
            test.run(
                "DELETE FROM job_depends_on WHERE job_id NOT IN (SELECT id FROM job)
                 OR depends_on_job_id NOT IN (SELECT id FROM job)",
            )
            .await?;
        }
        let kept = test.counters().await?;
        blocked += kept
            .iter()
            .filter(|line| line.starts_with("job") && !line.ends_with(" 0"))
            .count();
        assert_eq!(
            kept,
            recounted(&test).await?,
            "seed {seed}, step {step}: {statement}"
        );
    }
    assert!(
        blocked > 1000,
        "the changes hardly blocked anything: {blocked}"
    );
    Ok(())
}

#[tokio::test]
async fn counters_hold_with_foreign_keys() {
    for seed in 1..=3 {
        hold_through_random_changes("ON", seed).await.unwrap();
    }
}

#[tokio::test]
async fn counters_hold_without_foreign_keys() {
    hold_through_random_changes("OFF", 4).await.unwrap();
}

/// The published names of the codes: only 5 to 8 end a job.
#[tokio::test]
async fn only_an_ending_unblocks() {
    let test = TestDb::migrated().await.unwrap();
    test.run(FLOW).await.unwrap();
    test.run(
        "INSERT INTO job (id, workflow_id, name, command, status) VALUES (1, 1, 'a', '', 0), (2, 1, 'b', '', 1);
         INSERT INTO job_depends_on VALUES (2, 1, 1)",
    )
    .await
    .unwrap();
    for (status, blockers) in [
        (1, 1),
        (4, 1),
        (5, 0),
        (6, 0),
        (9, 1),
        (7, 0),
        (8, 0),
        (10, 1),
    ] {
        test.run(&format!("UPDATE job SET status = {status} WHERE id = 1"))
            .await
            .unwrap();
        let found = test
            .integers("SELECT blockers FROM job WHERE id = 2")
            .await
            .unwrap();
        assert_eq!(found, [blockers], "status {status}");
    }
}

/// A failed statement leaves the counters as they were, and `OR IGNORE` reaches into no trigger.
#[tokio::test]
async fn refused_rows_are_not_counted() {
    let test = TestDb::migrated().await.unwrap();
    test.run(FLOW).await.unwrap();
    test.run("INSERT INTO job (id, workflow_id, name, command, status) VALUES (1, 1, 'a', '', 2)")
        .await
        .unwrap();
    test.run(
        "INSERT OR IGNORE INTO job (id, workflow_id, name, command, status)
         VALUES (1, 1, 'a', '', 2), (2, 1, 'b', '', 2), (3, 1, 'c', '', 2)",
    )
    .await
    .unwrap();
    test.run("INSERT INTO job (id, workflow_id, name, command, status) VALUES (4, 1, 'd', '', 2), (1, 1, 'a', '', 2)")
        .await
        .unwrap_err();
    test.run("UPDATE OR REPLACE job SET status = 3 WHERE id < 3")
        .await
        .unwrap();
    assert_eq!(
        test.counters().await.unwrap()[3..],
        ["workflow 1 status 2: 1", "workflow 1 status 3: 2"]
    );
}

/// Time grows with the jobs, not with their square: 100,000 jobs of a chain, each with files, data and a result.
#[tokio::test]
async fn a_large_workflow_can_be_deleted() {
    let test = TestDb::migrated().await.unwrap();
    test.run(FLOW).await.unwrap();
    let start = std::time::Instant::now();
    test.run(include_str!("large_workflow.sql")).await.unwrap();
    let created = start.elapsed();

    let start = std::time::Instant::now();
    test.run("UPDATE job SET status = iif(blockers = 0, 2, 1) WHERE workflow_id = 1")
        .await
        .unwrap();
    let initialised = start.elapsed();
    assert_eq!(
        test.integers("SELECT jobs FROM job_status_count WHERE status = 1")
            .await
            .unwrap(),
        [99_990]
    );

    let start = std::time::Instant::now();
    for statement in REBUILD_COUNTERS {
        test.run(statement).await.unwrap();
    }
    let rebuilt = start.elapsed();

    let start = std::time::Instant::now();
    test.run("DELETE FROM workflow WHERE id = 1").await.unwrap();
    let deleted = start.elapsed();
    eprintln!(
        "created in {created:?}, initialised {initialised:?}, counted {rebuilt:?}, deleted {deleted:?}"
    );

    for table in [
        "job",
        "job_depends_on",
        "job_input_file",
        "result",
        "workflow_result",
        "file",
        "job_status_count",
    ] {
        let rows = test
            .integers(&format!("SELECT count(*) FROM {table}"))
            .await
            .unwrap();
        assert_eq!(rows, [0], "{table}");
    }
}
