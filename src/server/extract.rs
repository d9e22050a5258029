//! What handlers take from a request. Path, query and body are axum's own
//! extractors: their plain-text refusals are the contract's, word for word.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::engine::Caller;
use crate::wire::IDEMPOTENCY_KEY;

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    /// Everybody is anonymous until the server can tell callers apart.
    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::default())
    }
}

/// The name under which a client may repeat a request, from its `Idempotency-Key` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for RequestKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let key = parts
            .headers
            .get(IDEMPOTENCY_KEY)
            .and_then(|value| value.to_str().ok())
            .filter(|key| !key.is_empty() && key.len() <= 200)
            .map(str::to_owned);
        Ok(Self(key))
    }
}
