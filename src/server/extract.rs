//! What handlers take from a request. Path, query and body are axum's own
//! extractors: their plain-text refusals are the contract's, word for word.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::ApiError;
use crate::engine::{Caller, EngineError};
use crate::wire::IDEMPOTENCY_KEY;

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    /// Everybody is anonymous until the server can tell callers apart.
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::default())
    }
}

/// Characters of an `Idempotency-Key` at most.
const LONGEST_KEY: usize = 200;

/// The name under which a client may repeat a request, from its `Idempotency-Key` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for RequestKey {
    type Rejection = ApiError;

    /// A key that cannot be kept is refused: who sends one counts on it.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(Self(None));
        };
        match value.to_str() {
            Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Self(Some(key.to_owned()))),
            _ => Err(EngineError::invalid(format!(
                "the header {IDEMPOTENCY_KEY} takes 1 to {LONGEST_KEY} characters of ASCII"
            ))
            .into()),
        }
    }
}
