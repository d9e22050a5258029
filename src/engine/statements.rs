//! What the database does, for whoever wants to know why it takes its time.

use super::{Engine, EngineError};
use crate::store::statements;
pub use crate::store::statements::{Explained, Scan, StatementTexts};

impl Engine {
    /// The statements that ran since the start of the process, each with its texts and
    /// their plans; in the order of their ids. May take two seconds the first time.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn statement_texts(&self) -> Result<Vec<StatementTexts>, EngineError> {
        Ok(statements::explained(&self.parts.reads).await?)
    }
}
