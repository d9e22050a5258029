//! The debug pages, which stand beside the API and answer on the server's machine alone.

use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError};
use crate::wire::debug::{Runtime, Statements, Timings, Writer};

#[derive(Serialize)]
struct WindowQuery<'q> {
    window: &'q str,
}

impl Client {
    /// Where the server's time went in a window such as `1m`.
    pub async fn debug_timings(&self, window: &str) -> Result<Timings, ClientError> {
        self.debug("timings", &WindowQuery { window }).await
    }

    /// Who holds the writer now, and how its log stands.
    pub async fn debug_writer(&self) -> Result<Writer, ClientError> {
        self.debug("writer", &()).await
    }

    /// How the worker threads fare; `None` of a server that does not tell.
    pub async fn debug_runtime(&self) -> Result<Option<Runtime>, ClientError> {
        if_there(self.debug("runtime", &()).await)
    }

    /// The statements and their plans; `None` of a server that does not tell.
    pub async fn debug_statements(&self) -> Result<Option<Statements>, ClientError> {
        if_there(self.debug("statements", &()).await)
    }

    /// A page as JSON.
    async fn debug<T: DeserializeOwned>(
        &self,
        page: &str,
        query: &impl Serialize,
    ) -> Result<T, ClientError> {
        // They stand at the root, whatever the API's path is.
        let mut url = Url::parse(self.base_url())
            .map_err(|error| ClientError::bad_url(self.base_url(), error.to_string()))?;
        url.set_path(&format!("/debug/{page}"));
        let mut call = self.call(Method::GET, "");
        call.what = format!("GET {url}");
        call.request = self.http.get(url);
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
