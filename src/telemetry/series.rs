//! One histogram of times with what it cannot hold exactly: sum, maximum, what was too long.

mod buckets;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use buckets::Buckets;

/// Longer durations count as this one, and are told apart in [`Summary::over`].
const LONGEST: Duration = Duration::from_secs(3600);

/// Nanoseconds, or plain numbers, with a relative error of one percent at most.
#[derive(Clone, Default)]
pub struct Series {
    buckets: Buckets,
    count: u64,
    sum: u128,
    max: u64,
    over: u64,
}

impl Series {
    /// Adds a number `times` times.
    pub fn add(&mut self, value: u64, times: u64) {
        self.buckets.add(value, times);
        self.count += times;
        self.sum += u128::from(value) * u128::from(times);
        self.max = self.max.max(value);
    }

    /// Adds a duration `times` times.
    pub fn add_duration(&mut self, elapsed: Duration, times: u64) {
        if elapsed > LONGEST {
            self.over += times;
        }
        self.add(nanos(elapsed), times);
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The values of its buckets, each with its count; ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets.iter()
    }

    /// All of it as a histogram.
    pub fn histogram(&self) -> Histogram<u64> {
        self.buckets.histogram()
    }

    /// Bytes that it holds in memory, roughly.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.buckets.bytes()
    }

    /// All that it has, in the bytes that this takes: what [`Series::since`] counts from.
    pub fn state(&self) -> Delta {
        self.since(&Delta::default())
    }

    /// What came to it since it was in the state `before`.
    pub fn since(&self, before: &Delta) -> Delta {
        let mut buckets = Vec::new();
        let mut old = before.buckets.iter().peekable();
        for (value, count) in self.buckets() {
            while old.next_if(|(other, _)| *other < value).is_some() {}
            let known = old
                .next_if(|(other, _)| *other == value)
                .map_or(0, |(_, count)| *count);
            if count > known {
                buckets.push((value, count - known));
            }
        }
        let highest = buckets.last().map_or(0, |(value, _)| *value);
        Delta {
            buckets: buckets.into_boxed_slice(),
            count: self.count().saturating_sub(before.count),
            sum: self.sum.saturating_sub(before.sum),
            max: highest.min(self.max),
            over: self.over.saturating_sub(before.over),
        }
    }

    /// Adds what came in some interval.
    pub fn add_delta(&mut self, delta: &Delta) {
        for (value, count) in &*delta.buckets {
            self.buckets.add(*value, *count);
        }
        self.count += delta.count;
        self.sum += delta.sum;
        self.max = self.max.max(delta.max);
        self.over += delta.over;
    }

    /// The figures, each divided by `unit` (1,000 turns nanoseconds into µs).
    pub fn summary(&self, unit: f64) -> Summary {
        let mut summary = Summary::of(&self.histogram(), self.sum as f64, self.max, unit);
        summary.over = self.over;
        summary
    }
}

/// What came to a series in an interval: its buckets that grew.
#[derive(Clone, Default)]
pub struct Delta {
    buckets: Box<[(u64, u64)]>,
    count: u64,
    sum: u128,
    max: u64,
    over: u64,
}

impl Delta {
    /// Whether nothing came.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// How many values came.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The values of the buckets that grew, and by how much; ascending.
    pub fn buckets(&self) -> &[(u64, u64)] {
        &self.buckets
    }

    /// Bytes that it holds in memory.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.buckets)
    }
}

/// A duration in nanoseconds, an hour at most.
pub fn nanos(elapsed: Duration) -> u64 {
    let elapsed = elapsed.min(LONGEST);
    // An hour of nanoseconds is less than 2^42.
    elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
}

