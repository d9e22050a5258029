//! All routes, the limits of bodies, and the headers that every answer carries.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::answers::{self, Answers};
use super::auth::{self, Auth};
use super::bodies::{self, Bodies};
use super::recorded::recorded;
use super::traffic::{self, Traffic};
use super::{api, debug, events, openapi};
use crate::engine::Engine;
use crate::shutdown::Shutdown;
use crate::telemetry::TelemetryHandle;
use crate::wire::BASE_PATH;

const SPAN_ID: HeaderName = HeaderName::from_static("x-span-id");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const DENY: HeaderValue = HeaderValue::from_static("DENY");

/// Bytes of a bulk request at most, unless configured otherwise.
pub const BULK_BODY_BYTES: usize = 200 << 20;
/// Bytes of any other request; axum's own default, which the contract inherits.
const BODY_BYTES: usize = 2 << 20;

/// What requests and answers may take.
pub struct Bounds {
    /// Bytes of a bulk request at most.
    pub bulk_body_bytes: usize,
    /// Bytes of a body that administrators are shown in the stream of requests.
    pub shown_body_bytes: usize,
    /// The room for large answers.
    pub answers: Answers,
}

/// Everything the server answers.
pub fn router(
    engine: Engine,
    telemetry: Option<TelemetryHandle>,
    shutdown: Shutdown,
    bounds: &Bounds,
    auth: Auth,
) -> Router {
    let bulk_body_bytes = bounds.bulk_body_bytes;
    let traffic = Traffic::new(bounds.shown_body_bytes);
    let bulk = Router::new()
        .merge(api::jobs::bulk_routes())
        .merge(api::files::bulk_routes())
        .merge(api::user_data::bulk_routes())
        .layer(DefaultBodyLimit::max(bulk_body_bytes));
    // A body without a declared length may turn out as large as the largest.
    let bodies = Bodies::new(bulk_body_bytes.max(BODY_BYTES));
    let api = Router::new()
        .merge(api::access_groups::routes())
        .merge(api::admin::routes())
        .merge(api::claims::routes())
        .merge(api::compute_nodes::routes())
        .merge(api::events::routes())
        .merge(api::failure_handlers::routes())
        .merge(api::files::routes())
        .merge(api::job_runs::routes())
        .merge(api::jobs::routes())
        .merge(api::local_schedulers::routes())
        .merge(api::relationships::routes())
        .merge(api::remote_workers::routes())
        .merge(api::resource_requirements::routes())
        .merge(api::results::routes())
        .merge(api::ro_crate_entities::routes())
        .merge(api::scheduled_compute_nodes::routes())
        .merge(api::slurm_schedulers::routes())
        .merge(api::slurm_stats::routes())
        .merge(api::system::routes())
        .merge(api::tasks::routes())
        .merge(api::user_data::routes())
        .merge(api::workflow_actions::routes())
        .merge(api::workflow_runs::routes())
        .merge(api::workflows::routes())
        .merge(openapi::routes())
        .merge(events::routes(shutdown.clone()))
        .merge(traffic::stats::routes(traffic.clone()))
        .merge(traffic::stream::routes(traffic.clone(), shutdown.clone()))
        .merge(auth::reload::routes(auth.clone()))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .merge(bulk)
        .layer(middleware::from_fn_with_state(
            (bounds.answers.clone(), engine.clone()),
            answers::bounded,
        ))
        .layer(middleware::from_fn_with_state(
            bodies.clone(),
            bodies::bounded,
        ));
    let sources = debug::metrics::Sources {
        answers: bounds.answers.clone(),
        bodies,
    };
    let all = Router::new()
        .nest(BASE_PATH, api)
        .route("/", get(front))
        .route("/dashboard", get(front))
        .route("/dashboard/", get(front))
        .merge(debug::routes(&engine, telemetry, shutdown, sources))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED });
    // Each layer costs every request a little; this one only where it does something.
    let all = if auth.asks() {
        all.layer(middleware::from_fn_with_state(auth, auth::identified))
    } else {
        all
    };
    all.layer(middleware::from_fn(headers))
        .layer(middleware::from_fn_with_state(traffic, recorded))
        .with_state(engine)
}

async fn front() -> impl IntoResponse {
    Html(concat!(
        "<!doctype html><title>torc-server</title><link rel=\"icon\" href=\"data:,\"><h1>torc-server ",
        env!("CARGO_PKG_VERSION"),
        "</h1><p>The API is under <code>/torc-service/v1</code>; \
         <a href=\"/debug/\">/debug/</a> shows where its time goes.</p>",
    ))
}

/// Gives every answer the headers of the contract.
async fn headers(request: Request, next: Next) -> Response {
    let given = request.headers().get(SPAN_ID).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let span_id = given.or_else(|| HeaderValue::from_str(&fastrand::u64(..).to_string()).ok());
    if let Some(span_id) = span_id {
        headers.insert(SPAN_ID, span_id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::X_FRAME_OPTIONS, DENY);
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // The body stays unread, so the connection cannot be used again.
        response.headers_mut().insert(header::CONNECTION, CLOSE);
    }
    response
}
