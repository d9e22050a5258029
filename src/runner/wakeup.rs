//! When to ask the server again: what the event stream tells, gathered and spread out.
//!
//! Ten workers hear of the same ready job in the same moment. Each waits a few
//! milliseconds of its own luck, and what comes meanwhile adds nothing.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::{Client, EventStream, StreamItem};
use crate::wire::WorkflowId;
use crate::wire::events::{JOBS_READY, Severity};

/// The longest wait before asking for jobs that have become ready.
const CLAIM_SPREAD: Duration = Duration::from_millis(20);
/// The longest wait before asking how the workflow stands, after somebody's job has ended.
const CHECK_SPREAD: Duration = Duration::from_millis(250);
/// The waits before the stream is opened again, doubled up to the second one.
const REOPEN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wake {
    /// Jobs may be had.
    pub(super) claim: bool,
    /// The workflow may be over.
    pub(super) check: bool,
    /// Events were missed, so that counts by events are off.
    pub(super) missed: bool,
    /// Jobs that ended, here or elsewhere, since the last time.
    pub(super) ended: u64,
}

/// Follows the stream, for ever; opens it again when it breaks.
pub(super) async fn run(client: Client, workflow_id: WorkflowId, wakes: mpsc::Sender<Wake>) {
    let mut wait = REOPEN.0;
    loop {
        match client.events(workflow_id, Severity::Debug).await {
            Ok(stream) => {
                wait = REOPEN.0;
                if follow(stream, &wakes).await.is_err() {
                    return;
                }
                tracing::debug!("the event stream ended");
            }
            Err(error) => tracing::debug!(%error, "no event stream"),
        }
        tokio::time::sleep(wait.mul_f64(fastrand::f64())).await;
        wait = (wait * 2).min(REOPEN.1);
    }
}

/// Nobody listens any more.
struct Unheard;

/// Follows one stream to its end.
async fn follow(mut stream: EventStream, wakes: &mpsc::Sender<Wake>) -> Result<(), Unheard> {
    let mut gathered = Gathered::default();
    // What happened before the stream was open was not heard.
    gathered.note(missed(), Instant::now(), fastrand::f64());
    loop {
        let due = gathered.due;
        tokio::select! {
            item = stream.next() => match item {
                Ok(Some(item)) => {
                    gathered.note(meaning(&item), Instant::now(), fastrand::f64());
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "the event stream broke");
                    return Ok(());
                }
            },
            () = sleep_until(due) => {
                wakes.send(gathered.take()).await.map_err(|_| Unheard)?;
            }
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn missed() -> Wake {
    Wake {
        claim: true,
        check: true,
        missed: true,
        ended: 0,
    }
}

/// What an item of the stream means to a worker.
fn meaning(item: &StreamItem) -> Wake {
    let StreamItem::Event(event) = item else {
        return missed();
    };
    let mut wake = Wake::default();
    match event.event_type.as_str() {
        JOBS_READY => wake.claim = true,
        "job_completed" | "job_failed" | "job_terminated" | "job_canceled"
        | "job_pending_failed" => {
            wake.check = true;
            wake.ended = 1;
        }
        // Started again or canceled: everything may be different.
        kind if kind.starts_with("workflow_") => {
            wake.claim = true;
            wake.check = true;
            wake.missed = true;
        }
        _ => {}
    }
    wake
}

/// What has been heard and not been acted upon.
#[derive(Debug, Default)]
struct Gathered {
    wake: Wake,
    due: Option<Instant>,
}

impl Gathered {
    /// Adds to what there is to do; `luck` from 0 to 1 spreads workers out.
    ///
    /// Only what is new draws a time: in a flood of events the least of many draws
    /// would be no wait at all.
    fn note(&mut self, wake: Wake, now: Instant, luck: f64) {
        let spread = if wake.claim && !self.wake.claim {
            Some(CLAIM_SPREAD)
        } else if wake != Wake::default() && self.due.is_none() {
            Some(CHECK_SPREAD)
        } else {
            None
        };
        if let Some(spread) = spread {
            let due = now + spread.mul_f64(luck);
            self.due = Some(self.due.map_or(due, |before| before.min(due)));
        }
        self.wake.claim |= wake.claim;
        self.wake.check |= wake.check;
        self.wake.missed |= wake.missed;
        self.wake.ended += wake.ended;
    }

    fn take(&mut self) -> Wake {
        self.due = None;
        std::mem::take(&mut self.wake)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::{CHECK_SPREAD, CLAIM_SPREAD, Gathered, StreamItem, Wake, meaning, missed};
    use crate::wire::events::{Severity, StreamEvent};

    fn of(kind: &str) -> Wake {
        meaning(&StreamItem::Event(StreamEvent {
            workflow_id: 1,
            timestamp: 0,
            event_type: kind.to_owned(),
            severity: Severity::Info,
            data: serde_json::Value::Null,
        }))
    }

    #[test]
    fn what_events_mean() {
        assert!(of("jobs_ready").claim && !of("jobs_ready").check);
        assert!(of("job_completed").check && !of("job_completed").claim);
        assert_eq!(of("job_failed").ended, 1);
        assert_eq!(of("job_started"), Wake::default());
        assert!(of("workflow_reinitialized").claim && of("workflow_canceled").check);
        assert_eq!(meaning(&StreamItem::Dropped(3)), missed());
    }

    proptest! {
        /// Nothing heard waits longer than its spread, and nothing is lost or counted twice.
        #[test]
        fn every_note_is_acted_upon_in_time(
            notes in proptest::collection::vec((0_u64..100, any::<bool>(), 0.0..1.0_f64), 1..50),
        ) {
            let mut gathered = Gathered::default();
            let mut now = Instant::now();
            let mut waiting: Vec<Instant> = Vec::new();
            let (mut noted, mut heard) = (0, 0);
            for (pause, claim, luck) in notes {
                now += Duration::from_millis(pause);
                if let Some(due) = gathered.due.filter(|due| *due <= now) {
                    prop_assert!(waiting.drain(..).all(|latest| due <= latest));
                    heard += gathered.take().ended;
                }
                gathered.note(Wake { claim, ended: 1, ..Wake::default() }, now, luck);
                noted += 1;
                waiting.push(now + if claim { CLAIM_SPREAD } else { CHECK_SPREAD });
            }
            prop_assert!(gathered.due.is_some_and(|due| waiting.iter().all(|latest| due <= *latest)));
            heard += gathered.take().ended;
            prop_assert_eq!(heard, noted);
            prop_assert_eq!(gathered.take(), Wake::default());
        }
    }
}
