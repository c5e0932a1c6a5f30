//! The machine against the reference model, step by step.

mod common;

use core::fmt;

use common::bytes;
use pool_core::time::Instant;
use pool_sim::alphabet::{Choices, Step};
use pool_sim::model::duel::{self, Duel, comparable};
use pool_sim::pool_facts;
use proptest::prelude::*;

#[test]
fn seeded_duels_are_drawn() {
    for seed in 0..2_000 {
        let input = bytes(seed ^ 0x0d0e1, 64 + (seed % 7) as usize * 100);
        let outcome = std::panic::catch_unwind(|| duel::run(&input));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

/// A duel that is broken off proves nothing about what would have followed.
#[test]
fn few_duels_are_broken_off() {
    let mut drawn = 0;
    for seed in 0..500 {
        let input = bytes(seed ^ 0x0d0e1, 500);
        let mut choices = Choices::new(&input);
        let settings = comparable(pool_facts::settings(&mut choices));
        let mut duel = Duel::new(&settings, Instant::from_millis(1));
        while !choices.is_exhausted() {
            duel.take(Step::read(&mut choices));
        }
        drawn += usize::from(duel.is_drawn());
    }
    assert!(drawn < 100, "{drawn} of 500");
}

/// What proptest shrinks: settings, and steps of which any can be left out.
struct Play {
    settings: [u8; 32],
    steps: Vec<Step>,
}

impl Play {
    fn run(&self) {
        let settings = comparable(pool_facts::settings(&mut Choices::new(&self.settings)));
        let mut duel = Duel::new(&settings, Instant::from_millis(1));
        self.steps.iter().for_each(|step| duel.take(*step));
    }
}

/// One step to a line, so that a counterexample can be read.
impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = comparable(pool_facts::settings(&mut Choices::new(&self.settings)));
        writeln!(f, "{settings:?}")?;
        self.steps
            .iter()
            .enumerate()
            .try_for_each(|(number, step)| writeln!(f, "  {:3}. {step:?}", number + 1))
    }
}

fn step() -> impl Strategy<Value = Step> {
    any::<[u8; 8]>().prop_map(|bytes| Step::read(&mut Choices::new(&bytes)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn shrinkable_duels_are_drawn(
        play in (any::<[u8; 32]>(), proptest::collection::vec(step(), 0..150))
            .prop_map(|(settings, steps)| Play { settings, steps })
    ) {
        play.run();
    }
}
