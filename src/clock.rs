//! The only place that reads the wall clock, in the shapes the contract prints, and the
//! [`Tick`] by which the telemetry measures.

use std::ops::{Add, Sub};
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// A moment, to measure how long things took: read from the processor's counter where that
/// runs at a steady rate (`quanta` looks), else from the system's monotonic clock. Each
/// statement and each poll reads it twice, so it counts that this costs less than
/// [`std::time::Instant`]. No difference is below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(quanta::Instant);

impl Tick {
    /// Now. The first call in a process takes some milliseconds, to learn the rate.
    pub fn now() -> Self {
        static COUNTER: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);
        Self(COUNTER.now())
    }

    /// How long ago it was.
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }

    /// So much earlier, as far as the clock goes back.
    pub fn before(self, elapsed: Duration) -> Self {
        self.0.checked_sub(elapsed).map_or(self, Self)
    }
}

impl Sub for Tick {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}

impl Add<Duration> for Tick {
    type Output = Self;

    fn add(self, elapsed: Duration) -> Self {
        self.0.checked_add(elapsed).map_or(self, Self)
    }
}

/// Now, in UTC.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Milliseconds since the epoch, as events carry them.
pub fn now_ms() -> i64 {
    now().timestamp_millis()
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`, as workflow timestamps and completion times are written.
pub fn now_millis_text() -> String {
    now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// RFC 3339 with nanoseconds and a numeric offset, as job start times are written.
pub fn now_nanos_text() -> String {
    now().to_rfc3339_opts(SecondsFormat::Nanos, false)
}

/// Milliseconds since the epoch as `YYYY-MM-DDTHH:MM:SS.mmmZ`; none for a time that no
/// calendar has.
pub fn text_of_ms(ms: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(ms)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// What it measures lies between what the system's clock measures inside and around it,
    /// give or take a thousandth.
    #[test]
    fn a_tick_runs_at_the_rate_of_the_systems_clock() {
        let _learnt = Tick::now();
        let outer = Instant::now();
        let tick = Tick::now();
        let inner = Instant::now();
        std::thread::sleep(Duration::from_millis(50));
        let least = inner.elapsed();
        let measured = tick.elapsed();
        let most = outer.elapsed();
        assert!(measured >= least.mul_f64(0.999), "{measured:?} {least:?}");
        assert!(measured <= most.mul_f64(1.001), "{measured:?} {most:?}");
        assert_eq!(tick - (tick + measured), Duration::ZERO);
        assert_eq!(tick - tick.before(measured), measured);
    }
}
