//! The fuzzer's walk, replayed on stable: seeded inputs, and inputs that proptest can shrink.

use pool_sim::pool_facts;
use proptest::prelude::*;

/// One step of `SplitMix64`.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    (0..len).map(|_| (split_mix(&mut state) >> 56) as u8).collect()
}

/// `POOL_SIM_SEEDS=from..to` walks other seeds than the usual ones.
fn seeds() -> core::ops::Range<u64> {
    let Ok(range) = std::env::var("POOL_SIM_SEEDS") else { return 0..4_000 };
    let (from, to) = range.split_once("..").expect("POOL_SIM_SEEDS is from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn seeded_walks_keep_every_invariant() {
    for seed in seeds() {
        let length = 64 + (seed % 7) as usize * 128;
        let outcome = std::panic::catch_unwind(|| pool_facts::run(&bytes(seed, length)));
        assert!(outcome.is_ok(), "seed {seed}: the walk is printed above");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shrinkable_walks_keep_every_invariant(input in proptest::collection::vec(any::<u8>(), 0..700)) {
        pool_facts::run(&input);
    }
}
