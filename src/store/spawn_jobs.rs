//! What spawned jobs need of the database: names, and the records of a lineage.

use std::collections::HashMap;

use rusqlite::params;
use serde_json::Value;

use super::convert::to_json;
use super::sql::Sql;
use super::{StoreError, WriteTx, user_data};
use crate::wire::user_data::UserDataModel;

/// Reads the names of all jobs of the workflow: an index on names would cost every job
/// that is created, and few workflows spawn.
const IDS_BY_NAME: Sql = Sql::new(
    "job.ids_by_name",
    "SELECT name, min(id) FROM job WHERE workflow_id = ?1 \
     AND name IN (SELECT value FROM json_each(?2)) GROUP BY name",
);
const REQUIREMENTS_BY_NAME: Sql = Sql::new(
    "resource_requirements.ids_by_name",
    "SELECT name, min(id) FROM resource_requirements WHERE workflow_id = ?1 \
     AND name IN (SELECT value FROM json_each(?2)) GROUP BY name",
);
const MARK: Sql = Sql::new(
    "job.mark_spawned",
    "UPDATE job SET status = 1, origin = 'spawn' WHERE id = ?",
);
/// Names between two others; the condition on the pattern is the index's.
const RECORDS: Sql = Sql::new(
    "user_data.lineage_records",
    "SELECT name FROM user_data WHERE workflow_id = ?1 AND name GLOB '__torc_lineage__*' \
     AND name >= ?2 AND name < ?3",
);
const RECORD: Sql = Sql::new(
    "user_data.lineage_record",
    "SELECT id FROM user_data WHERE workflow_id = ?1 AND name GLOB '__torc_lineage__*' \
     AND name = ?2",
);

/// What the record of a lineage begins with.
fn prefix(lineage: &str) -> String {
    format!("__torc_lineage__{lineage}__")
}

fn by_name(
    tx: &WriteTx<'_>,
    sql: Sql,
    workflow_id: i64,
    names: &[&str],
) -> Result<HashMap<String, i64>, StoreError> {
    let names = to_json("names", Some(&names))?;
    let found = tx.all(sql, params![workflow_id, names], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(found.into_iter().collect())
}

/// The jobs of a workflow that have these names, the oldest of each.
///
/// # Errors
///
/// What the database says.
pub fn jobs_named(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    names: &[&str],
) -> Result<HashMap<String, i64>, StoreError> {
    by_name(tx, IDS_BY_NAME, workflow_id, names)
}

/// The resource requirements of a workflow that have these names, the oldest of each.
///
/// # Errors
///
/// What the database says.
pub fn requirements_named(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    names: &[&str],
) -> Result<HashMap<String, i64>, StoreError> {
    by_name(tx, REQUIREMENTS_BY_NAME, workflow_id, names)
}

/// Marks a new job as spawned; it waits.
///
/// # Errors
///
/// What the database says.
pub fn mark(tx: &WriteTx<'_>, job_id: i64) -> Result<(), StoreError> {
    tx.execute(MARK, [job_id])?;
    Ok(())
}

/// The highest generation that a lineage has a record of; 0 without any.
///
/// # Errors
///
/// What the database says.
pub fn generation(tx: &WriteTx<'_>, workflow_id: i64, lineage: &str) -> Result<i64, StoreError> {
    let from = prefix(lineage) + "g";
    // Numbers come after `g` and before what follows the last digit.
    let (first, end) = (format!("{from}0"), format!("{from}:"));
    let names = tx.all(RECORDS, params![workflow_id, first, end], |row| {
        row.get::<_, String>(0)
    })?;
    let numbers = names.iter().filter_map(|name| {
        let digits = &name[from.len()..];
        let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    });
    Ok(numbers.max().unwrap_or(0))
}

/// Adds the record of a generation.
///
/// # Errors
///
/// What the database says.
pub fn record_generation(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    lineage: &str,
    generation: i64,
    data: Value,
) -> Result<(), StoreError> {
    let name = format!("{}g{generation:06}", prefix(lineage));
    user_data::insert(tx, &record(workflow_id, name, data))?;
    Ok(())
}

/// Writes the record of a lineage's end, or replaces it.
///
/// # Errors
///
/// What the database says.
pub fn record_end(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    lineage: &str,
    data: Value,
) -> Result<(), StoreError> {
    let name = prefix(lineage) + "final";
    let id = tx.one(RECORD, params![workflow_id, name], |row| row.get(0))?;
    let model = record(workflow_id, name, data);
    match id {
        Some(id) => user_data::update(tx, id, &model),
        None => user_data::insert(tx, &model).map(drop),
    }
}

fn record(workflow_id: i64, name: String, data: Value) -> UserDataModel {
    UserDataModel {
        id: None,
        workflow_id,
        is_ephemeral: Some(true),
        name,
        data: Some(data),
    }
}
