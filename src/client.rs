//! The API over HTTP: one method for each operation, named after its operationId.
//!
//! A method sends one request and says how it went. What is worth repeating is the
//! caller's choice, see [`RetryPolicy`]; which requests may be repeated without harm
//! is the contract's, see [`IdempotencyKey`].

mod claims;
mod compute_nodes;
mod debug;
mod error;
mod events;
mod files;
mod identity;
mod jobs;
mod proxy;
mod resource_requirements;
mod results;
mod retry;
mod sse;
mod system;
mod trace;
mod user_data;
mod vitals;
mod workflows;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_rustls::rustls::ClientConfig;

use crate::trust::Trust;
use crate::wire::{BASE_PATH, IDEMPOTENCY_KEY};

pub use debug::DownloadError;
pub use error::ClientError;
pub use events::{EventStream, StreamItem};
pub use identity::Identity;
pub use retry::RetryPolicy;
pub use trace::Trace;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take; initializing a million jobs is one request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Talks to one server. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    /// The proxy in between.
    proxy: Option<Arc<str>>,
    /// What requests say of the trace that they belong to.
    trace: Option<Trace>,
}

impl Client {
    /// A client of the API at `base_url`, such as `http://localhost:8080/torc-service/v1`.
    ///
    /// A URL without a path gets the API's usual one. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::BadUrl`] if the URL cannot be used.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        Self::of(base_url, &Identity::default(), &Trust::System)
    }

    /// The same on behalf of somebody, to a server that `trust` believes; a plain URL needs
    /// no trust.
    ///
    /// # Errors
    ///
    /// As [`Client::new`]; an identity that cannot be sent, a trust that cannot be had.
    pub fn of(base_url: &str, identity: &Identity, trust: &Trust) -> Result<Self, ClientError> {
        let (base, url) = checked_base(base_url)?;
        let proxy = proxy::of(&url);
        let mut builder = reqwest::Client::builder()
            .default_headers(identity.headers()?)
            .tls_backend_preconfigured(tls(&url, trust)?)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .user_agent(concat!("torc/", env!("CARGO_PKG_VERSION")));
        if proxy.is_none() {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| ClientError::bad_url(base_url, error::chain(&error)))?;
        Ok(Self {
            http,
            base: base.into(),
            proxy: proxy.map(Arc::from),
            trace: None,
        })
    }

    /// The same client, for requests that belong to a trace.
    pub fn in_trace(&self, trace: Option<Trace>) -> Self {
        Self {
            trace,
            ..self.clone()
        }
    }

    /// The base URL in use, as jobs get it in `TORC_API_URL`.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    fn call(&self, method: Method, path: impl Display) -> Call {
        self.call_at(&self.base, method, path)
    }

    /// A request to what lies at `base` on the server.
    fn call_at(&self, base: &str, method: Method, path: impl Display) -> Call {
        let url = format!("{base}{path}");
        let through = match &self.proxy {
            Some(proxy) => format!(" through the proxy {proxy}"),
            None => String::new(),
        };
        let what = format!("{method} {url}{through}");
        let mut request = self.http.request(method, &url);
        if let Some(trace) = &self.trace {
            request = request.header("traceparent", trace.header());
        }
        Call {
            what,
            request,
            server: format!("{base}{through}"),
        }
    }

    fn get(&self, path: impl Display) -> Call {
        self.call(Method::GET, path)
    }

    fn post(&self, path: impl Display) -> Call {
        self.call(Method::POST, path)
    }

    fn put(&self, path: impl Display) -> Call {
        self.call(Method::PUT, path)
    }

    fn delete(&self, path: impl Display) -> Call {
        self.call(Method::DELETE, path)
    }
}

/// What TLS needs at this URL; a plain one does without the system's certificates.
fn tls(url: &Url, trust: &Trust) -> Result<ClientConfig, ClientError> {
    let trust = match url.scheme() {
        "https" => trust,
        _ => &Trust::Nobody,
    };
    trust
        .config()
        .map_err(|error| ClientError::Identity(error.to_string()))
}

/// The URL without a trailing slash, with the API's path if it had none; as text and read.
fn checked_base(base_url: &str) -> Result<(String, Url), ClientError> {
    let url = Url::parse(base_url.trim())
        .map_err(|error| ClientError::bad_url(base_url, error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        let reason = format!("it is http or https, not {}", url.scheme());
        return Err(ClientError::bad_url(base_url, reason));
    }
    let text = url.as_str().trim_end_matches('/');
    let text = if matches!(url.path(), "" | "/") {
        format!("{text}{BASE_PATH}")
    } else {
        text.to_owned()
    };
    Ok((text, url))
}

/// One request in the making.
struct Call {
    /// Method, URL and the way there, for errors.
    what: String,
    /// The server's URL and the way there, for errors.
    server: String,
    request: RequestBuilder,
}

impl Call {
    fn query(mut self, query: &impl Serialize) -> Self {
        self.request = self.request.query(query);
        self
    }

    fn json(mut self, body: &impl Serialize) -> Self {
        self.request = self.request.json(body);
        self
    }

    fn key(mut self, key: Option<&IdempotencyKey>) -> Self {
        if let Some(key) = key {
            self.request = self.request.header(IDEMPOTENCY_KEY, key.as_str());
        }
        self
    }

    /// Sends the request and reads the whole answer.
    async fn send<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let Self {
            what,
            server,
            request,
        } = self;
        let response = request
            .timeout(ANSWER_TIMEOUT)
            .send()
            .await
            .map_err(|error| ClientError::transport(&what, &server, &error))?;
        let response = accepted(&what, response).await?;
        let body = response
            .bytes()
            .await
            .map_err(|error| ClientError::transport(&what, &server, &error))?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Decode {
            what,
            reason: error.to_string(),
        })
    }

    /// Sends the request and hands out the answer's body as it comes, without a time limit.
    async fn open(self) -> Result<Response, ClientError> {
        let Self {
            what,
            server,
            request,
        } = self;
        let response = request
            .send()
            .await
            .map_err(|error| ClientError::transport(&what, &server, &error))?;
        accepted(&what, response).await
    }
}

/// The response if it is a success, else the error that its body tells.
async fn accepted(what: &str, response: Response) -> Result<Response, ClientError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
        .map(Duration::from_secs);
    // A body that breaks off still leaves the status, which matters more.
    let body = response.bytes().await.unwrap_or_default();
    Err(ClientError::api(what, status, &body, retry_after))
}

/// Names one request, so that repeating it after a lost answer has no second effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key that nobody has used.
    pub fn fresh() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }

    /// The key as it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a bulk delete answers: the contract has two names for the one number.
#[derive(serde::Deserialize)]
struct Deleted {
    count: Option<i64>,
    deleted_count: Option<i64>,
}

impl Deleted {
    fn rows(self) -> i64 {
        self.count.or(self.deleted_count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, ClientError, checked_base};

    #[test]
    fn a_bare_address_gets_the_usual_path() {
        let usual = "http://localhost:8080/torc-service/v1";
        for given in ["http://localhost:8080", "http://localhost:8080/", usual] {
            assert_eq!(checked_base(given).unwrap().0, usual);
        }
        assert_eq!(
            checked_base("http://host/other/").unwrap().0,
            "http://host/other"
        );
    }

    #[test]
    fn unusable_urls_are_refused_before_anything_is_sent() {
        for bad in ["localhost:8080", "ftp://host", "", "http://"] {
            let refused = Client::new(bad);
            assert!(matches!(refused, Err(ClientError::BadUrl { .. })), "{bad}");
        }
    }
}
