//! Whether two histograms differ, or only their luck: a test of a percentile or a mean
//! from binned counts alone. Pure functions.
//!
//! A percentile's standard error comes from its confidence interval, read off the bins at
//! the two ranks around it (R. S. Woodruff, "Confidence intervals for medians and other
//! position measures", J. Am. Stat. Assoc. 47, 1952). A mean's is the bins' deviation
//! over the root of the count. The difference of two over the root of their squared errors
//! is compared with the normal distribution (B. L. Welch, Biometrika 34, 1947, for counts
//! that are large). Of many comparisons some differ by luck: S. Holm, "A simple sequentially
//! rejective multiple test procedure", Scand. J. Stat. 6, 1979, corrects for that.

use clap::ValueEnum;

use crate::wire::debug::Times;

/// The chance of calling luck a change, for all comparisons of one diff together.
const LUCK: f64 = 0.01;
/// Changes of less than this part are within what the bins tell apart, twice.
const LEAST: f64 = 0.02;
/// The width of a bin: two digits.
const BIN: f64 = 0.01;
/// The quantile of the normal distribution that the interval of a percentile uses.
const Z: f64 = 1.96;
/// Fewer independent values than this have no mean worth a test.
const FEW: f64 = 30.0;

/// What is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// The median.
    #[default]
    P50,
    /// 99 of 100 are at most this.
    P99,
    /// The arithmetic mean.
    Mean,
}

impl Metric {
    /// As it is spelt.
    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Mean => "mean",
        }
    }

    /// The figure itself.
    pub fn of(self, times: &Times) -> f64 {
        match self {
            Self::P50 => times.p50,
            Self::P99 => times.p99,
            Self::Mean => times.mean,
        }
    }
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It takes longer, and that is no luck.
    Slower,
    /// It takes less, and that is no luck.
    Faster,
    /// What differs may well be luck, or is too little to matter.
    Noise,
    /// Too few values to tell.
    Few,
}

/// A figure and how far off it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Estimate {
    value: f64,
    error: f64,
}

/// The chance that two histograms differ so much in a metric by luck alone, before any
/// correction for many comparisons; none if there are too few values to tell.
///
/// `together` is how many values share their fate (commands of one batch wait for the same
/// commit): so many count as one, which is the design effect of a cluster (L. Kish, "Survey
/// Sampling", 1965) at its worst.
pub fn chance(a: &Times, b: &Times, metric: Metric, together: (f64, f64)) -> Option<f64> {
    let a = estimate(a, metric, together.0)?;
    let b = estimate(b, metric, together.1)?;
    let difference = (a.value - b.value).abs();
    if difference == 0.0 {
        return Some(1.0);
    }
    let error = a.error.hypot(b.error);
    Some(erfc(difference / error / std::f64::consts::SQRT_2).clamp(0.0, 1.0))
}

/// The verdict on a change, by its chance after correction. Less than `least` does not
/// matter.
pub fn verdict((a, b): (f64, f64), least: f64, chance: Option<f64>) -> Verdict {
    let Some(chance) = chance else {
        return Verdict::Few;
    };
    let change = (b - a).abs();
    if chance >= LUCK || change < least || change < LEAST * a.abs() {
        Verdict::Noise
    } else if b > a {
        Verdict::Slower
    } else {
        Verdict::Faster
    }
}

/// Holm's correction: the chance of each when so many were compared, in the same order.
pub fn corrected(chances: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = chances
        .iter()
        .enumerate()
        .filter_map(|(place, chance)| Some((place, (*chance)?)))
        .collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut corrected = vec![None; chances.len()];
    let mut highest: f64 = 0.0;
    for (done, (place, chance)) in order.iter().enumerate() {
        let left = (order.len() - done) as f64;
        highest = highest.max((chance * left).min(1.0));
        corrected[*place] = Some(highest);
    }
    corrected
}

fn estimate(times: &Times, metric: Metric, together: f64) -> Option<Estimate> {
    let bins = times.buckets.as_deref().unwrap_or_default();
    let count: u64 = bins.iter().map(|(_, count)| count).sum();
    let independent = count as f64 / together.max(1.0);
    let value = metric.of(times);
    let error = match metric {
        Metric::P50 => percentile_error(bins, count, independent, 0.5)?,
        Metric::P99 => percentile_error(bins, count, independent, 0.99)?,
        Metric::Mean => mean_error(bins, count, independent)?,
    };
    // A value may lie anywhere in its bin: the deviation of an even distribution.
    let bin = value * BIN / 12_f64.sqrt();
    Some(Estimate {
        value,
        error: error.hypot(bin),
    })
}

/// Woodruff's interval, as a standard error; none if it reaches past the values.
fn percentile_error(bins: &[(f64, u64)], count: u64, independent: f64, q: f64) -> Option<f64> {
    let reach = Z * (q * (1.0 - q) / independent).sqrt();
    let (low, high) = (q - reach, q + reach);
    // So also without any value, when the reach is endless.
    if !(low > 0.0 && high < 1.0) {
        return None;
    }
    Some((at(bins, count, high) - at(bins, count, low)) / (2.0 * Z))
}

fn mean_error(bins: &[(f64, u64)], count: u64, independent: f64) -> Option<f64> {
    if independent < FEW {
        return None;
    }
    let all = count as f64;
    let mean = bins.iter().map(|(edge, n)| edge * *n as f64).sum::<f64>() / all;
    let squares: f64 = bins
        .iter()
        .map(|(edge, n)| (edge - mean).powi(2) * *n as f64)
        .sum();
    Some((squares / (all - 1.0) / independent).sqrt())
}

