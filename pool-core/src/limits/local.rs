//! The ledger as a value: for search, models, simulation and programs with one worker.

use super::book::Book;
use super::waits::{Cell, Lane, Standing, WaitKey};
use super::{Claimant, Full, Gauge, Ledger, Limits, Need, Priority, Resource, Seat, WaitView};
use crate::id::{HostId, PoolId};

/// Circuit breakers by value. Two ledgers with the same limits, counts and wait order are equal and
/// hash alike, whatever led to them.
///
/// Inside this crate a pool and its ledger are cloned together; a clone of the ledger alone counts
/// seats that nobody will give back to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Local {
    book: Book,
}

impl Local {
    /// An unused ledger.
    #[must_use]
    pub fn new(limits: impl Into<Limits>) -> Self {
        Self { book: Book::new(limits.into()) }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.book.limits()
    }

    /// One limit and how far it is used.
    #[must_use]
    pub fn snapshot(&self, priority: Priority, resource: Resource) -> Gauge {
        self.book.gauge(Cell { priority, resource })
    }

    /// Connections to a host, of both priorities (Envoy: the host's `cx_active`).
    #[must_use]
    pub fn host_connections(&self, host: HostId) -> u64 {
        self.book.host_connections(host)
    }

    /// Whether a pool waits for a seat, or already has one reserved.
    #[must_use]
    pub fn is_waiting(&self, resource: Resource, pool: PoolId) -> bool {
        self.book.standing(&key(resource, pool)).is_some()
    }

    /// Whether a seat is reserved for a pool.
    #[must_use]
    pub fn is_reserved(&self, resource: Resource, pool: PoolId) -> bool {
        self.book.standing(&key(resource, pool)) == Some(Standing::Reserved)
    }

    /// Every wait, in the order in which seats are handed out: by priority and resource, then by
    /// need and arrival.
    #[must_use]
    pub fn waits(&self) -> Vec<WaitView> {
        self.book.waits()
    }

    /// Puts other limits in force (Envoy: runtime overrides `circuit_breakers.*`). Nobody loses a
    /// seat; with higher limits, waiting pools get what is free now.
    pub fn set_limits(&mut self, limits: impl Into<Limits>) {
        self.book.set_limits(limits.into());
    }
}

/// A value has one worker.
fn key(resource: Resource, pool: PoolId) -> WaitKey {
    WaitKey { worker: 0, pool, resource }
}

impl Ledger for Local {
    #[inline]
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        let taken = self.book.take(&key(resource, who.pool), Lane::of(resource, who));
        taken.map(|_| Seat::new(resource, who))
    }

    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        self.book.take_over_limit(&key(resource, who.pool), Lane::of(resource, who));
        Seat::new(resource, who)
    }

    #[inline]
    fn give_back(&mut self, seat: Seat) {
        self.book.give_back(&seat);
    }

    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need) {
        self.book.await_free(key(resource, who.pool), Lane::of(resource, who), need);
    }

    fn cancel_wait(&mut self, resource: Resource, who: Claimant) {
        self.book.cancel_wait(&key(resource, who.pool));
    }

    #[inline]
    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        self.book.granted.pop_front().map(|key| (key.pool, key.resource))
    }
}
