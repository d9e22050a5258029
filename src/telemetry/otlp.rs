//! Traces for OpenTelemetry: finished requests, exported by OTLP from a thread beside the
//! server.
//!
//! Whether a request is exported is decided when it has ended: it was sampled, by its
//! caller or by our share, or it was slow (`--slow`). So slow ones are there whatever the share is. A
//! collector that is slow or dead costs requests nothing: what does not fit into the queue
//! is dropped and counted.

mod send;
mod spans;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::dispatcher::{self, Dispatch};

use self::send::{SendError, Sender};
use self::spans::Epoch;
use super::request::{self, BACKGROUND, Finished};
use super::slow;
use super::told::micros;
use crate::clock::Tick;
use crate::config::otlp::{OtlpConfig, Sampler};

/// Tries of one export that may yet go well.
const TRIES: u32 = 4;
/// Before the second try; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the last export may take when the server ends.
const LAST: Duration = Duration::from_secs(2);

static EXPORTER: OnceLock<Exporter> = OnceLock::new();

struct Exporter {
    /// Where to, without a password.
    url: String,
    sampler: Sampler,
    queue: SyncSender<Message>,
    counts: Counts,
    now: Mutex<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How exporting goes.
#[derive(Default)]
struct State {
    /// The collector did not take the last export.
    failing: bool,
    /// Since when it has been asked to take one, tries before this included.
    sending: Option<Tick>,
    /// When a request was last dropped or given up.
    lost: Option<Tick>,
}

#[derive(Default)]
struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

enum Message {
    Request(Arc<Finished>),
    End,
}

/// What became of the requests that were to be exported, since the start, and how it goes
/// now. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct OtlpReport {
    /// The collector.
    pub url: String,
    /// Taken by the collector.
    pub exported: u64,
    /// Not even tried, because the queue was full.
    pub dropped: u64,
    /// Refused, or not taken in time.
    pub failed: u64,
    /// The collector did not take the last export.
    pub failing: bool,
    /// For how long it has been asked to take the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sending_for_us: Option<f64>,
    /// How long ago a request was last dropped or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_ago_us: Option<f64>,
}

/// Starts to export, once for the process.
///
/// # Errors
///
/// A text for the user: the configuration cannot be used, or there is no thread to be had.
pub fn start(config: OtlpConfig, dispatch: Dispatch) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let sender = {
        let _inside = runtime.enter();
        // Nothing that the exporter does is itself seen.
        dispatcher::with_default(&Dispatch::none(), || Sender::new(&config))?
    };
    let (queue, inbox) = sync_channel(config.queue);
    let sampler = config.sampler;
    let exporter = Exporter {
        url: config.url.to_string(),
        sampler,
        queue,
        counts: Counts::default(),
        now: Mutex::default(),
        thread: Mutex::new(None),
    };
    if EXPORTER.set(exporter).is_err() {
        return Ok(());
    }
    let thread = std::thread::Builder::new()
        .name("torc-otlp".to_owned())
        .spawn(move || {
            let quiet = Dispatch::none();
            let mut work = Work {
                config,
                sender,
                dispatch,
                failing: false,
            };
            dispatcher::with_default(&quiet, || runtime.block_on(work.serve(&inbox)));
        })
        .map_err(|error| error.to_string())?;
    if let Some(exporter) = EXPORTER.get() {
        let mut place = exporter
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *place = Some(thread);
    }
    request::on_finish(offer);
    Ok(())
}

