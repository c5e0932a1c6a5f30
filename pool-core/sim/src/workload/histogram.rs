//! Lengths of time counted in narrow buckets.

use core::time::Duration;

/// Buckets per doubling. A percentile is at most one part in this many too high.
const FINE: u64 = 128;
const FINE_BITS: u32 = FINE.ilog2();

/// How often which length of time was seen: percentiles within 0.8 %, count, sum and maximum exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Histogram {
    /// How many.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum in nanoseconds.
    #[must_use]
    pub const fn sum_nanos(&self) -> u128 {
        self.sum
    }

    /// The longest.
    #[must_use]
    pub const fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The mean; zero if there are none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let mean = self.sum.checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// How many are longer than zero.
    #[must_use]
    pub fn above_zero(&self) -> u64 {
        self.count - self.buckets.first().copied().unwrap_or(0)
    }

    /// The length that `percent` of all do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Duration {
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper(index as u64).min(self.max));
            }
        }
        Duration::ZERO
    }

    /// Counts one.
    #[inline]
    pub fn add(&mut self, nanos: u64) {
        let index = index(nanos) as usize;
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] += 1;
        self.count += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
    }
}

#[inline]
fn index(nanos: u64) -> u64 {
    if nanos < FINE {
        return nanos;
    }
    let shift = nanos.ilog2() - FINE_BITS;
    u64::from(shift) * FINE + (nanos >> shift)
}

/// The largest length in a bucket.
fn upper(index: u64) -> u64 {
    if index < 2 * FINE {
        return index;
    }
    let shift = index / FINE - 1;
    let next = u128::from(index - shift * FINE + 1) << shift;
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_lies_in_its_bucket() {
        let mut nanos = 1_u64;
        while nanos < u64::MAX / 3 {
            for near in [nanos - 1, nanos, nanos + 1] {
                let index = index(near);
                assert!(upper(index) >= near, "{near}");
                assert!(index == 0 || upper(index - 1) < near, "{near}");
                assert!(upper(index) as f64 <= near as f64 * 1.008 + 0.5, "{near}");
            }
            nanos = nanos * 3 / 2 + 1;
        }
        assert_eq!(upper(index(u64::MAX)), u64::MAX);
    }

    #[test]
    fn percentiles_of_a_ramp() {
        let mut histogram = Histogram::default();
        for nanos in 1..=100_000 {
            histogram.add(nanos);
        }
        for percent in [50.0, 90.0, 99.0] {
            let found = histogram.percentile(percent).as_nanos() as f64;
            assert!((1.0..1.008).contains(&(found / (percent * 1000.0))), "p{percent} is {found}");
        }
        assert_eq!(histogram.percentile(100.0), Duration::from_nanos(100_000));
        assert_eq!((histogram.mean().as_nanos(), histogram.above_zero()), (50_000, 100_000));
        assert_eq!(Histogram::default().percentile(99.0), Duration::ZERO);
    }
}
