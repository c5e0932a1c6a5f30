//! A counter for every status.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::block::{Cell, Count, Kind, Reading, ValueRef};
use super::cell::Counter;

/// Statuses of one class.
const CLASS: usize = 100;

/// Responses by status (100 to 599). The counters of a class exist from its first response on.
#[derive(Debug, Default)]
pub struct Codes {
    classes: [OnceLock<Box<[Counter]>>; 5],
}

impl Codes {
    /// Counts one response. A status outside of 100 to 599 is left out. For the worker that owns it.
    #[inline]
    pub fn inc(&self, code: u16) {
        let code = usize::from(code);
        let Some(class) = (code / CLASS).checked_sub(1).and_then(|class| self.classes.get(class)) else {
            return;
        };
        let counters = class.get_or_init(|| (0..CLASS).map(|_| Counter::default()).collect());
        if let Some(counter) = counters.get(code % CLASS) {
            counter.inc();
        }
    }
}

/// Responses by status, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeValues(BTreeMap<u16, Count>);

impl CodeValues {
    /// The statuses that were seen.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Count)> {
        self.0.iter().map(|(code, count)| (*code, *count))
    }

    /// Adds a part of a sum.
    pub fn add(&mut self, code: u16, amount: u64) {
        if amount > 0 {
            self.0.entry(code).or_default().add(amount);
        }
    }
}

impl Cell for Codes {
    const KIND: Kind = Kind::Counter;
    type Value = CodeValues;

    fn read_into(&self, value: &mut CodeValues) {
        for (class, counters) in (1u16..).zip(&self.classes) {
            for (rest, counter) in (0u16..).zip(counters.get().into_iter().flatten()) {
                value.add(class * 100 + rest, counter.get());
            }
        }
    }
}

impl Reading for CodeValues {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Codes(self)
    }
}
