//! The sweep that repairs: endings that a program other than this server wrote
//! down without releasing what waited on them.
//!
//! Our own endings release their dependents in the same transaction, so the
//! interval of the published server drives only this.

use std::time::Duration;

use super::release::decide_blocked;
use super::{Engine, EngineError};
use crate::store::{Command, Effects, WriteTx, graph, workflows};

struct Sweep;

impl Command for Sweep {
    const NAME: &'static str = "sweep";
    type Reply = usize;
    type Error = EngineError;

    fn apply(self, tx: &WriteTx<'_>, effects: &mut Effects) -> Result<usize, EngineError> {
        let mut processed = 0;
        for workflow_id in graph::unprocessed_workflows(tx)? {
            let Some(mut state) = workflows::state(tx, workflow_id)? else {
                continue;
            };
            let ended = graph::unprocessed_results(tx, workflow_id, state.run_id)?;
            if ended.is_empty() {
                // Ended without a result in this run: releases nobody by itself.
                continue;
            }
            state.has_failures |= ended.iter().any(|(_, failed)| *failed);
            workflows::set_failures(tx, workflow_id, state.has_failures)?;
            // For actions they count already: Torc does that when it records an ending, and
            // leaves only what the ending releases for later.
            decide_blocked(tx, effects, workflow_id, &state, Vec::new())?;
            for (job_id, _) in &ended {
                graph::mark_processed(tx, *job_id)?;
            }
            processed += ended.len();
        }
        Ok(processed)
    }

    fn alone(&self) -> bool {
        true
    }
}

impl Engine {
    /// Sweeps now and then every `interval`, until the future is dropped.
    pub async fn sweep_every(&self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.submit(Sweep).await {
                Ok(0) => {}
                Ok(jobs) => tracing::info!(jobs, "released what waited on jobs ended elsewhere"),
                Err(error) => tracing::warn!("the sweep was put off: {error}"),
            }
        }
    }
}