/// Exports what is queued, for two seconds at most, and ends the thread.
pub fn stop() {
    let Some(exporter) = EXPORTER.get() else {
        return;
    };
    let thread = exporter
        .thread
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some(thread) = thread else { return };
    let end = Instant::now() + LAST;
    // A full queue means that the collector does not keep up: it has until the end.
    while let Err(TrySendError::Full(_)) = exporter.queue.try_send(Message::End) {
        if Instant::now() > end {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    while !thread.is_finished() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What became of the requests so far; nothing where nothing is exported.
pub fn report() -> Option<OtlpReport> {
    let exporter = EXPORTER.get()?;
    let counts = &exporter.counts;
    let since = |then: Option<Tick>| then.map(|then| micros(then.elapsed()));
    let now = exporter.now();
    Some(OtlpReport {
        url: exporter.url.clone(),
        failing: now.failing,
        sending_for_us: since(now.sending),
        lost_ago_us: since(now.lost),
        exported: counts.exported.load(Ordering::Relaxed),
        dropped: counts.dropped.load(Ordering::Relaxed),
        failed: counts.failed.load(Ordering::Relaxed),
    })
}

fn offer(finished: &Finished) {
    let Some(exporter) = EXPORTER.get() else {
        return;
    };
    if !is_wanted(exporter.sampler, finished) {
        return;
    }
    let message = Message::Request(Arc::new(finished.clone()));
    if exporter.queue.try_send(message).is_err() {
        exporter.counts.dropped.fetch_add(1, Ordering::Relaxed);
        exporter.now().lost = Some(Tick::now());
    }
}

impl Exporter {
    fn now(&self) -> MutexGuard<'_, State> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_wanted(sampler: Sampler, finished: &Finished) -> bool {
    if finished.route == BACKGROUND {
        return false;
    }
    if slow::is_slow(finished) {
        return true;
    }
    match finished.parent {
        Some(parent) if sampler.parent_based => parent.sampled,
        // The same for all requests of a trace (SDK specification, TraceIdRatioBased).
        Some(parent) => (parent.trace_id as u64) as f64 <= sampler.share * u64::MAX as f64,
        None => sampler.share >= 1.0 || fastrand::f64() < sampler.share,
    }
}

/// What the thread has.
struct Work {
    config: OtlpConfig,
    sender: Sender,
    /// For what it says itself.
    dispatch: Dispatch,
    failing: bool,
}

impl Work {
    async fn serve(&mut self, inbox: &Receiver<Message>) {
        loop {
            let (batch, ended) = self.gather(inbox);
            if !batch.is_empty() {
                let tries = if ended { 1 } else { TRIES };
                self.export(&batch, tries).await;
            }
            if ended {
                return;
            }
        }
    }

    /// The next requests: as many as fit, or what came until the first has waited enough.
    fn gather(&self, inbox: &Receiver<Message>) -> (Vec<Arc<Finished>>, bool) {
        let mut batch = Vec::new();
        let Ok(Message::Request(first)) = inbox.recv() else {
            return (batch, true);
        };
        let end = Instant::now() + self.config.delay;
        batch.push(first);
        while batch.len() < self.config.batch {
            let left = end.saturating_duration_since(Instant::now());
            match inbox.recv_timeout(left) {
                Ok(Message::Request(next)) => batch.push(next),
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return (batch, true),
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        (batch, false)
    }

    async fn export(&mut self, batch: &[Arc<Finished>], tries: u32) {
        let Some(exporter) = EXPORTER.get() else {
            return;
        };
        let requests = batch.iter().map(|finished| &**finished);
        let export = spans::export(requests, &self.config.resource, Epoch::now());
        let mut pause = PAUSE;
        exporter.now().sending = Some(Tick::now());
        for nth in 1..=tries {
            match self.sender.send(&export).await {
                Ok(()) => {
                    let count = batch.len() as u64;
                    exporter.counts.exported.fetch_add(count, Ordering::Relaxed);
                    let mut now = exporter.now();
                    (now.failing, now.sending) = (false, None);
                    drop(now);
                    self.works();
                    return;
                }
                Err(error) if error.transient && nth < tries => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => {
                    let count = batch.len() as u64;
                    exporter.counts.failed.fetch_add(count, Ordering::Relaxed);
                    *exporter.now() = State {
                        failing: true,
                        sending: None,
                        lost: Some(Tick::now()),
                    };
                    self.fails(&error);
                    return;
                }
            }
        }
    }

    /// Said once, until it works again.
    fn fails(&mut self, error: &SendError) {
        if !std::mem::replace(&mut self.failing, true) {
            let url = &self.config.url;
            let reason = &error.reason;
            dispatcher::with_default(&self.dispatch, || {
                tracing::warn!(
                    "traces do not reach {url}: {reason}; they are dropped and counted until \
                     they do"
                );
            });
        }
    }

    fn works(&mut self) {
        if std::mem::replace(&mut self.failing, false) {
            let url = &self.config.url;
            dispatcher::with_default(&self.dispatch, || {
                tracing::info!("traces reach {url} again");
            });
        }
    }
}
