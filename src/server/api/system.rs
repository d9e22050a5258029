//! Ping and version.

use axum::routing::get;
use axum::{Json, Router};

use crate::engine::Engine;
use crate::wire::API_VERSION;
use crate::wire::system::{PingResponse, VersionResponse};

/// The routes of this noun.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/ping", get(ping))
        .route("/version", get(version))
}

async fn ping() -> Json<PingResponse> {
    Json(PingResponse {
        status: "ok".to_owned(),
    })
}

/// Where access control is enforced, what was built is told to nobody.
async fn version(engine: Engine) -> Json<VersionResponse> {
    let git_hash = option_env!("TORC_GIT_HASH").unwrap_or("unknown");
    Json(VersionResponse {
        version: format!("{} ({git_hash})", env!("CARGO_PKG_VERSION")),
        api_version: Some(API_VERSION.to_owned()),
        git_hash: (!engine.enforces_access()).then(|| git_hash.to_owned()),
    })
}
