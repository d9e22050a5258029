//! Reading the file of users again, without a restart.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde_json::json;

use super::Auth;
use crate::engine::Engine;
use crate::server::error::ApiError;
use crate::wire::auth::ReloadAuthResponse;
use crate::wire::error::ErrorResponse;

/// The route of this noun.
pub fn routes(auth: Auth) -> Router<Engine> {
    Router::new()
        .route("/admin/reload-auth", post(reload_auth))
        .layer(Extension(auth))
}

async fn reload_auth(Extension(auth): Extension<Auth>, engine: Engine) -> Response {
    if let Err(refusal) = engine.require_admin() {
        return ApiError::from(refusal).into_response();
    }
    match auth.reload().await {
        Some(Ok(users)) => Json(ReloadAuthResponse {
            message: format!("the auth file was read again, users: {users}"),
            user_count: users as i64,
        })
        .into_response(),
        Some(Err(why)) => refusal("ReloadFailed", &why),
        None => refusal(
            "NoAuthFile",
            "No auth file configured. Start the server with --auth-file to enable auth reloading.",
        ),
    }
}

fn refusal(kind: &str, message: &str) -> Response {
    let error = json!({"error": kind, "message": message});
    let body = Json(ErrorResponse { error });
    (StatusCode::UNPROCESSABLE_ENTITY, body).into_response()
}
