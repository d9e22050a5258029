//! Who may see what, and what administrators did. `workflow_access_group` stands with the workflows.

/// Tables about users.
pub const TABLES: &str = "
CREATE TABLE IF NOT EXISTS access_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    is_system INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS user_group_membership (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_name TEXT NOT NULL,
    group_id INTEGER NOT NULL REFERENCES access_group (id) ON DELETE CASCADE,
    role TEXT NOT NULL DEFAULT 'member',
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    UNIQUE (user_name, group_id)
);

CREATE TABLE IF NOT EXISTS admin_audit_log (
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
";
