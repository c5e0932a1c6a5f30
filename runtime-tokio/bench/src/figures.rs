//! The figures of one measurement, and the median of several.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Names of all figures, in the order of the JSON line.
///
/// * `cpu_us`: CPU µs per request, user and system; for `micro`, µs of one pinned thread per acquire
///   plus release
/// * `instructions`: user-space instructions per operation
/// * `allocations`: calls of the allocator that hand out memory, per operation
/// * `syscalls`: system calls per operation
/// * `p50_us`, `p99_us`: latency of a sampled request; for `micro`, of a batch of
///   [`crate::micro::BATCH`] operations, per operation
/// * `heap_b`: live heap bytes per idle connection
/// * `peak_rss_kb`: largest resident memory of the measured process
/// * `conns`: connections that the origin accepted, warm-up included
/// * `errors`: operations that failed
/// * `rps`: operations per second of wall time
/// * `load_cores`: CPU that load and origin used together, in cores; near 1 they hold a proxy up
/// * `foreign`: CPU that others used meanwhile, in cores; above 0.15 the measurement is repeated once
pub(crate) const NAMES: [&str; 13] = [
    "cpu_us",
    "instructions",
    "allocations",
    "syscalls",
    "p50_us",
    "p99_us",
    "heap_b",
    "peak_rss_kb",
    "conns",
    "errors",
    "rps",
    "load_cores",
    "foreign",
];

/// Figures by name; what was not measured is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(BTreeMap<String, f64>);

impl Figures {
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    /// One line of `name=value` words, as a measured process prints it for its parent.
    pub(crate) fn to_line(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.0 {
            if !line.is_empty() {
                line.push(' ');
            }
            // Writing to a String cannot fail.
            let _ = write!(line, "{name}={value}");
        }
        line
    }

    /// Reads what [`Figures::to_line`] wrote; words that are no figures are left out.
    pub(crate) fn from_line(line: &str) -> Self {
        let figure = |word: &str| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(line.split_whitespace().filter_map(figure).collect())
    }

    /// Per name, the median over those measurements that have the figure. Errors are summed instead:
    /// a median would hide them.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for round in rounds {
            for (name, value) in &round.0 {
                all.entry(name.clone()).or_default().push(*value);
            }
        }
        let middle = |(name, values): (String, Vec<f64>)| {
            let value = if name == "errors" { values.iter().sum() } else { median(values) };
            (name, value)
        };
        Self(all.into_iter().map(middle).collect())
    }

    /// Smallest and largest value of one figure over the rounds.
    pub(crate) fn range(rounds: &[Self], name: &str) -> Option<(f64, f64)> {
        rounds.iter().filter_map(|round| round.get(name)).fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
        })
    }
}

/// The middle value, or the mean of the two middle ones; 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The value below which `share` (0 to 1) of the samples lie; 0 of nothing. Sorts the samples.
pub(crate) fn percentile(samples: &mut [u64], share: f64) -> f64 {
    samples.sort_unstable();
    if samples.is_empty() {
        return 0.0;
    }
    let rank = (share * (samples.len() - 1) as f64).round() as usize;
    samples[rank.min(samples.len() - 1)] as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(cpu: f64, errors: f64) -> Figures {
        let mut figures = Figures::default();
        figures.set("cpu_us", cpu);
        figures.set("errors", errors);
        figures
    }

    #[test]
    fn a_line_survives_the_way_to_the_parent() {
        let sent = figures(3.25, 0.0);
        assert_eq!(sent.to_line(), "cpu_us=3.25 errors=0");
        assert_eq!(Figures::from_line(&sent.to_line()), sent);
        assert_eq!(Figures::from_line("noise cpu_us=3.25 x=y errors=0"), sent);
    }

    #[test]
    fn rounds_give_medians_but_errors_add_up() {
        let rounds = [figures(9.0, 0.0), figures(1.0, 2.0), figures(3.0, 1.0)];
        assert_eq!(Figures::median(&rounds), figures(3.0, 3.0));
        assert_eq!(Figures::range(&rounds, "cpu_us"), Some((1.0, 9.0)));
        assert_eq!(Figures::range(&rounds, "syscalls"), None);
    }

    #[test]
    fn an_even_number_of_rounds_takes_the_mean_of_the_middle() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut samples: Vec<u64> = (1..=101).rev().collect();
        assert_eq!(percentile(&mut samples, 0.5), 51.0);
        assert_eq!(percentile(&mut samples, 0.99), 100.0);
        assert_eq!(percentile(&mut [], 0.5), 0.0);
    }
}
