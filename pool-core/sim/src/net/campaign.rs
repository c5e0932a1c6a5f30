//! Many seeds: what they covered together, and how a failure is shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::account::Counts;
use super::plan::Profile;
use super::run::Report;
use super::trace::Tracing;

/// Runs of a profile from which on it must have covered what it is for.
pub const ENOUGH: u64 = 30;

/// What many runs came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    by_profile: BTreeMap<Profile, Sums>,
    /// Seeds that failed, in order.
    pub failed: Vec<u64>,
}

/// What the runs of one profile came to.
#[derive(Clone, Debug, Default)]
struct Sums {
    runs: u64,
    requests: u64,
    steps: u64,
    nanos: u128,
    peak: u64,
    counts: Counts,
}

impl Summary {
    /// Adds a run.
    pub fn add(&mut self, report: &Report) {
        let sums = self.by_profile.entry(report.profile).or_default();
        sums.runs += 1;
        sums.requests += report.requests as u64;
        sums.steps += report.steps;
        sums.nanos += u128::from(report.nanos);
        sums.peak = sums.peak.max(report.peak);
        for (name, count) in &report.counts {
            *sums.counts.entry(name.clone()).or_default() += count;
        }
        if !report.objections.is_empty() {
            self.failed.push(report.seed);
        }
    }

    /// Adds the runs of another.
    pub fn merge(&mut self, other: Self) {
        for (profile, sums) in other.by_profile {
            let mine = self.by_profile.entry(profile).or_default();
            mine.runs += sums.runs;
            mine.requests += sums.requests;
            mine.steps += sums.steps;
            mine.nanos += sums.nanos;
            mine.peak = mine.peak.max(sums.peak);
            for (name, count) in sums.counts {
                *mine.counts.entry(name).or_default() += count;
            }
        }
        self.failed.extend(other.failed);
        self.failed.sort_unstable();
    }

    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.by_profile.values().map(|sums| sums.runs).sum()
    }

    /// What profiles with enough runs were to cover and did not.
    #[must_use]
    pub fn uncovered(&self) -> Vec<(Profile, &'static str)> {
        let enough = self.by_profile.iter().filter(|(_, sums)| sums.runs >= ENOUGH);
        enough
            .flat_map(|(profile, sums)| {
                let missing = profile.must_cover().iter().filter(|name| !sums.counts.contains_key(**name));
                missing.map(|name| (*profile, *name))
            })
            .collect()
    }

    /// The table that a campaign ends with.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{:<16} {:>7} {:>10} {:>12} {:>10} {:>6}",
            "profile", "seeds", "requests", "steps", "sim. time", "peak"
        );
        let mut all = Counts::new();
        for (profile, sums) in &self.by_profile {
            let seconds = sums.nanos / 1_000_000_000;
            let _ = writeln!(
                text,
                "{:<16} {:>7} {:>10} {:>12} {:>8} s {:>6}",
                format!("{profile:?}"),
                sums.runs,
                sums.requests,
                sums.steps,
                seconds,
                sums.peak
            );
            for (name, count) in &sums.counts {
                *all.entry(name.clone()).or_default() += count;
            }
        }
        for (name, count) in &all {
            let _ = writeln!(text, "{count:>12}  {name}");
        }
        text
    }
}

/// The one command that runs a seed again.
#[must_use]
pub fn replay_command(seed: u64) -> String {
    format!("cargo run --release -p pool-sim --bin pool-simulate -- --seed {seed}")
}

/// A failed run in words: its seed, how to replay it, the trace, and last what was wrong.
#[must_use]
pub fn explain(seed: u64) -> String {
    let report = super::run(seed, Tracing::On);
    let mut text = String::new();
    let _ = writeln!(text, "{}", report.trace);
    let _ = writeln!(text, "seed {seed} ({:?}) failed after {} steps:", report.profile, report.steps);
    for objection in &report.objections {
        let _ = writeln!(text, "  {objection}");
    }
    if report.objections.is_empty() {
        let _ = writeln!(text, "  not when it was run again: the simulation is not deterministic");
    }
    let _ = writeln!(text, "replay: {}", replay_command(seed));
    text
}
