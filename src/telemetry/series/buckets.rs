//! Counts in the buckets of an HdrHistogram of two digits.
//!
//! Recording is what happens at every statement, so it is a few instructions here; whoever
//! reads gets a histogram of that crate, bucket for bucket.

use hdrhistogram::Histogram;

/// Values below this have a bucket each.
const SINGLE: u64 = 256;
/// Buckets of each doubling above: a value is off by one in 128 at most.
const HALF: usize = 128;

/// How often values came, by bucket.
#[derive(Clone, Default)]
pub struct Buckets(Vec<u64>);

impl Buckets {
    /// Adds a value `times` times.
    pub fn add(&mut self, value: u64, times: u64) {
        let index = index(value);
        if index >= self.0.len() {
            // As far as it is needed: a fast operation stays at a few KiB.
            self.0.resize((index + 1).next_multiple_of(HALF), 0);
        }
        self.0[index] += times;
    }

    /// The highest value of each bucket that holds something, and its count; ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let all = self.0.iter().copied().enumerate();
        let held = all.filter(|(_, count)| *count > 0);
        held.map(|(at, count)| (highest(at), count))
    }

    /// The same as a histogram.
    pub fn histogram(&self) -> Histogram<u64> {
        let most = highest(self.0.len().max(1) - 1).max(SINGLE);
        let mut histogram = Histogram::new_with_bounds(1, most, 2)
            .unwrap_or_else(|error| unreachable!("these bounds are valid: {error}"));
        for (value, count) in self.iter() {
            // Cannot fail: it is below the bound.
            let _ = histogram.record_n(value, count);
        }
        histogram
    }

    /// Bytes that the counts take.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

/// The place of a value's bucket. Of the eight digits after its highest one that it keeps,
/// the first is always one, so each doubling has half as many buckets as the values below.
fn index(value: u64) -> usize {
    let doublings = (value | (SINGLE - 1)).ilog2() - (SINGLE - 1).ilog2();
    doublings as usize * HALF + (value >> doublings) as usize
}

/// The highest value of the bucket at a place.
fn highest(index: usize) -> u64 {
    let doublings = (index / HALF).saturating_sub(1);
    let first = (index - doublings * HALF) as u64;
    // The last bucket of all ends where numbers do.
    (((u128::from(first) + 1) << doublings) - 1)
        .try_into()
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The crate's own histogram has the same buckets with the same counts.
        #[test]
        fn buckets_are_those_of_the_crate(
            values in proptest::collection::vec((0..62_u32, any::<u64>(), 1..1_000_u64), 1..100),
        ) {
            let mut ours = Buckets::default();
            let mut theirs = Histogram::<u64>::new_with_bounds(1, 1 << 62, 2).unwrap();
            for (bits, value, times) in values {
                let value = value % (1 << bits);
                ours.add(value, times);
                theirs.record_n(value, times).unwrap();
            }
            let of = |histogram: &Histogram<u64>| -> Vec<(u64, u64)> {
                let steps = histogram.iter_recorded();
                steps.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
            };
            let expected = of(&theirs);
            prop_assert_eq!(&ours.iter().collect::<Vec<_>>(), &expected);
            prop_assert_eq!(&of(&ours.histogram()), &expected);
        }
    }

    #[test]
    fn every_number_has_a_bucket() {
        for value in [0, 1, 255, 256, 257, 511, 512, 1 << 40, u64::MAX] {
            assert!(highest(index(value)) >= value, "{value}");
            assert!(value == 0 || highest(index(value) - 1) < value, "{value}");
        }
    }
}
