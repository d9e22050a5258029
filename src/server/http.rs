//! The accept loop: every connection is a task with a name.
//!
//! axum's own loop leaves connection tasks unnamed, and tokio-console would show
//! thousands of polls without saying whose. Stopping lets requests finish.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::stalled::Stalled;
use super::tls::Tls;
use crate::shutdown::Shutdown;
use crate::telemetry::task;

/// How long open requests may take after the stop began; closing the database takes
/// some seconds more, and all must be over in ten.
const DRAIN: Duration = Duration::from_secs(6);
/// How long to leave the listener alone when the process is out of file descriptors.
const BREATHER: Duration = Duration::from_millis(50);
/// How long a client may take to send the head of a request, its idle time before
/// included: longer than clients keep a connection in their pools (90 s), or a request
/// would meet a connection that is being closed.
const HEAD: Duration = Duration::from_secs(300);

/// How long a client may leave untaken what it is sent, unless configured otherwise.
pub const WRITE: Duration = Duration::from_secs(60);

/// What connections are served with.
#[derive(Clone)]
pub struct Serving {
    /// Answers.
    pub router: Router,
    /// Makes connections secure, where they are to be.
    pub tls: Option<Tls>,
    /// How long a client may leave an answer untaken before it is cut off.
    pub write: Duration,
    /// The stop.
    pub shutdown: Shutdown,
}

/// Serves until the stop begins, then lets open requests finish.
pub async fn serve(listener: TcpListener, how: Serving) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = how.shutdown.begun() => break,
        };
        match accepted {
            Ok((stream, peer)) => connect(stream, peer, &how, &graceful),
            // Gone before it was accepted: its problem, not ours.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
    drop(listener);
    let open = graceful.count();
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(open, "requests were still open when the server stopped");
    }
}

fn connect(stream: TcpStream, peer: SocketAddr, how: &Serving, graceful: &GracefulShutdown) {
    // Answers are small and clients wait for them.
    let _ = stream.set_nodelay(true);
    let stream = Stalled::new(stream, how.write);
    let watcher = graceful.watcher();
    let router = how.router.clone();
    let Some(tls) = how.tls.clone() else {
        task::spawn("http-connection", talk(stream, peer, router, watcher));
        return;
    };
    let shutdown = how.shutdown.clone();
    // Not in the loop: a client that is slow about it keeps nobody else waiting.
    task::spawn("https-connection", async move {
        let secured = tokio::select! {
            secured = tls.accept(stream) => secured,
            // Nothing was asked yet.
            () = shutdown.begun() => return,
        };
        match secured {
            Ok(stream) => talk(stream, peer, router, watcher).await,
            Err(error) => tracing::debug!(%peer, "no TLS connection came about: {error}"),
        }
    });
}

/// Answers what comes over a connection, until it ends.
async fn talk<S>(stream: S, peer: SocketAddr, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%peer, "a connection ended early: {error}");
    }
}
