//! Who asks: HTTP Basic against the file of users.
//!
//! Every request passes here, those of unknown paths and of the debug pages as well. What
//! it says of itself goes no further than this: handlers see a
//! [`Caller`](crate::engine::Caller), and the header is gone, so that nothing can log it.

mod cache;
mod checks;
mod delays;
pub mod reload;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use self::cache::Verdict;
use self::checks::Checks;
use super::error::ApiError;
use crate::engine::error::StoreError;
use crate::engine::{Caller, EngineError};
use crate::htpasswd::FileError;

/// What a browser shows a form for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Torc\"");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Who has to say who they are, and how it is checked.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The file of users; without one everybody is anonymous.
    pub file: Option<PathBuf>,
    /// Refuse whoever is nobody.
    pub required: bool,
    /// How long a check counts; zero for one at every request.
    pub cache_ttl: Duration,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            file: None,
            required: false,
            cache_ttl: Duration::from_secs(60),
        }
    }
}

/// Why there is no authentication; each text is one clear line.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It is required, of nobody.
    #[error("--require-auth needs the users: name their file with --auth-file (TORC_AUTH_FILE)")]
    NoFile,
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system has no random numbers.
    #[error("no key for the cache of credentials: {0}")]
    Key(std::io::Error),
}

/// Tells who asks. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    checks: Option<Arc<Checks>>,
    required: bool,
}

impl Auth {
    /// Reads the file of users.
    ///
    /// # Errors
    ///
    /// Such a file that is no good, or none where one is needed.
    pub fn new(config: &AuthConfig) -> Result<Self, AuthError> {
        let checks = match &config.file {
            Some(file) => Some(Arc::new(Checks::new(file.clone(), config.cache_ttl)?)),
            None if config.required => return Err(AuthError::NoFile),
            None => None,
        };
        Ok(Self {
            checks,
            required: config.required,
        })
    }

    /// Whether there is a file of users.
    pub fn has_file(&self) -> bool {
        self.checks.is_some()
    }

    /// Whether there is a file of users, and nobody of this name in it.
    pub fn lacks(&self, name: &str) -> bool {
        let checks = self.checks.as_ref();
        checks.is_some_and(|checks| !checks.users().has(name))
    }

    /// Whether there are users to tell apart.
    pub fn asks(&self) -> bool {
        self.checks.is_some()
    }

    /// Reads the file of users again; none without one. Answers how many there are.
    ///
    /// # Errors
    ///
    /// A file that is no good; the users from before remain.
    pub async fn reload(&self) -> Option<Result<usize, String>> {
        let checks = Arc::clone(self.checks.as_ref()?);
        Some(checks.reload().await)
    }

    async fn caller(&self, given: Option<HeaderValue>, from: IpAddr) -> Result<Caller, Response> {
        let verdict = match (&self.checks, given) {
            (None, _) => return Ok(Caller::Anonymous),
            (Some(checks), Some(given)) => checks.verdict(&given, from).await,
            (Some(_), None) => Verdict::NotGiven,
        };
        match verdict {
            Verdict::Right(name) => Ok(Caller::Named(name)),
            Verdict::NotGiven if !self.required => Ok(Caller::Anonymous),
            Verdict::Wrong if !self.required => Ok(Caller::Unknown),
            Verdict::NotGiven | Verdict::Wrong => Err(unauthorized()),
            Verdict::Busy => Err(busy()),
        }
    }
}

/// The middleware.
pub async fn identified(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let given = request.headers_mut().remove(header::AUTHORIZATION);
    let from = match request.extensions().get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(peer)) => peer.ip(),
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    match auth.caller(given, from).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let mut response = next.run(request).await;
            // For who tells administrators of requests.
            response.extensions_mut().insert(caller);
            response
        }
        Err(mut refusal) => {
            if has_body(&request) {
                // It stays unread, so the connection cannot be used again.
                refusal.headers_mut().insert(header::CONNECTION, CLOSE);
            }
            refusal
        }
    }
}

fn has_body(request: &Request) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0")
        || request.headers().contains_key(header::TRANSFER_ENCODING)
}

fn unauthorized() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, CHALLENGE)];
    (StatusCode::UNAUTHORIZED, challenge, "Unauthorized").into_response()
}

fn busy() -> Response {
    ApiError::from(EngineError::from(StoreError::Overloaded {
        what: "as many checks of passwords as there may be".to_owned(),
    }))
    .into_response()
}
