//! Files with the RO-Crate entities that describe them, for the entities that the server
//! writes by itself.

use rusqlite::params;

use super::sql::Sql;
use super::{StoreError, WriteTx};

const FILES: Sql = Sql::new(
    "ro_crate_entity.files",
    "SELECT f.id, f.path, f.st_mtime, e.id, e.metadata FROM file f \
     LEFT JOIN ro_crate_entity e ON e.file_id = f.id AND e.workflow_id = f.workflow_id \
     WHERE f.workflow_id = ? AND f.st_mtime IS NOT NULL",
);
/// Where somebody else has taken the `@id`, theirs stays.
const INSERT: Sql = Sql::new(
    "ro_crate_entity.insert_new",
    "INSERT OR IGNORE INTO ro_crate_entity \
       (workflow_id, file_id, entity_id, entity_type, metadata) VALUES (?, ?, ?, ?, ?)",
);
const SET_METADATA: Sql = Sql::new(
    "ro_crate_entity.set_metadata",
    "UPDATE ro_crate_entity SET metadata = ?2 WHERE id = ?1",
);

/// A file that exists, as far as is known.
pub struct DescribedFile {
    /// The file.
    pub id: i64,
    /// Its path.
    pub path: String,
    /// When it was changed, in seconds since 1970.
    pub st_mtime: f64,
    /// The entity that describes it, with its JSON-LD as text.
    pub entity: Option<(i64, String)>,
}

/// The files of a workflow that exist.
///
/// # Errors
///
/// What the database says.
pub fn files(tx: &WriteTx<'_>, workflow_id: i64) -> Result<Vec<DescribedFile>, StoreError> {
    tx.all(FILES, [workflow_id], |row| {
        let entity: Option<i64> = row.get(3)?;
        let metadata: Option<String> = row.get(4)?;
        Ok(DescribedFile {
            id: row.get(0)?,
            path: row.get(1)?,
            st_mtime: row.get(2)?,
            entity: entity.zip(metadata),
        })
    })
}

/// Adds an entity, unless there is one of its `@id` or file.
///
/// # Errors
///
/// What the database says.
pub fn add(
    tx: &WriteTx<'_>,
    workflow_id: i64,
    file_id: Option<i64>,
    entity_id: &str,
    entity_type: &str,
    metadata: &str,
) -> Result<(), StoreError> {
    tx.execute(
        INSERT,
        params![workflow_id, file_id, entity_id, entity_type, metadata],
    )?;
    Ok(())
}

/// Replaces the JSON-LD of an entity.
///
/// # Errors
///
/// What the database says.
pub fn set_metadata(tx: &WriteTx<'_>, id: i64, metadata: &str) -> Result<(), StoreError> {
    tx.execute(SET_METADATA, params![id, metadata])?;
    Ok(())
}