/// The value below which the part `q` of all lies.
fn at(bins: &[(f64, u64)], count: u64, q: f64) -> f64 {
    let rank = q * count as f64;
    let mut passed = 0;
    for (edge, n) in bins {
        passed += n;
        if passed as f64 >= rank {
            return *edge;
        }
    }
    bins.last().map_or(0.0, |(edge, _)| *edge)
}

/// The complementary error function of a number that is not negative, to 1.2e-7 of itself
/// (W. H. Press et al., "Numerical Recipes in C", 2nd edition, section 6.2).
fn erfc(x: f64) -> f64 {
    const C: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    let series = C.iter().rev().fold(0.0, |sum, c| sum * t + c);
    t * (series - x * x).exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A histogram of values as the server makes one: bins of a percent.
    fn times(values: &[f64]) -> Times {
        let mut sorted: Vec<f64> = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut buckets: Vec<(f64, u64)> = Vec::new();
        for value in &sorted {
            let edge = (value.ln() / 0.01).ceil().mul_add(0.01, 0.0).exp();
            match buckets.last_mut() {
                Some((last, count)) if *last == edge => *count += 1,
                _ => buckets.push((edge, 1)),
            }
        }
        let count = sorted.len() as u64;
        let mean = buckets.iter().map(|(e, n)| e * *n as f64).sum::<f64>() / count as f64;
        Times {
            count,
            mean,
            p50: at(&buckets, count, 0.5),
            p99: at(&buckets, count, 0.99),
            buckets: Some(buckets),
            ..Times::default()
        }
    }

    /// Times with a long tail, around `middle` microseconds.
    fn load(random: &mut fastrand::Rng, count: usize, middle: f64) -> Times {
        let values: Vec<f64> = (0..count)
            .map(|_| {
                let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
                middle * (0.5 * normal).exp()
            })
            .collect();
        times(&values)
    }

    const ALONE: (f64, f64) = (1.0, 1.0);
    const METRICS: [Metric; 3] = [Metric::P50, Metric::P99, Metric::Mean];

    #[test]
    fn the_error_function_is_that_of_the_tables() {
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.479_500_1),
            (1.0, 0.157_299_2),
            (3.0, 2.209e-5),
        ] {
            let got = erfc(x);
            assert!(
                (got - expected).abs() < 1e-6 * expected.max(0.1),
                "{x}: {got}"
            );
        }
    }

    /// The chance is one: of two hundred equal loads, about as many look different by luck
    /// as it says.
    #[test]
    fn equal_loads_differ_as_often_as_chance_says() {
        let mut random = fastrand::Rng::with_seed(7);
        for metric in METRICS {
            let mut below = 0;
            for _ in 0..200 {
                let (a, b) = (
                    load(&mut random, 2000, 900.0),
                    load(&mut random, 3000, 900.0),
                );
                let chance = chance(&a, &b, metric, ALONE).unwrap();
                below += u32::from(chance < 0.1);
            }
            assert!(
                (5..40).contains(&below),
                "{metric:?}: {below} of 200 below 0.1"
            );
        }
    }

    #[test]
    fn a_tenth_more_shows_among_many_values_and_not_among_few() {
        let mut random = fastrand::Rng::with_seed(8);
        for metric in METRICS {
            let (a, b) = (
                load(&mut random, 20_000, 900.0),
                load(&mut random, 20_000, 1080.0),
            );
            let found = chance(&a, &b, metric, ALONE);
            assert!(found.unwrap() < 1e-4, "{metric:?}: {found:?}");
            // Commands that share their batches say less.
            let shared = chance(&a, &b, metric, (50.0, 50.0)).unwrap();
            assert!(shared > found.unwrap());
            let (a, b) = (load(&mut random, 12, 900.0), load(&mut random, 12, 1080.0));
            let few = chance(&a, &b, metric, ALONE);
            assert!(
                few.is_none_or(|chance| chance > LUCK),
                "{metric:?}: {few:?}"
            );
        }
        let few = load(&mut random, 100, 900.0);
        assert_eq!(chance(&few, &few, Metric::P99, ALONE), None);
        assert_eq!(chance(&Times::default(), &few, Metric::P50, ALONE), None);
    }

    proptest! {
        #[test]
        fn a_thing_is_like_itself_and_neither_side_is_preferred(
            a in proptest::collection::vec(1.0..1e6_f64, 200..400),
            b in proptest::collection::vec(1.0..1e6_f64, 200..400),
        ) {
            let (a, b) = (times(&a), times(&b));
            for metric in METRICS {
                let same = chance(&a, &a, metric, ALONE);
                prop_assert!(same.is_none_or(|chance| chance == 1.0));
                let there = chance(&a, &b, metric, ALONE);
                prop_assert_eq!(there, chance(&b, &a, metric, ALONE));
                prop_assert!(there.is_none_or(|chance| (0.0..=1.0).contains(&chance)));
            }
        }

        /// It never makes a chance smaller, keeps their order, and leaves one alone alone.
        #[test]
        fn the_correction_only_doubts(chances in proptest::collection::vec(0.0..1.0_f64, 1..50)) {
            let given: Vec<Option<f64>> = chances.iter().copied().map(Some).collect();
            let made = corrected(&given);
            for (i, chance) in chances.iter().enumerate() {
                prop_assert!(made[i].unwrap() >= *chance);
                for (j, other) in chances.iter().enumerate() {
                    prop_assert!(chance > other || made[i] <= made[j]);
                }
            }
            prop_assert_eq!(corrected(&given[..1]), vec![given[0]]);
        }
    }
}
