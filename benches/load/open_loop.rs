//! Arrivals at fixed times, whatever the server does (open loop).
//!
//! A reader that waits for its answer before it asks again measures one slow answer
//! where a thousand people would have waited. Here each call has the time at which it
//! was due, and its latency counts from then: a stall counts for all it delays.

use std::time::{Duration, Instant};

/// Times at which calls are due.
pub struct Arrivals {
    due: Instant,
    mean: Duration,
    random: Option<fastrand::Rng>,
}

/// A call that is due.
pub struct Due {
    /// From when its latency counts.
    pub since: Instant,
    /// How late this client was by its own fault.
    pub late: Duration,
}

impl Arrivals {
    /// Calls that come on average every `mean`, by chance (a Poisson process).
    pub fn by_chance(mean: Duration, seed: u64) -> Self {
        let mut arrivals = Self {
            due: Instant::now(),
            mean,
            random: Some(fastrand::Rng::with_seed(seed)),
        };
        arrivals.advance();
        arrivals
    }

    /// Calls that come every `mean`, the first after `offset`.
    pub fn regular(mean: Duration, offset: Duration) -> Self {
        Self {
            due: Instant::now() + offset,
            mean,
            random: None,
        }
    }

    /// When the next call is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    fn advance(&mut self) {
        let factor = match &mut self.random {
            Some(random) => -(1.0 - random.f64()).ln(),
            None => 1.0,
        };
        self.due += self.mean.mul_f64(factor);
    }

    /// Waits until the next call is due.
    ///
    /// If it was due while the caller waited for an answer, it counts from when it was
    /// due. Otherwise it counts from now: timers fire up to two milliseconds late, and
    /// that is no fault of the server.
    pub async fn next(&mut self) -> Due {
        let due = self.due;
        self.advance();
        let now = Instant::now();
        if due <= now {
            return Due {
                since: due,
                late: Duration::ZERO,
            };
        }
        tokio::time::sleep_until(due.into()).await;
        let since = Instant::now();
        Due {
            since,
            late: since - due,
        }
    }
}
