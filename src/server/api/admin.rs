//! What administrators ask: SQL and its log.

use axum::extract::Query;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Answer, answer};
use crate::engine::Engine;
use crate::wire::admin::{AdminAuditLogEntry, AdminSqlRequest, AdminSqlResponse, AuditLogQuery};
use crate::wire::object::Object;
use crate::wire::page::Page;

/// The routes of administration.
pub fn routes() -> Router<Engine> {
    Router::new()
        .route("/admin/sql", post(sql))
        .route("/admin/audit-log", get(audit_log))
}

async fn sql(
    engine: Engine,
    Json(Object(request)): Json<Object<AdminSqlRequest>>,
) -> Answer<AdminSqlResponse> {
    answer(engine.admin_sql(request).await)
}

async fn audit_log(
    engine: Engine,
    Query(query): Query<AuditLogQuery>,
) -> Answer<Page<AdminAuditLogEntry>> {
    answer(engine.list_admin_audit_log(query).await)
}
