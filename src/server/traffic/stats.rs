//! Requests and bytes of each second of the last hour.

use std::sync::{Mutex, PoisonError};

use axum::extract::Query;
use axum::routing::get;
use axum::{Extension, Json, Router};

use super::Traffic;
use crate::clock;
use crate::engine::Engine;
use crate::server::error::ApiError;
use crate::wire::admin::{ApiStats, ApiStatsBucket, ApiStatsQuery};

/// Seconds that are kept.
const KEPT: i64 = 3600;

/// A second.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    /// Which one, since 1970.
    at: i64,
    requests: u64,
    bytes_in: u64,
    bytes_out: u64,
    status_2xx: u64,
    status_4xx: u64,
    status_5xx: u64,
    status_other: u64,
}

/// The seconds, each at its place in a ring.
pub struct Stats(Mutex<Vec<Second>>);

impl Default for Stats {
    fn default() -> Self {
        Self(Mutex::new(vec![Second::default(); KEPT as usize]))
    }
}

impl Stats {
    fn change(&self, now_ms: i64, change: impl FnOnce(&mut Second)) {
        let at = now_ms.div_euclid(1000);
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = &mut ring[at.rem_euclid(KEPT) as usize];
        if second.at != at {
            *second = Second {
                at,
                ..Second::default()
            };
        }
        change(second);
    }

    /// A request was answered.
    pub fn add(&self, now_ms: i64, status: u16, bytes_in: u64, bytes_out: u64) {
        self.change(now_ms, |second| {
            second.requests += 1;
            second.bytes_in += bytes_in;
            second.bytes_out += bytes_out;
            match status {
                200..=299 => second.status_2xx += 1,
                400..=499 => second.status_4xx += 1,
                500..=599 => second.status_5xx += 1,
                _ => second.status_other += 1,
            }
        });
    }

    /// A piece of a stream was sent.
    pub fn sent(&self, now_ms: i64, bytes: u64) {
        self.change(now_ms, |second| second.bytes_out += bytes);
    }

    /// The last `window` seconds in steps of `interval`, the newest first; each begins at a
    /// multiple of it.
    fn report(&self, now_ms: i64, window: i64, interval: i64) -> ApiStats {
        let now = now_ms.div_euclid(1000);
        let newest = now.div_euclid(interval) * interval;
        let count = (window + interval - 1) / interval;
        let mut buckets: Vec<ApiStatsBucket> = (0..count)
            .map(|step| ApiStatsBucket {
                start_ms: (newest - step * interval) * 1000,
                ..ApiStatsBucket::default()
            })
            .collect();
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for second in ring.iter().filter(|second| second.at > now - KEPT) {
            let step = (newest - second.at).max(0).div_euclid(interval)
                + i64::from(second.at < newest && (newest - second.at) % interval != 0);
            let Some(bucket) = usize::try_from(step)
                .ok()
                .and_then(|at| buckets.get_mut(at))
            else {
                continue;
            };
            bucket.request_count += second.requests;
            bucket.bytes_in += second.bytes_in;
            bucket.bytes_out += second.bytes_out;
            bucket.status_2xx += second.status_2xx;
            bucket.status_4xx += second.status_4xx;
            bucket.status_5xx += second.status_5xx;
            bucket.status_other += second.status_other;
        }
        ApiStats {
            now_ms,
            interval_seconds: interval,
            window_seconds: count * interval,
            buckets,
        }
    }
}

/// The route of the counters.
pub fn routes(traffic: Traffic) -> Router<Engine> {
    Router::new()
        .route("/admin/api-stats", get(report))
        .layer(Extension(traffic))
}

async fn report(
    engine: Engine,
    Extension(traffic): Extension<Traffic>,
    Query(query): Query<ApiStatsQuery>,
) -> Result<Json<ApiStats>, ApiError> {
    engine.require_admin()?;
    let interval = query.interval_seconds.unwrap_or(60).clamp(1, KEPT);
    let window = query.window_seconds.unwrap_or(KEPT);
    let window = window.max(interval).min(KEPT);
    let stats = &traffic.0.stats;
    Ok(Json(stats.report(clock::now_ms(), window, interval)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_at_multiples_and_the_newest_is_first() {
        let stats = Stats::default();
        let now = 1_000_000_030; // Ten seconds into a minute.
        for (ago, status) in [(0, 200), (10, 201), (11, 404), (70, 503), (71, 302)] {
            stats.add((now - ago) * 1000, status, 1, 10);
        }
        stats.sent(now * 1000, 5);
        let report = stats.report(now * 1000 + 999, 180, 60);
        let newest = (now - 10) * 1000;
        let of = |at: usize| &report.buckets[at];
        assert_eq!((report.window_seconds, report.buckets.len()), (180, 3));
        assert_eq!((of(0).start_ms, of(1).start_ms), (newest, newest - 60_000));
        assert_eq!(
            (of(0).request_count, of(0).status_2xx, of(0).bytes_out),
            (2, 2, 25)
        );
        assert_eq!(
            (of(1).request_count, of(1).status_4xx, of(1).status_5xx),
            (2, 1, 1)
        );
        assert_eq!(
            (of(2).request_count, of(2).status_other, of(2).bytes_in),
            (1, 1, 1)
        );
    }

    #[test]
    fn an_hour_later_a_second_is_forgotten() {
        let stats = Stats::default();
        stats.add(5_000, 200, 0, 0);
        assert_eq!(stats.report(5_000, 3600, 3600).buckets[0].request_count, 1);
        let later = stats.report(5_000 + 3_600_000, 3600, 3600);
        let counted: u64 = later
            .buckets
            .iter()
            .map(|bucket| bucket.request_count)
            .sum();
        assert_eq!(counted, 0);
    }
}
