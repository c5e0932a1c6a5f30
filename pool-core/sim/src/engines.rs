//! The engines that look for a broken law, by name: for programs that run one of them.

use core::any::Any;
use core::fmt;
use std::panic::catch_unwind;

use crate::model::duel;
use crate::search::{Trouble, plans, run};
use crate::{pool_facts, table};

/// What looks for a broken law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The transition table, played in every case.
    Table,
    /// The exhaustive search of one plan.
    Search(&'static str),
    /// Seeded walks with all invariants.
    Walk,
    /// The machine against the reference model.
    Model,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("table"),
            Self::Search(plan) => write!(f, "search {plan}"),
            Self::Walk => f.write_str("walk"),
            Self::Model => f.write_str("model"),
        }
    }
}

/// Seeds of walks and duels.
const SEEDS: u64 = 1_500;

impl Engine {
    /// The engine of that name; a search is named by its plan.
    #[must_use]
    pub fn named(name: &str, plan: Option<&str>) -> Option<Self> {
        match (name, plan) {
            ("table", None) => Some(Self::Table),
            ("walk", None) => Some(Self::Walk),
            ("model", None) => Some(Self::Model),
            ("search", Some(plan)) => plans::named(plan).map(|plan| Self::Search(plan.name)),
            _ => None,
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// Tells the first broken law. Walks and duels have told theirs on standard error before.
    pub fn run(self) -> Result<(), String> {
        match self {
            Self::Table => table::check::check().map(|_| ()).map_err(|wrong| format!("broken: {wrong}")),
            Self::Walk => seeds(pool_facts::run, |_| String::new()),
            Self::Model => seeds(duel::run, |bytes| {
                let (settings, steps) = duel::spelled(bytes);
                duel::tell(&settings, &steps)
            }),
            Self::Search(name) => {
                let Some(plan) = plans::named(name) else { return Err(format!("no plan {name}")) };
                match run(&plan, usize::MAX, |_| {}) {
                    Ok(_) => Ok(()),
                    Err(Trouble::Broken(found)) => Err(found.story),
                    Err(Trouble::TooMany(report)) => Err(format!("not complete after {report}")),
                }
            }
        }
    }
}

fn seeds(play: fn(&[u8]), tell: fn(&[u8]) -> String) -> Result<(), String> {
    for seed in 0..SEEDS {
        let input = bytes(seed, 64 + (seed % 7) as usize * 100);
        if let Err(payload) = catch_unwind(|| play(&input)) {
            return Err(format!("broken: {}\nseed {seed}\n{}", law(payload.as_ref()), tell(&input)));
        }
    }
    Ok(())
}

/// The law that a panic tells of: its message, without what `assert_eq` puts in front.
#[must_use]
pub fn law(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
    text.strip_prefix("assertion `left == right` failed: ").unwrap_or(text).to_owned()
}

/// `len` bytes that depend on `seed` alone (`SplitMix64`).
#[must_use]
pub fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}
