//! What a histogram says when it is read: samples by range, of any source.

use std::collections::BTreeMap;

/// Samples in milliseconds, counted by range. Histograms of all workers, and coarser ones from
/// elsewhere, are added up in here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Lowest value and first value after it, in microseconds; how many samples.
    ranges: BTreeMap<(u64, u64), u64>,
    sum_micros: u64,
}

impl Distribution {
    /// How many samples there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ranges.values().sum()
    }

    /// The sum of all samples, in milliseconds.
    #[must_use]
    pub fn sum_ms(&self) -> f64 {
        self.sum_micros as f64 / 1000.0
    }

    /// The value below which the share `q` (0 to 1) of the samples lies, in milliseconds, evenly
    /// spread within a range. `None` without samples.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let wanted = q.clamp(0.0, 1.0) * self.count() as f64;
        let mut before = 0.0;
        let mut last = None;
        for (&(low, high), &samples) in &self.ranges {
            let samples = samples as f64;
            let part = ((wanted - before) / samples).clamp(0.0, 1.0);
            last = Some((low as f64 + (high - low) as f64 * part) / 1000.0);
            before += samples;
            if before >= wanted {
                break;
            }
        }
        last
    }

    /// How many samples are at most `ms`; within a range, evenly spread.
    #[must_use]
    pub fn count_up_to(&self, ms: f64) -> u64 {
        let border = ms * 1000.0;
        let mut count = 0;
        for (&(low, high), &samples) in &self.ranges {
            let part = ((border - low as f64 + 1.0) / (high - low) as f64).clamp(0.0, 1.0);
            count += (samples as f64 * part) as u64;
        }
        count
    }

    /// Adds samples that lie in `low_micros..high_micros`.
    pub fn add(&mut self, low_micros: u64, high_micros: u64, samples: u64) {
        if samples > 0 {
            let range = (low_micros, high_micros.max(low_micros.saturating_add(1)));
            *self.ranges.entry(range).or_default() += samples;
        }
    }

    /// Adds to the sum of all samples.
    pub fn add_to_sum(&mut self, micros: u64) {
        self.sum_micros = self.sum_micros.wrapping_add(micros);
    }

    /// What came since `earlier`, which is the same distribution at an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = Self::default();
        for (&(low, high), &samples) in &self.ranges {
            let before = earlier.ranges.get(&(low, high)).copied().unwrap_or(0);
            difference.add(low, high, samples.saturating_sub(before));
        }
        difference.sum_micros = self.sum_micros.wrapping_sub(earlier.sum_micros);
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_quantile() {
        let nothing = Distribution::default();
        assert_eq!((nothing.count(), nothing.quantile(0.5), nothing.count_up_to(1e9)), (0, None, 0));
    }

    #[test]
    fn quantiles_lie_evenly_within_a_range() {
        let mut distribution = Distribution::default();
        distribution.add(1000, 2000, 4);
        distribution.add(8000, 16_000, 4);
        let quantiles = [0.0, 0.25, 0.5, 0.75, 1.0].map(|q| distribution.quantile(q));
        assert_eq!(quantiles, [Some(1.0), Some(1.5), Some(2.0), Some(12.0), Some(16.0)]);
        let counts = [0.5, 1.5, 2.0, 5.0, 12.0, 16.0, 1e9].map(|ms| distribution.count_up_to(ms));
        assert_eq!(counts, [0, 2, 4, 4, 6, 8, 8]);
    }

    #[test]
    fn an_interval_is_a_difference() {
        let mut earlier = Distribution::default();
        earlier.add(1000, 2000, 4);
        earlier.add_to_sum(5000);
        let mut later = earlier.clone();
        later.add(1000, 2000, 1);
        later.add(3000, 4000, 2);
        later.add_to_sum(8000);
        let between = later.since(&earlier);
        assert_eq!((between.count(), between.sum_ms()), (3, 8.0));
        assert_eq!(between.count_up_to(2.0), 1);
        assert_eq!(later.since(&later).quantile(1.0), None);
    }
}
