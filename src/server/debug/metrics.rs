//! `/metrics`: the page for Prometheus. `telemetry/metrics.rs` writes it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Telemetry;
use crate::engine::Engine;
use crate::server::answers::Answers;
use crate::server::bodies::Bodies;
use crate::telemetry::metrics::{Around, Format, page};
use crate::telemetry::{resource, task};

/// How long a scrape waits for the one before it; a collector waits as long for an answer.
const TURN: Duration = Duration::from_secs(10);
/// How long counting the jobs may take, the wait for a read connection included.
const COUNT: Duration = Duration::from_secs(2);

/// Where a page has its figures from.
pub struct Sources {
    /// The room of large answers.
    pub answers: Answers,
    /// The room of request bodies.
    pub bodies: Bodies,
}

/// What the handler needs.
struct Scraper {
    telemetry: Telemetry,
    sources: Sources,
    turn: Arc<Mutex<()>>,
}

/// The page.
pub fn routes(telemetry: Telemetry, sources: Sources) -> Router<Engine> {
    let scraper = Arc::new(Scraper {
        telemetry,
        sources,
        // Not in tokio-console: hardly ever does somebody wait for it.
        turn: resource::unseen(|| Arc::new(Mutex::new(()))),
    });
    let scrape = move |State(engine): State<Engine>, headers: HeaderMap| async move {
        scraper.scrape(&engine, &headers).await
    };
    Router::new().route("/metrics", get(scrape))
}

impl Scraper {
    /// In OpenMetrics for those who accept it, else in Prometheus' older text format.
    async fn scrape(&self, engine: &Engine, headers: &HeaderMap) -> Response {
        let Ok(turn) = timeout(TURN, Arc::clone(&self.turn).lock_owned()).await else {
            let refusal = "another scrape is still being answered; scrape less often\n";
            return (StatusCode::SERVICE_UNAVAILABLE, refusal).into_response();
        };
        let accept = headers.get_all(header::ACCEPT).iter();
        let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
        let format = Format::accepted(&accept.join(","));
        let around = self.around(engine).await;
        let telemetry = self.telemetry.clone();
        let made = task::spawn_blocking("metrics-page", move || {
            // Until the page is made, also when its asker goes away.
            let _turn = turn;
            page(telemetry.as_ref(), around, format)
        });
        match made.await {
            Ok(Ok(page)) => {
                let kind = HeaderValue::from_static(format.content_type());
                ([(header::CONTENT_TYPE, kind)], page).into_response()
            }
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        }
    }

    async fn around(&self, engine: &Engine) -> Around {
        // Left out when all connections are lent for long: the rest matters then.
        let jobs = match timeout(COUNT, engine.count_jobs()).await {
            Ok(Ok(jobs)) => Some(jobs),
            Ok(Err(error)) => {
                tracing::debug!("metrics without jobs: {error}");
                None
            }
            Err(_elapsed) => None,
        };
        Around {
            jobs,
            event_streams: engine.events().listeners(),
            body_bytes: self.sources.bodies.taken(),
            body_bytes_most: self.sources.bodies.all(),
            answer_bytes: self.sources.answers.taken(),
            answer_bytes_most: self.sources.answers.all(),
            answers_refused: self.sources.answers.refused(),
        }
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!("the metrics page failed: {error}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
