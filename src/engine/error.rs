//! The refusals of the engine. No status codes: `server/error.rs` maps them.
//!
//! Which one goes where: a row that is not there is [`EngineError::NotFound`],
//! also when it lies behind another's id; who may not do it is told
//! [`EngineError::Forbidden`]; a request that can never succeed as it
//! stands is [`EngineError::Invalid`]; one that collides with an existing row is
//! [`EngineError::Conflict`]; all else is the store's.

use serde_json::Value;

pub use crate::store::StoreError;

/// Why an operation was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// A row does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The request breaks a rule.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// The field that is wrong, with its value.
        field: Option<(&'static str, Value)>,
    },
    /// A statement of an administrator's that is not allowed, or failed.
    #[error("{message}")]
    Statement {
        /// Which of the two.
        kind: &'static str,
        /// Why.
        message: String,
    },
    /// The request collides with what is there.
    #[error("{0}")]
    Conflict(String),
    /// The same, where the answer tells more of it: an object with a `message`.
    #[error("{}", .0["message"].as_str().unwrap_or_default())]
    Collision(Value),
    /// The store's own failures.
    #[error(transparent)]
    Store(StoreError),
}

impl EngineError {
    /// `<Resource> not found with ID: <n>`.
    pub fn not_found(resource: &str, id: i64) -> Self {
        Self::NotFound(format!("{resource} not found with ID: {id}"))
    }

    /// `Resource not found in <table> with ID: <n>`, the wording for rows that are
    /// looked up on the way to their workflow.
    pub fn not_in(table: &str, id: i64) -> Self {
        Self::NotFound(format!("Resource not found in {table} with ID: {id}"))
    }

    /// A broken rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            field: None,
        }
    }

    /// A broken rule about one field.
    pub fn field(message: impl Into<String>, field: &'static str, value: impl Into<Value>) -> Self {
        Self::Invalid {
            message: message.into(),
            field: Some((field, value.into())),
        }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unique(_) => {
                Self::Conflict("a row with the same key exists already".to_owned())
            }
            StoreError::ForeignKey => {
                Self::invalid("the request refers to a row that does not exist")
            }
            other => Self::Store(other),
        }
    }
}
