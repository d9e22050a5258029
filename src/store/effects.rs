//! What the world hears of a change once it is committed, as data.

use crate::clock;
use crate::wire::events::{JOBS_READY, Severity, StreamEvent};

/// Collected by commands, performed by the writer after the commit.
#[derive(Debug, Default)]
pub struct Effects {
    events: Vec<StreamEvent>,
}

impl Effects {
    /// Streams an event of a workflow.
    pub fn event(
        &mut self,
        workflow_id: i64,
        event_type: &str,
        severity: Severity,
        data: serde_json::Value,
    ) {
        self.events.push(StreamEvent {
            workflow_id,
            timestamp: clock::now_ms(),
            event_type: event_type.to_owned(),
            severity,
            data,
        });
    }

    /// Tells waiting workers that `count` jobs of a workflow became claimable.
    pub fn wake_claimers(&mut self, workflow_id: i64, count: usize) {
        if count > 0 {
            self.event(
                workflow_id,
                JOBS_READY,
                Severity::Debug,
                serde_json::json!({ "count": count }),
            );
        }
    }

    /// Adds what a later command of the batch collected.
    pub(super) fn append(&mut self, mut later: Self) {
        self.events.append(&mut later.events);
    }

    /// The events in the order in which they happened.
    pub fn into_events(self) -> Vec<StreamEvent> {
        self.events
    }
}
