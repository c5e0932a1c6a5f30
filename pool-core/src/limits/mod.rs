//! Circuit breakers as a ledger: check and count in one step, give back exactly once.
//!
//! A machine never stores a limit. It is lent a [`Ledger`] for the length of one call, so that
//! machines stay pure and cloneable while the numbers behind them may be shared by all workers.
//! Semantics are Envoy's circuit breakers (per cluster and [`Priority`]), made exact: admit and
//! count are one step, so no two workers overshoot, and a freed seat is handed to the longest
//! waiting pool, never grabbed.

use crate::id::{HostId, PoolId};

/// What is limited (Envoy: `CircuitBreakers.Thresholds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Resource {
    /// Open or opening connections: `max_connections`, default 1024.
    Connections,
    /// Requests waiting for a connection: `max_pending_requests`, default 1024.
    Pending,
    /// Requests bound to a connection: `max_requests`, default 1024.
    Requests,
    /// Retries in flight: `max_retries`, default 3.
    Retries,
    /// Pools: `max_connection_pools`, unlimited by default.
    Pools,
}

/// Envoy's `RoutingPriority`: each has limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Priority {
    /// `DEFAULT`.
    #[default]
    Default,
    /// `HIGH`.
    High,
}

/// Who asks for a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claimant {
    /// The pool; the name under which it waits and is woken.
    pub pool: PoolId,
    /// The host, for per-host limits (`per_host_thresholds`).
    pub host: HostId,
    /// Whose limits apply.
    pub priority: Priority,
}

/// One counted unit of a [`Resource`]. Not `Clone`: it is given back exactly once.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "a seat that is dropped is never given back"]
pub struct Seat {
    pub(crate) resource: Resource,
    pub(crate) priority: Priority,
    pub(crate) host: HostId,
}

/// The limit that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Full {
    /// The cluster's limit for this resource and priority.
    Cluster,
    /// The per-host connection limit.
    Host,
}

/// How urgently a pool waits for a connection seat (design decision P1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// It already opened a connection without a seat; served before all others.
    Forced,
    /// It has requests that wait for a connection; served in arrival order.
    Queue,
}

/// The circuit breakers as a machine sees them during one call.
pub trait Ledger {
    /// Checks and counts in one step. While a freed seat is reserved for a waiting pool, only that
    /// pool can take it.
    ///
    /// # Errors
    /// [`Full`] names the limit that refused; nothing was counted.
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full>;

    /// Counts one without asking: a request that goes back to the head of a queue may pass
    /// `max_pending_requests`, and still shows in its gauge.
    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat;

    /// Gives a seat back; a waiting pool may get it.
    fn give_back(&mut self, seat: Seat);

    /// Asks to be told (fact `SlotFreed`) when a seat is free. At most one wait per pool and
    /// resource; asking again keeps its place, and may raise its need to [`Need::Forced`].
    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need);

    /// Ends a wait, and passes a seat that is already reserved for this pool to the next.
    fn cancel_wait(&mut self, resource: Resource, who: Claimant);
}
