//! What `torc doctor` asks the debug pages.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError};
use crate::wire::debug::{Timings, Writer};
use crate::wire::vitals::{Runtime, Statements};

#[derive(Serialize)]
struct WindowQuery<'q> {
    window: &'q str,
}

impl Client {
    /// Where the server's time went in a window such as `1m`.
    pub async fn debug_timings(&self, window: &str) -> Result<Timings, ClientError> {
        self.vitals("/timings", &WindowQuery { window }).await
    }

    /// Who holds the writer now, and how its log stands.
    pub async fn debug_writer(&self) -> Result<Writer, ClientError> {
        self.vitals("/writer", &()).await
    }

    /// How the worker threads fare; `None` of a server that does not tell.
    pub async fn debug_runtime(&self) -> Result<Option<Runtime>, ClientError> {
        if_there(self.vitals("/runtime", &()).await)
    }

    /// The statements and their plans; `None` of a server that does not tell.
    pub async fn debug_statements(&self) -> Result<Option<Statements>, ClientError> {
        if_there(self.vitals("/statements", &()).await)
    }

    /// A page as JSON.
    async fn vitals<T: DeserializeOwned>(
        &self,
        page: &str,
        query: &impl Serialize,
    ) -> Result<T, ClientError> {
        let call = self.debug(Method::GET, page);
        call.query(query).query(&[("format", "json")]).send().await
    }
}

/// `None` of a page that a server has not, is too busy for, or words in another way: what
/// it would add is not worth doing without the others.
fn if_there<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(page) => Ok(Some(page)),
        Err(ClientError::Decode { .. }) => Ok(None),
        Err(error) if error.status().is_some_and(|status| status != 403) => Ok(None),
        Err(error) => Err(error),
    }
}
