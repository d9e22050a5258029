//! The sums that the rules rest on: where the requests of a window spent their time, and
//! what the writer did in it.

use crate::wire::debug::{OperationTimes, PhaseTimes, Times, Timings, Writer};
use crate::wire::vitals::{Runtime, Statements};

/// Fewer requests than this say nothing about a server.
pub const ENOUGH_REQUESTS: u64 = 20;

/// What the server's pages say.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    /// A window's times.
    pub timings: Timings,
    /// The writer as it is now.
    pub writer: Writer,
    /// The worker threads, of a server that has this page.
    pub runtime: Option<Runtime>,
    /// The statements' plans, of a server that has this page.
    pub statements: Option<Statements>,
}

/// Sums over a window, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// The window itself.
    pub window: f64,
    /// Requests that ended in it.
    pub requests: u64,
    /// Their wall time.
    pub request: f64,
    /// In which a thread worked on them.
    pub busy: f64,
    /// In which they waited for a read connection.
    pub read_wait: f64,
    /// From submitting commands to their replies.
    pub commands: f64,
    /// In which commands waited for the writer to take them up.
    pub queued: f64,
    /// In which commands waited for others of their batch.
    pub beside: f64,
    /// In which commands waited for BEGIN.
    pub begin: f64,
    /// In which commands waited for COMMIT.
    pub commit: f64,
    /// In which the writer began transactions.
    pub begin_cost: f64,
    /// In which it carried out commands.
    pub execute_cost: f64,
    /// In which it committed.
    pub commit_cost: f64,
    /// How much its holding made others wait, see [`weight`].
    pub weight: f64,
    /// Of that, BEGIN.
    pub begin_weight: f64,
    /// Of that, COMMIT.
    pub commit_weight: f64,
}

impl Figures {
    /// Adds up a window. The doctor's own questions are left out.
    pub fn of(timings: &Timings) -> Self {
        let phases = &timings.phases;
        let asked = phases
            .routes
            .iter()
            .filter(|route| !route.route.contains(" /debug"));
        let mut sums = Self {
            window: timings.window_s * 1e6,
            ..Self::default()
        };
        for route in asked {
            sums.requests += route.wall.count;
            sums.request += route.wall.total;
            sums.busy += route.busy.total;
            sums.read_wait += route.read_wait.total;
        }
        for operation in &phases.operations {
            sums.commands += operation.whole.total;
            sums.queued += operation.queue_wait.total;
            sums.beside += operation.batch_wait.total;
            sums.begin += operation.begin_latency.total;
            sums.commit += operation.commit_latency.total;
            sums.begin_cost += operation.begin_cost.total;
            sums.execute_cost += operation.execute.total;
            sums.commit_cost += operation.commit_cost.total;
            let hold = hold(operation);
            sums.weight += weight(operation);
            sums.begin_weight += operation.begin_cost.total * hold;
            sums.commit_weight += operation.commit_cost.total * hold;
        }
        sums
    }

    /// In which the writer was held.
    pub fn held(&self) -> f64 {
        self.begin_cost + self.execute_cost + self.commit_cost
    }

    /// Whether there are requests enough to judge by.
    pub fn are_enough(&self) -> bool {
        self.requests >= ENOUGH_REQUESTS
    }

    /// A time as a part of the requests' time.
    pub fn part(&self, time: f64) -> f64 {
        // Commands outlive requests whose callers went away.
        let whole = self.request.max(self.commands);
        if whole > 0.0 {
            (time / whole).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// The time in the queue that goes back to a part of what the writer did, by its
    /// weight.
    pub fn queued_behind(&self, weight: f64) -> f64 {
        if self.weight > 0.0 {
            self.queued * (weight / self.weight).min(1.0)
        } else {
            0.0
        }
    }

    /// The part of the requests' time that goes back to something that the writer did: in
    /// `own` its commands waited for it, and others in the queue behind it.
    pub fn explained(&self, own: f64, weight: f64) -> f64 {
        self.part(own + self.queued_behind(weight))
    }

    /// The part of requests' time that the writer has to do with.
    pub fn writer_part(&self) -> f64 {
        self.part(self.commands)
    }

    /// The requests' time that no figure accounts for.
    pub fn unaccounted(&self) -> f64 {
        (self.request - self.commands - self.read_wait - self.busy).max(0.0)
    }

    /// The mean time of a request.
    pub fn mean(&self) -> f64 {
        self.request / (self.requests.max(1)) as f64
    }
}

/// What was recorded of something in the background.
pub fn task(phases: &PhaseTimes, name: &str) -> Times {
    let found = phases.tasks.iter().find(|task| task.task == name);
    found.map_or_else(Times::default, |task| task.elapsed.clone())
}

/// The writer's time that an operation used.
pub fn cost(operation: &OperationTimes) -> f64 {
    operation.begin_cost.total + operation.execute.total + operation.commit_cost.total
}

/// How long an operation holds the writer each time, with the others of its batch.
pub fn hold(operation: &OperationTimes) -> f64 {
    operation.begin_latency.mean
        + operation.batch_wait.mean
        + operation.execute.mean
        + operation.commit_latency.mean
}

/// How much an operation makes others wait: who comes while it holds the writer waits for
/// half of that on average, and the longer it holds, the more come. So the time that it
/// used counts times the time that it held.
pub fn weight(operation: &OperationTimes) -> f64 {
    cost(operation) * hold(operation)
}

/// The operation that held the writer longest.
pub fn main_holder(phases: &PhaseTimes) -> Option<&OperationTimes> {
    let operations = phases.operations.iter();
    operations.max_by(|a, b| cost(a).total_cmp(&cost(b)))
}
