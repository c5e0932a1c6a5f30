//! What the pools of a client look like now, for people, tests and metrics.

use std::time::Duration;

use super::state::State;
use crate::id::PoolId;
use crate::limits::{Gauge, Priority, Resource};
use crate::pool::{Counts, Pool, State as ConnState, Stats, Triple};
use crate::runtime::{Connect, Target};
use crate::time::Instant;

/// All pools of a client at one instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// One entry per origin with connections or waiting requests.
    pub pools: Vec<PoolSnapshot>,
}

/// One pool.
#[derive(Clone, Debug)]
pub struct PoolSnapshot {
    /// Its id within the client.
    pub id: PoolId,
    /// Where its connections go.
    pub target: Target,
    /// Streams in progress, requests waiting, unused streams.
    pub triple: Triple,
    /// Connections by state.
    pub counts: Counts,
    /// Envoy's counters, since the pool was made.
    pub stats: Stats,
    /// Every connection.
    pub connections: Vec<ConnectionSnapshot>,
    /// How long each waiting request has waited, oldest first.
    pub waiters: Vec<Duration>,
    /// The connections breaker of the origin, over all workers.
    pub connections_breaker: Gauge,
    /// The pending requests breaker of the origin, over all workers.
    pub pending_breaker: Gauge,
    /// The requests breaker of the origin, over all workers.
    pub requests_breaker: Gauge,
}

/// One connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionSnapshot {
    /// Its name in the pool.
    pub id: crate::id::ConnId,
    /// Its state.
    pub state: ConnState,
    /// Time since the pool ordered it.
    pub age: Duration,
    /// Streams in progress on it.
    pub active: u32,
}

impl Snapshot {
    pub(crate) fn of<C: Connect>(now: Instant, state: &State<C>) -> Self {
        let targets: Vec<(PoolId, Target)> =
            state.targets().map(|(id, target)| (id, Target::clone(target))).collect();
        let pools = targets
            .into_iter()
            .filter_map(|(id, target)| {
                let pool = state.set.pool(id)?;
                let ledger = state.set.ledger(id)?;
                let shared = ledger.shared();
                let gauge = |resource| shared.snapshot(Priority::Default, resource);
                let breakers = [Resource::Connections, Resource::Pending, Resource::Requests].map(gauge);
                Some(PoolSnapshot::of(now, id, target, pool, breakers))
            })
            .collect();
        Self { pools }
    }

    /// The sums over all pools: streams in progress, requests waiting, connections that exist.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for pool in &self.pools {
            totals.active += pool.triple.active;
            totals.pending += pool.triple.pending;
            totals.connections += pool.connections.len() as u64;
        }
        totals
    }
}

/// Sums over all pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Streams in progress.
    pub active: u64,
    /// Requests waiting for a connection.
    pub pending: u64,
    /// Connections, from the connect order until the socket is gone.
    pub connections: u64,
}

impl PoolSnapshot {
    fn of(now: Instant, id: PoolId, target: Target, pool: &Pool, breakers: [Gauge; 3]) -> Self {
        let connections = pool
            .connections()
            .map(|conn| ConnectionSnapshot {
                id: conn.id,
                state: conn.state,
                age: now.since(conn.opened_at),
                active: conn.active,
            })
            .collect();
        let [connections_breaker, pending_breaker, requests_breaker] = breakers;
        Self {
            id,
            target,
            triple: pool.triple(),
            counts: pool.counts(),
            stats: pool.stats(),
            connections,
            waiters: pool.waiters().map(|waiter| now.since(waiter.queued_at)).collect(),
            connections_breaker,
            pending_breaker,
            requests_breaker,
        }
    }
}
