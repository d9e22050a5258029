//! tmp
use crate::engine::Engine;
use axum::Router;
/// t
pub fn routes() -> Router<Engine> {
    Router::new()
}
/// t
pub fn bulk_routes() -> Router<Engine> {
    Router::new()
}
