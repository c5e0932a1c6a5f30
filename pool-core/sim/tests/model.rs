//! The machine against the reference model, step by step.

mod common;

use std::panic::catch_unwind;

use common::bytes;
use pool_core::time::Instant;
use pool_sim::alphabet::{Choices, Step};
use pool_sim::bench::Settings;
use pool_sim::engines::law;
use pool_sim::model::duel::{self, Duel, comparable};
use pool_sim::pool_facts;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

#[test]
fn seeded_duels_are_drawn() {
    for seed in 0..2_000 {
        let input = bytes(seed ^ 0x0d0e1, 64 + (seed % 7) as usize * 100);
        let outcome = catch_unwind(|| duel::run(&input));
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

/// What proptest shrinks: the bytes of the settings, and steps.
#[derive(Clone, Debug)]
struct Play {
    settings: [u8; 32],
    steps: Vec<Step>,
}

impl Play {
    fn settings(&self) -> Settings {
        comparable(pool_facts::settings(&mut Choices::new(&self.settings)))
    }
}

fn plays() -> impl Strategy<Value = Play> {
    let step = any::<[u8; 8]>().prop_map(|bytes| Step::read(&mut Choices::new(&bytes)));
    let steps = proptest::collection::vec(step, 0..150);
    (any::<[u8; 32]>(), steps).prop_map(|(settings, steps)| Play { settings, steps })
}

/// proptest makes the steps small; then those that are not needed are left out.
#[test]
fn shrinkable_duels_are_drawn() {
    let config = ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&plays(), |play| {
        let fought = catch_unwind(|| duel::play(&play.settings(), &play.steps));
        fought.map_err(|payload| TestCaseError::fail(law(payload.as_ref())))
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(_, play)) => panic!("{}", duel::tell(&play.settings(), &play.steps)),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}
