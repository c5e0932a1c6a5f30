//! The whole-stack simulation on a few hundred seeds, and what it promises about itself.
//! `pool-simulate` runs as many as one likes.

use pool_sim::net::campaign::{Summary, explain};
use pool_sim::net::plan::Profile;
use pool_sim::net::run;
use pool_sim::net::trace::Tracing;

/// Seeds of this test; every profile gets a tenth.
const SEEDS: u64 = 300;

#[test]
fn seeds_pass_and_every_profile_covers_what_it_is_for() {
    let mut summary = Summary::default();
    for seed in 0..SEEDS {
        let report = run(seed, Tracing::Off);
        summary.add(&report);
        assert!(report.objections.is_empty(), "{}", explain(seed));
    }
    assert_eq!(summary.runs(), SEEDS);
    println!("{}", summary.table());
    assert_eq!(summary.uncovered(), []);
}

#[test]
fn the_same_seed_twice_gives_the_same_trace_byte_for_byte() {
    for seed in 0..3 * Profile::ALL.len() as u64 {
        let (first, second) = (run(seed, Tracing::On), run(seed, Tracing::On));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert!(first.trace.lines().count() as u64 >= first.events, "seed {seed}");
        let untraced = run(seed, Tracing::Off);
        assert_eq!((untraced.events, untraced.steps), (first.events, first.steps), "seed {seed}");
        assert_eq!((untraced.nanos, untraced.counts), (first.nanos, first.counts), "seed {seed}");
    }
}

#[test]
fn different_seeds_differ() {
    let seeds = [0, 10, 20].map(|seed| run(seed, Tracing::On).trace);
    assert!(seeds[0] != seeds[1] && seeds[1] != seeds[2]);
}
