//! What can go wrong between a command and the disk.

/// A failure of the store. Which status code it becomes is decided at the edge.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Too much is waiting for the writer already; nothing was done.
    #[error("database is locked: {what} are waiting already; try again shortly")]
    Overloaded {
        /// What is, and how many.
        what: String,
    },
    /// The server is stopping; nothing was done.
    #[error("the server is stopping; nothing was written")]
    Stopping,
    /// Another process holds the database; nothing was done.
    #[error("database is locked by another process")]
    Busy,
    /// The disk is full or fails; nothing was done, and it may work later.
    #[error("cannot write to the database: {0}")]
    Disk(String),
    /// A row with the same key exists.
    #[error("{0}")]
    Unique(String),
    /// A row that was referred to does not exist.
    #[error("a referenced row does not exist")]
    ForeignKey,
    /// A stored value cannot be understood.
    #[error("cannot read {what}: {cause}")]
    Corrupt {
        /// The table and column.
        what: String,
        /// The parser's words.
        cause: String,
    },
    /// Anything else the database says; for the log, not for clients.
    #[error("database error: {0}")]
    Database(String),
    /// A command panicked; its changes were undone.
    #[error("the operation failed unexpectedly; its changes were undone")]
    Panicked,
}

impl StoreError {
    /// Whether the same request may succeed later without being changed.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Overloaded { .. } | Self::Stopping | Self::Busy | Self::Disk(_)
        )
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Self::Database(error.to_string());
        };
        let text = || message.clone().unwrap_or_else(|| failure.to_string());
        match failure.code {
            Code::OperationInterrupted => Self::Stopping,
            Code::DatabaseBusy | Code::DatabaseLocked => Self::Busy,
            Code::DiskFull
            | Code::SystemIoFailure
            | Code::ReadOnly
            | Code::CannotOpen
            | Code::OutOfMemory => Self::Disk(text()),
            Code::ConstraintViolation => match failure.extended_code {
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY => Self::Unique(text()),
                rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Self::ForeignKey,
                _ => Self::Database(text()),
            },
            _ => Self::Database(text()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::from(sea_orm::DbErr::Query(sea_orm::RuntimeErr::SqlxError(
            error.into(),
        )))
    }
}

impl From<sea_orm::DbErr> for StoreError {
    fn from(error: sea_orm::DbErr) -> Self {
        let text = error.to_string();
        if text.contains("database is locked") {
            Self::Busy
        } else if text.contains("disk I/O error") || text.contains("is full") {
            Self::Disk(text)
        } else {
            Self::Database(text)
        }
    }
}
