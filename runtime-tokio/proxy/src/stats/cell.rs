//! The cells that a worker writes: counters and gauges without contention.
//!
//! Every cell has one writer, the worker that it belongs to, so an increment is a relaxed load and a
//! relaxed store: no bus lock, and no cache line that two workers write. Readers on other threads see
//! each value whole, a moment old at worst.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows (Envoy: Counter).
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Since the start, resets left out.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Counts one. For the worker that owns the cell.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts several. For the worker that owns the cell.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }
}

/// A number that goes up and down (Envoy: Gauge).
///
/// Remembers whether it was ever touched, which is what `usedonly` asks: the value is kept times two,
/// and the lowest bit says so.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

/// The lowest bit: the gauge was used.
const USED: u64 = 1;

impl Gauge {
    /// The value now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed) >> 1
    }

    /// Whether it was ever changed or set.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.0.load(Relaxed) & USED != 0
    }

    /// One more. For the worker that owns the cell.
    #[inline]
    pub fn inc(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(2) | USED, Relaxed);
    }

    /// One less; never below zero. For the worker that owns the cell.
    #[inline]
    pub fn dec(&self) {
        self.set(self.get().saturating_sub(1));
    }

    /// Replaces the value. For the worker that owns the cell.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value << 1 | USED, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_count() {
        let counter = Counter::default();
        counter.inc();
        counter.add(41);
        assert_eq!(counter.get(), 42);
    }

    #[test]
    fn gauges_move_and_remember_that_they_did() {
        let gauge = Gauge::default();
        assert!(!gauge.is_used());
        gauge.inc();
        gauge.inc();
        gauge.dec();
        assert_eq!(gauge.get(), 1);
        gauge.dec();
        gauge.dec();
        assert_eq!((gauge.get(), gauge.is_used()), (0, true));
        gauge.set(7);
        assert_eq!(gauge.get(), 7);
    }
}
