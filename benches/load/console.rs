//! Listens to our server as tokio-console does, so that its cost under a live console
//! can be measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use console_api::instrument::InstrumentRequest;
use console_api::instrument::instrument_client::InstrumentClient;
use tokio::task::JoinHandle;
use torc_server::telemetry::task;

use super::Outcome;
use super::args::{Common, ConsoleState};
use super::report::Report;
use super::server::Server;

/// A console that is attached.
pub struct Console {
    task: JoinHandle<()>,
    updates: Arc<AtomicU64>,
}

/// Attaches, if the flags want it.
pub fn attach(server: &Server, flags: &Common) -> Outcome<Option<Console>> {
    if flags.console != ConsoleState::Attached {
        return Ok(None);
    }
    let address = address(server).ok_or("the server did not say where tokio-console connects")?;
    let updates = Arc::new(AtomicU64::new(0));
    let task = task::spawn("console-listener", {
        let updates = Arc::clone(&updates);
        async move {
            if let Err(error) = listen(&address, &updates).await {
                eprintln!("load: the console ended: {error}");
            }
        }
    });
    Ok(Some(Console { task, updates }))
}

impl Console {
    /// Detaches, and notes in the report how much was heard.
    ///
    /// # Errors
    ///
    /// Nothing was: the run says nothing about a server with a console then.
    pub fn noted(self, mut report: Report) -> Outcome<Report> {
        self.task.abort();
        let updates = self.updates.load(Ordering::Relaxed);
        if updates == 0 {
            return Err("the console heard nothing".into());
        }
        let name = "console_updates".to_owned();
        report.extras.insert(name, updates as f64);
        Ok(report)
    }
}

/// Where the console listens, as the server logs it soon after its start.
fn address(server: &Server) -> Option<String> {
    for _ in 0..50 {
        let log = server.log();
        let line = log
            .lines()
            .find(|line| line.contains("tokio-console can connect"));
        if let Some((_, rest)) = line.and_then(|line| line.split_once("address=")) {
            return Some(rest.trim().to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

async fn listen(address: &str, heard: &AtomicU64) -> Outcome<()> {
    let client = InstrumentClient::connect(format!("http://{address}")).await?;
    let mut client = client.max_decoding_message_size(usize::MAX);
    let updates = client.watch_updates(InstrumentRequest {}).await?;
    let mut updates = updates.into_inner();
    while updates.message().await?.is_some() {
        heard.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
