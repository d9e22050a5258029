//! Families of metrics as they are written: a name, what it means, and its values by label.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use crate::telemetry::series::Series;

/// Upper edges of the buckets of times, in seconds.
const SECONDS: [f64; 14] = [
    50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 100e-3, 0.5, 2.5, 10.0, 30.0,
];
/// Upper edges of the buckets of numbers.
const NUMBERS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The labels of a value.
pub type Labels<'l> = [(&'static str, &'l str)];

/// A page that is being written.
pub struct Page<'p, 'e>(pub &'p mut DescriptorEncoder<'e>);

/// A family whose values are being written.
pub struct Family<'f>(MetricEncoder<'f>);

impl Page<'_, '_> {
    /// Begins a family of counters; `_total` is added to their name.
    pub fn counters(&mut self, name: &'static str, help: &str) -> Result<Family<'_>, fmt::Error> {
        self.family(name, help, MetricType::Counter)
    }

    /// Begins a family of gauges.
    pub fn gauges(&mut self, name: &'static str, help: &str) -> Result<Family<'_>, fmt::Error> {
        self.family(name, help, MetricType::Gauge)
    }

    /// Begins a family of histograms.
    pub fn histograms(&mut self, name: &'static str, help: &str) -> Result<Family<'_>, fmt::Error> {
        self.family(name, help, MetricType::Histogram)
    }

    /// A counter without labels.
    pub fn counter<V>(&mut self, name: &'static str, help: &str, value: V) -> fmt::Result
    where
        V: EncodeCounterValue,
    {
        let Family(mut alone) = self.counters(name, help)?;
        alone.encode_counter::<NoLabelSet, V, u64>(&value, None)
    }

    /// A gauge without labels.
    pub fn gauge<V>(&mut self, name: &'static str, help: &str, value: V) -> fmt::Result
    where
        V: EncodeGaugeValue,
    {
        let Family(mut alone) = self.gauges(name, help)?;
        alone.encode_gauge(&value)
    }

    /// A histogram without labels.
    pub fn histogram(&mut self, name: &'static str, help: &str, counted: &Counted) -> fmt::Result {
        let Family(mut alone) = self.histograms(name, help)?;
        let (sum, count) = (counted.sum, counted.count());
        alone.encode_histogram::<NoLabelSet>(sum, count, &counted.buckets, None)
    }

    fn family(
        &mut self,
        name: &'static str,
        help: &str,
        kind: MetricType,
    ) -> Result<Family<'_>, fmt::Error> {
        Ok(Family(self.0.encode_descriptor(name, help, None, kind)?))
    }
}

impl Family<'_> {
    /// The value of a counter.
    pub fn counter<V: EncodeCounterValue>(&mut self, labels: &Labels<'_>, value: V) -> fmt::Result {
        let mut one = self.0.encode_family(&labels)?;
        one.encode_counter::<NoLabelSet, V, u64>(&value, None)
    }

    /// The value of a gauge.
    pub fn gauge<V: EncodeGaugeValue>(&mut self, labels: &Labels<'_>, value: V) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_gauge(&value)
    }

    /// The values of a histogram.
    pub fn histogram(&mut self, labels: &Labels<'_>, counted: &Counted) -> fmt::Result {
        let mut one = self.0.encode_family(&labels)?;
        let (sum, count) = (counted.sum, counted.count());
        one.encode_histogram::<NoLabelSet>(sum, count, &counted.buckets, None)
    }
}

/// A series in the few buckets of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Upper edges, the last one infinite, each with what lies below it and above the one
    /// before.
    buckets: Vec<(f64, u64)>,
    sum: f64,
    /// How many of the recorder's units make one of the page's.
    unit: f64,
}

impl Counted {
    /// Nothing yet, of times in nanoseconds.
    pub fn seconds() -> Self {
        Self::new(&SECONDS, 1e9)
    }

    /// Nothing yet, of numbers.
    pub fn numbers() -> Self {
        Self::new(&NUMBERS, 1.0)
    }

    fn new(edges: &[f64], unit: f64) -> Self {
        let edges = edges.iter().copied().chain([f64::INFINITY]);
        Self {
            buckets: edges.map(|edge| (edge, 0)).collect(),
            sum: 0.0,
            unit,
        }
    }

    /// With what a series holds.
    pub fn with(mut self, series: Option<&Series>) -> Self {
        if let Some(series) = series {
            self.add(series);
        }
        self
    }

    /// Adds what a series holds. A value lies off by a percent at most, as it does in the
    /// series.
    pub fn add(&mut self, series: &Series) {
        let mut at = 0;
        for (value, count) in series.buckets() {
            let value = value as f64 / self.unit;
            while value > self.buckets[at].0 {
                at += 1;
            }
            self.buckets[at].1 += count;
        }
        self.sum += series.sum() as f64 / self.unit;
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_value_is_in_the_bucket_above_it() {
        let mut series = Series::default();
        for micros in [1, 40, 60, 3_000, 20_000_000, 100_000_000] {
            series.add_duration(Duration::from_micros(micros), 1);
        }
        let counted = Counted::seconds().with(Some(&series));
        assert_eq!(counted.count(), 6);
        let in_bucket = |edge: f64| {
            let found = counted.buckets.iter().find(|(each, _)| *each == edge);
            found.map(|(_, count)| *count)
        };
        assert_eq!(in_bucket(50e-6), Some(2));
        assert_eq!(in_bucket(100e-6), Some(1));
        assert_eq!(in_bucket(5e-3), Some(1));
        assert_eq!(in_bucket(30.0), Some(1));
        assert_eq!(in_bucket(f64::INFINITY), Some(1));
        assert!((counted.sum - 120.003_101).abs() < 1e-9, "{}", counted.sum);
    }
}