/// The usual figures of one histogram, in microseconds unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// How many values were recorded.
    pub count: u64,
    /// Their sum.
    pub total: f64,
    /// Their arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// 90 of 100 are at most this.
    pub p90: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// 999 of 1,000 are at most this.
    #[serde(rename = "p99.9")]
    pub p999: f64,
    /// The largest.
    pub max: f64,
    /// How many were longer than the longest that is told apart, an hour.
    #[serde(skip_serializing_if = "is_zero")]
    pub over: u64,
    /// If they were asked for: the upper edge of each bucket that holds something, and how
    /// many it holds; ascending. A few hundred as a rule, never more than 128 for each
    /// doubling of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<(f64, u64)>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Summary {
    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reads a histogram; `unit` is how many of its units make one of the report's.
    pub fn of(histogram: &Histogram<u64>, sum: f64, max: u64, unit: f64) -> Self {
        let count = histogram.len();
        if count == 0 {
            return Self::default();
        }
        // A bucket's upper edge may lie above what was seen: two digits only.
        let at = |quantile| histogram.value_at_quantile(quantile).min(max) as f64 / unit;
        Self {
            count,
            total: sum / unit,
            mean: sum / count as f64 / unit,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: max as f64 / unit,
            over: 0,
            buckets: None,
        }
    }

    /// The same with the buckets of its histogram.
    pub fn with_buckets(mut self, histogram: &Histogram<u64>, unit: f64) -> Self {
        let buckets = histogram.iter_recorded().map(|step| {
            let edge = step.value_iterated_to() as f64 / unit;
            (edge, step.count_since_last_iteration())
        });
        self.buckets = Some(buckets.collect());
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys as the report promises them.
    #[test]
    fn the_summary_spells_its_percentiles() {
        let json = serde_json::to_value(Summary::default()).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        let expected = [
            "count", "max", "mean", "p50", "p90", "p99", "p99.9", "total",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_very_long_time_counts_as_an_hour_and_is_told() {
        let mut series = Series::default();
        series.add_duration(Duration::from_secs(1_000_000), 2);
        series.add_duration(Duration::from_nanos(1), 1);
        let summary = series.summary(1e3);
        assert_eq!((summary.count, summary.over), (3, 2));
        assert_eq!(summary.max, 3600e6);
    }

    /// However much comes, the buckets stay below their bound, and none of it is missing.
    #[test]
    fn buckets_are_bounded() {
        let mut series = Series::default();
        let mut value = 1.0_f64;
        while value < 3.6e12 {
            series.add(value as u64, 3);
            value *= 1.0003;
        }
        let summary = series.summary(1e3).with_buckets(&series.histogram(), 1e3);
        let buckets = summary.buckets.unwrap();
        // An hour in nanoseconds is less than 2^42; the first 256 have a bucket each.
        assert!(buckets.len() <= 256 + 34 * 128, "{}", buckets.len());
        let all: u64 = buckets.iter().map(|(_, count)| count).sum();
        assert_eq!(all, series.count());
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0));
    }

    proptest! {
        /// What came since is what was added, to the last value, and no percentile is off
        /// by more than a percent.
        #[test]
        fn a_difference_is_what_was_added(
            before in proptest::collection::vec(1..3_600_000_000_000_u64, 0..50),
            after in proptest::collection::vec(1..3_600_000_000_000_u64, 1..50),
        ) {
            let mut series = Series::default();
            before.iter().for_each(|value| series.add(*value, 1));
            let then = series.state();
            after.iter().for_each(|value| series.add(*value, 1));
            let mut rebuilt = Series::default();
            rebuilt.add_delta(&series.since(&then));

            let mut sorted = after.clone();
            sorted.sort_unstable();
            let summary = rebuilt.summary(1.0);
            prop_assert_eq!(summary.count, after.len() as u64);
            prop_assert_eq!(series.since(&then).count(), summary.count);
            prop_assert_eq!(rebuilt.sum(), after.iter().map(|v| u128::from(*v)).sum::<u128>());
            let median = sorted[(after.len() - 1) / 2] as f64;
            prop_assert!((summary.p50 - median).abs() <= median * 0.01, "{} {median}", summary.p50);
        }
    }
}
