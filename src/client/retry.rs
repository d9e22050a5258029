//! Repeating a request until it is answered: exponential backoff with full jitter.

use std::time::Duration;

use tokio::time::Instant;

use super::ClientError;

/// How long, and at which pace, a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest wait before the first repetition; doubled for each further one.
    pub first: Duration,
    /// The longest wait between two attempts.
    pub cap: Duration,
    /// No attempt begins later than this after the first one.
    pub within: Duration,
}

impl RetryPolicy {
    /// Repeats for `within`, starting quickly, since most restarts take a second.
    pub const fn lasting(within: Duration) -> Self {
        Self {
            first: Duration::from_millis(50),
            cap: Duration::from_secs(5),
            within,
        }
    }

    /// Calls until it succeeds, fails for good, or time is up.
    ///
    /// # Errors
    ///
    /// The last error, be it permanent or the one on which time ran out.
    pub async fn run<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let deadline = Instant::now() + self.within;
        for attempt in 0.. {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) if !error.is_transient() => return Err(error),
                Err(error) => error,
            };
            let wait = self.wait(attempt, error.retry_after(), fastrand::f64());
            if Instant::now() + wait > deadline {
                return Err(error);
            }
            tracing::debug!(attempt, wait_ms = wait.as_millis() as u64, %error, "will try again");
            tokio::time::sleep(wait).await;
        }
        unreachable!("the attempts are not counted to an end")
    }

    /// The wait after the attempt of this number, with `luck` from 0 to 1.
    ///
    /// What the server asks for is waited in full, and the jitter comes on top, so that
    /// workers sent away together do not come back together.
    fn wait(&self, attempt: u32, retry_after: Option<Duration>, luck: f64) -> Duration {
        let most = self
            .first
            .saturating_mul(1 << attempt.min(20))
            .min(self.cap);
        retry_after.unwrap_or_default().min(self.cap) + most.mul_f64(luck)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{ClientError, RetryPolicy};

    const POLICY: RetryPolicy = RetryPolicy::lasting(Duration::from_secs(60));

    /// The same shape in milliseconds, for tests that wait.
    const QUICK: RetryPolicy = RetryPolicy {
        first: Duration::from_millis(1),
        cap: Duration::from_millis(4),
        within: Duration::from_millis(100),
    };

    fn refusal(status: u16) -> ClientError {
        ClientError::api("GET /x", status, b"", None)
    }

    proptest! {
        #[test]
        fn waits_are_bounded(attempt in 0_u32..1000, asked in 0_u64..1000, luck in 0.0..1.0_f64) {
            let plain = POLICY.wait(attempt, None, luck);
            prop_assert!(plain <= POLICY.cap);
            let asked = Duration::from_secs(asked);
            let told = POLICY.wait(attempt, Some(asked), luck);
            prop_assert!(told >= asked.min(POLICY.cap) && told <= POLICY.cap * 2);
        }
    }

    #[tokio::test]
    async fn transient_errors_are_repeated_and_others_are_not() {
        let tries = Cell::new(0);
        let patient = RetryPolicy {
            within: Duration::from_secs(60),
            ..QUICK
        };
        let answer = patient
            .run(|| {
                tries.set(tries.get() + 1);
                std::future::ready(if tries.get() < 5 {
                    Err(refusal(503))
                } else {
                    Ok(7)
                })
            })
            .await;
        assert_eq!((answer, tries.get()), (Ok(7), 5));

        tries.set(0);
        let answer: Result<(), _> = QUICK
            .run(|| {
                tries.set(tries.get() + 1);
                std::future::ready(Err(refusal(422)))
            })
            .await;
        assert_eq!((answer, tries.get()), (Err(refusal(422)), 1));
    }

    #[tokio::test]
    async fn time_runs_out() {
        let start = tokio::time::Instant::now();
        let answer: Result<(), _> = QUICK.run(|| std::future::ready(Err(refusal(500)))).await;
        assert_eq!(answer, Err(refusal(500)));
        assert!(start.elapsed() + QUICK.cap >= QUICK.within);
    }
}
