//! What handlers take from a request. Path, query and body are axum's own
//! extractors: their plain-text refusals are the contract's, word for word.

use std::convert::Infallible;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::engine::{Caller, Engine, EngineError};
use crate::wire::IDEMPOTENCY_KEY;
use crate::wire::object::Object;

impl FromRequestParts<Engine> for Engine {
    type Rejection = Infallible;

    /// The engine on behalf of whom the request comes from. A handler that takes the router's
    /// state instead acts for nobody in particular.
    async fn from_request_parts(parts: &mut Parts, engine: &Self) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(engine.on_behalf_of(caller.unwrap_or_default()))
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

/// A body of many items. axum's own extractor notes the path to every value on its way, for
/// the text of a refusal; here that is done only for a body that is refused.
pub struct ManyJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ManyJson<T> {
    type Rejection = JsonRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, JsonRejection> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if kind.is_none_or(|kind| kind != "application/json") {
            // Spelt in another way, or something else: axum knows.
            return Json::from_request(request, state)
                .await
                .map(|Json(Object(items))| Self(items));
        }
        let bytes = Bytes::from_request(request, state).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Object(items)) => Ok(Self(items)),
            Err(_refused) => Json::from_bytes(&bytes).map(|Json(Object(items))| Self(items)),
        }
    }
}
