//! tokio-console's layer and server, made safe to leave on.
//!
//! Three things keep its memory flat (measured in docs/telemetry.md):
//!
//! - The server's *aggregator runs outside of tokio's cooperative budget*. Inside of it
//!   (as `Server::serve` and `Builder::spawn` run it) it takes 128 events at a time and
//!   then believes that its queue is empty, so events, each with the histograms of a
//!   task, pile up in the queue for good, whatever the retention says.
//! - A [gate](super::gate) holds back tasks that nobody named, and limits how many
//!   resources and operations get through.
//! - Smaller histograms, a shorter queue, and half a minute of retention.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use console_subscriber::{ConsoleLayer, Server};
use tonic::transport::server::TcpIncoming;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::Layer;

use super::BoxedLayer;
use super::gate;

/// How long what has ended stays visible. What may accumulate in that time is limited
/// by the gate.
pub const RETENTION: Duration = Duration::from_secs(30);

/// Each task carries two histograms up to this long; longer polls count as outliers.
const LONGEST_POLL: Duration = Duration::from_millis(20);

/// Events between two looks of the aggregator; it is woken early at half of them.
const EVENT_BUFFER: usize = 16 * 1024;

/// Updates, one a second, that a client may be behind before it is dropped; the usual
/// 4,096 would let a suspended tokio-console hold a gigabyte.
const CLIENT_BUFFER: usize = 32;

/// The layer, with its server listening at `bind`, and the address it got.
///
/// # Errors
///
/// A sentence for the log, if the address cannot be had (another server has it) or no
/// thread can be started. Nothing runs then.
pub fn layer(bind: SocketAddr) -> Result<(BoxedLayer, SocketAddr), String> {
    // Bound here and handed over, so that there is no moment between looking and taking.
    let (listener, address) = TcpListener::bind(bind)
        .and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        })
        .map_err(|error| {
            format!(
                "tokio-console is off: cannot listen on {bind} ({error}); \
                 --console-bind takes another address, --no-console switches it off"
            )
        })?;
    let (layer, server) = ConsoleLayer::builder()
        .retention(RETENTION)
        .event_buffer_capacity(EVENT_BUFFER)
        .client_buffer_capacity(CLIENT_BUFFER)
        .poll_duration_histogram_max(LONGEST_POLL)
        .scheduled_duration_histogram_max(LONGEST_POLL)
        .build();
    std::thread::Builder::new()
        .name("tokio-console-server".to_owned())
        .spawn(move || {
            // It must not observe itself: each event of its own would make more of them.
            let _silence = tracing::subscriber::set_default(NoSubscriber::default());
            if let Err(error) = serve(server, listener) {
                // This thread has no log, and nobody may read standard error.
                let _ = writeln!(io::stderr(), "tokio-console's server ended: {error}");
            }
        })
        .map_err(|error| format!("tokio-console is off: no thread for it ({error})"))?;
    let (gate, filter) = gate::around(layer);
    Ok((gate.with_filter(filter).boxed(), address))
}

/// Serves until the process ends, on a runtime of its own.
fn serve(server: Server, listener: TcpListener) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let parts = server.into_parts();
    runtime.block_on(async move {
        let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?);
        let aggregate = tokio::task::unconstrained(parts.aggregator.run());
        let serve = tonic::transport::Server::builder()
            .add_service(parts.instrument_server)
            .serve_with_incoming(incoming);
        tokio::select! {
            () = aggregate => Ok(()),
            served = serve => served.map_err(Into::into),
        }
    })
}
