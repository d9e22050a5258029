//! What jobs read and write: files, user data, and the RO-Crate records about them.

/// Tables about data. `user_data.data` is TEXT where Torc says JSON: a type of that name makes SQLite turn a document
/// that is a bare number into a number, and its text is lost.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    st_mtime REAL
);

CREATE TABLE IF NOT EXISTS user_data (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    is_ephemeral INTEGER NOT NULL,
    data TEXT
);

CREATE UNIQUE INDEX IF NOT EXISTS user_data_lineage ON user_data (workflow_id, name)
WHERE name GLOB '__torc_lineage__*';

CREATE TABLE IF NOT EXISTS ro_crate_entity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id INTEGER NOT NULL REFERENCES workflow (id) ON DELETE CASCADE,
    file_id INTEGER REFERENCES file (id) ON DELETE SET NULL,
    entity_id TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    UNIQUE (workflow_id, entity_id)
);

CREATE UNIQUE INDEX IF NOT EXISTS ro_crate_entity_one_per_file ON ro_crate_entity (workflow_id, file_id)
WHERE file_id IS NOT NULL;
";
