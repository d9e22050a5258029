//! The server's debug pages. They answer on the server's own machine alone, and lie beside
//! the API, not in it.

use std::io::Write;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;

use super::{Call, Client, ClientError};
use crate::wire::BASE_PATH;
use crate::wire::debug::{Exemplars, Marks, Request, Requests};

/// Why a download came to nothing.
#[derive(Debug)]
pub enum DownloadError {
    /// The server, or the way to it.
    Client(ClientError),
    /// Where it was to be written.
    Write(std::io::Error),
}

impl From<ClientError> for DownloadError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl Client {
    /// What was measured in a window (`start`, `reset`, `mark:NAME`, `10s`), with the
    /// buckets of every series if they are wanted. As the server says it: what reads it
    /// may know less.
    pub async fn timings(&self, window: &str, buckets: bool) -> Result<Value, ClientError> {
        let mut query = vec![("window", window)];
        if buckets {
            query.push(("buckets", "true"));
        }
        self.debug(Method::GET, "/timings")
            .query(&query)
            .send()
            .await
    }

    /// Counts from now on in the window `reset`.
    pub async fn reset_timings(&self) -> Result<(), ClientError> {
        self.debug(Method::POST, "/timings/reset").send_only().await
    }

    /// The marks that are set.
    pub async fn marks(&self) -> Result<Marks, ClientError> {
        self.debug(Method::GET, "/timings/marks").send().await
    }

    /// Sets a mark to count from.
    pub async fn set_mark(&self, name: &str) -> Result<(), ClientError> {
        self.debug(Method::POST, &mark(name)).send_only().await
    }

    /// Removes a mark.
    pub async fn remove_mark(&self, name: &str) -> Result<(), ClientError> {
        self.debug(Method::DELETE, &mark(name)).send_only().await
    }

    /// Requests that stand for the buckets of a `route` or an `operation`.
    pub async fn exemplars(&self, kind: &str, name: &str) -> Result<Exemplars, ClientError> {
        let call = self.debug(Method::GET, "/exemplars");
        call.query(&[(kind, name)]).send().await
    }

    /// Requests that ended lately, `limit` at most.
    pub async fn requests(&self, query: &[(&str, String)]) -> Result<Requests, ClientError> {
        self.debug(Method::GET, "/requests")
            .query(&query)
            .send()
            .await
    }

    /// One request by its number.
    pub async fn request(&self, id: u64) -> Result<Request, ClientError> {
        self.debug(Method::GET, &format!("/requests/{id}"))
            .send()
            .await
    }

    /// Writes the answer of a debug page into `sink` as it comes; answers its bytes.
    ///
    /// # Errors
    ///
    /// The server refuses, the connection breaks, or the sink does.
    pub async fn download(
        &self,
        page: &str,
        query: &[(&str, String)],
        sink: &mut (dyn Write + Send),
    ) -> Result<u64, DownloadError> {
        let call = self.debug(Method::GET, page).query(&query);
        let what = call.what.clone();
        let server = call.server.clone();
        let mut body = call.open().await?.bytes_stream();
        let mut bytes = 0;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| ClientError::transport(&what, &server, &error))?;
            sink.write_all(&piece).map_err(DownloadError::Write)?;
            bytes += piece.len() as u64;
        }
        Ok(bytes)
    }

    /// A request to a debug page.
    pub(super) fn debug(&self, method: Method, page: &str) -> Call {
        self.call_at(root(&self.base), method, format_args!("/debug{page}"))
    }
}

impl Call {
    /// Sends the request; the answer has no body.
    async fn send_only(mut self) -> Result<(), ClientError> {
        self.request = self.request.timeout(super::ANSWER_TIMEOUT);
        self.open().await.map(drop)
    }
}

/// The server's address without the path of its API.
fn root(base: &str) -> &str {
    base.strip_suffix(BASE_PATH).unwrap_or_else(|| {
        let host = base.find("://").map_or(0, |at| at + 3);
        let end = base[host..].find('/').map_or(base.len(), |at| host + at);
        &base[..end]
    })
}

/// The page of a mark; what no mark may be called is sent so that the server can say so.
fn mark(name: &str) -> String {
    let mut page = "/timings/marks/".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            page.push(char::from(byte));
        } else {
            page += &format!("%{byte:02X}");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{mark, root};

    #[test]
    fn pages_lie_beside_the_api() {
        for (base, expected) in [
            (
                "http://localhost:8080/torc-service/v1",
                "http://localhost:8080",
            ),
            ("http://[::1]:1/other", "http://[::1]:1"),
            ("http://h", "http://h"),
        ] {
            assert_eq!(root(base), expected);
        }
    }

    #[test]
    fn names_of_marks_stay_in_their_place() {
        assert_eq!(mark("before-1"), "/timings/marks/before-1");
        assert_eq!(mark("a/../b?c"), "/timings/marks/a%2F%2E%2E%2Fb%3Fc");
    }
}
