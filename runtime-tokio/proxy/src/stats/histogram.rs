//! Log-linear histograms in fixed memory.
//!
//! Values below 64 have a bucket each; above, every power of two is cut into 32 buckets of equal
//! width. No bucket is therefore wider than 1/32 of its lower border: whatever is read from a bucket
//! is off by at most 3.2 %. Envoy's own histogram has 90 buckets per power of ten, 10 % at worst.

use std::sync::OnceLock;
use std::time::Duration;

use super::cell::Counter;
use super::distribution::Distribution;

/// Buckets of one power of two, as a power of two.
const SUB_BITS: u32 = 5;
/// Values below this have a bucket each.
const LINEAR: u64 = 1 << (SUB_BITS + 1);
/// The last power of two that is told apart: 2^42 µs are 50 days.
const MAX_BITS: u32 = 42;
/// How many buckets there are.
const BUCKETS: usize = LINEAR as usize + ((MAX_BITS - SUB_BITS - 1) << SUB_BITS) as usize;

/// Times of one worker (Envoy: Histogram). Names say milliseconds, as Envoy's do; kept are
/// microseconds, so that a time below one millisecond is not zero.
///
/// One writer, as for a [`Counter`]. The 10 KB of buckets exist from the first record on.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: OnceLock<Box<[Counter]>>,
    sum: Counter,
}

impl Histogram {
    /// Takes one sample. For the worker that owns the histogram.
    #[inline]
    pub fn record(&self, length: Duration) {
        self.record_micros(u64::try_from(length.as_micros()).unwrap_or(u64::MAX));
    }

    /// Takes one sample in microseconds. For the worker that owns the histogram.
    #[inline]
    pub fn record_micros(&self, micros: u64) {
        let buckets = self.buckets.get_or_init(|| (0..BUCKETS).map(|_| Counter::default()).collect());
        if let Some(bucket) = buckets.get(index(micros)) {
            bucket.inc();
        }
        self.sum.add(micros);
    }

    /// Adds all samples to a distribution.
    pub fn add_to(&self, distribution: &mut Distribution) {
        for (index, bucket) in self.buckets.get().into_iter().flatten().enumerate() {
            let (low, high) = borders(index);
            distribution.add(low, high, bucket.get());
        }
        distribution.add_to_sum(self.sum.get());
    }
}

/// The bucket of a value.
const fn index(value: u64) -> usize {
    let value = if value >> MAX_BITS == 0 { value } else { (1 << MAX_BITS) - 1 };
    if value < LINEAR {
        return value as usize;
    }
    let shift = value.ilog2() - SUB_BITS;
    // What is left after the shift lies in 32..64.
    (value >> shift) as usize + ((shift as usize) << SUB_BITS)
}

/// The lowest value of a bucket and the first one after it.
const fn borders(index: usize) -> (u64, u64) {
    if (index as u64) < LINEAR {
        return (index as u64, index as u64 + 1);
    }
    let shift = (index >> SUB_BITS) - 1;
    let step = (index & ((1 << SUB_BITS) - 1)) as u64 + (1 << SUB_BITS);
    (step << shift, (step + 1) << shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut next = 0;
        for bucket in 0..BUCKETS {
            let (low, high) = borders(bucket);
            assert_eq!(low, next, "bucket {bucket}");
            assert_eq!((index(low), index(high - 1)), (bucket, bucket));
            next = high;
        }
        assert_eq!(next, 1 << MAX_BITS);
        assert_eq!(index(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn a_bucket_is_narrow(value in 0..1u64 << MAX_BITS) {
            let (low, high) = borders(index(value));
            prop_assert!(low <= value && value < high);
            prop_assert!(high - low == 1 || (high - low) * 32 <= low, "{low}..{high}");
        }

        #[test]
        fn quantiles_are_within_a_thirtieth(
            mut values in proptest::collection::vec(prop_oneof![0..200u64, 0..1u64 << 20, 0..1u64 << 41], 1..400),
            q in 0.0..=1.0f64,
        ) {
            let histogram = Histogram::default();
            for value in &values {
                histogram.record_micros(*value);
            }
            let mut distribution = Distribution::default();
            histogram.add_to(&mut distribution);
            values.sort_unstable();
            prop_assert_eq!(distribution.count(), values.len() as u64);
            let sum: u64 = values.iter().sum();
            prop_assert_eq!(distribution.sum_ms(), sum as f64 / 1000.0);
            // A share of the samples lies between two neighbours; either is a fair answer.
            let wanted = q * values.len() as f64;
            let at = |rank: f64| values[(rank.max(1.0) as usize - 1).min(values.len() - 1)] as f64;
            let (low, high) = (at(wanted.floor()), at(wanted.floor() + 1.0));
            let shown = distribution.quantile(q).expect("there are samples") * 1000.0;
            prop_assert!(shown >= low * (1.0 - 1.0 / 31.0) - 1.0, "{shown} is below {low}");
            prop_assert!(shown <= high * (1.0 + 1.0 / 31.0) + 1.0, "{shown} is above {high}");
        }
    }
}
