//! Circuit breakers as a ledger: check and count in one step, give back exactly once.
//!
//! A machine never stores a limit. It is lent a [`Ledger`] for the length of one call, so that
//! machines stay pure and cloneable while the numbers behind them may be shared by all workers.
//! Semantics are Envoy's circuit breakers (per cluster and [`Priority`]), made exact: admit and
//! count are one step, so no two workers overshoot, and a freed seat is handed to the longest
//! waiting pool, never grabbed.
//!
//! | ledger | for | numbers live |
//! |---|---|---|
//! | [`Local`] | search, models, simulation, a single worker | in the value itself |
//! | [`Shared`] | several workers | behind one lock, with per-worker banks for what each request costs |
//! | [`Recorder`], [`Recorded`] | recording a run, replaying it | in the log |
//!
//! # Reading order
//!
//! `thresholds` (what the limits are), `waits` (who is next), `book` (the law: counts, limits and
//! hand-over in one place, used by both live ledgers), [`local`], `bank` (one worker's credits),
//! [`shared`], [`recorded`].
//!
//! # Waiting
//!
//! A pool that was refused calls [`Ledger::await_free`]. Once a seat is free for it, that seat is
//! *reserved* and [`Ledger::poll_freed`] names the pool; its driver delivers the fact `SlotFreed`,
//! upon which the pool takes the seat with [`Ledger::try_take`] or passes it on with
//! [`Ledger::cancel_wait`]. A driver polls until `None` after every call that lent the ledger out,
//! and whenever the ledger's wake callback ran.

mod bank;
mod book;
pub mod local;
pub mod recorded;
pub mod shared;
mod sync;
mod thresholds;
mod waits;

pub use local::Local;
pub use recorded::{Divergence, Entry, Recorded, Recorder};
pub use shared::{Shared, SharedHandle, Wake};
pub use thresholds::{Limits, Thresholds, UNLIMITED};

use core::fmt;

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

impl Resource {
    /// Every resource, in the order of declaration.
    pub const ALL: [Self; 5] = [Self::Connections, Self::Pending, Self::Requests, Self::Retries, Self::Pools];
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

impl Priority {
    /// Both priorities, in the order of declaration.
    pub const ALL: [Self; 2] = [Self::Default, Self::High];
}

/// Who asks for a seat. The same for the whole life of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claimant {
    /// The pool; the name under which it waits and is woken.
    pub pool: PoolId,
    /// The host, for per-host limits (`per_host_thresholds`).
    pub host: HostId,
    /// Whose limits apply.
    pub priority: Priority,
}

/// One counted unit of a [`Resource`]. Not `Clone`: it is given back exactly once, to the ledger it
/// came from (of a [`Shared`] ledger: through any of its handles).
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "a seat that is dropped is never given back"]
pub struct Seat {
    pub(crate) resource: Resource,
    pub(crate) priority: Priority,
    pub(crate) host: HostId,
}

impl Seat {
    pub(crate) const fn new(resource: Resource, who: Claimant) -> Self {
        Self { resource, priority: who.priority, host: who.host }
    }
}

/// The limit that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Full {
    /// The cluster's limit for this resource and priority.
    Cluster,
    /// The per-host connection limit.
    Host,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "the cluster's limit is reached",
            Self::Host => "the host's connection limit is reached",
        })
    }
}

impl core::error::Error for Full {}

/// One limit and how far it is used, as Envoy's gauges show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gauge {
    /// Seats that are taken. Above `max` only after a lowered limit or
    /// [`Ledger::take_over_limit`].
    pub current: u64,
    /// The limit in force; [`UNLIMITED`] stands for none.
    pub max: u32,
    /// What `current` leaves of `max`, never negative (Envoy: `remaining_*`).
    pub remaining: u32,
    /// `current >= max`: the breaker is open (Envoy: `cx_open`, `rq_open` and so on).
    pub open: bool,
    /// How many of `remaining` are promised to waiting pools that have not taken them yet.
    pub reserved: u32,
}

/// How urgently a pool waits for a connection seat (design decision P1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// It already opened a connection without a seat; served before all others.
    Forced,
    /// It has requests that wait for a connection; served in arrival order.
    Queue,
}

/// A wait for a seat, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaitView {
    /// Who waits.
    pub pool: PoolId,
    /// Under whose limits.
    pub priority: Priority,
    /// For what.
    pub resource: Resource,
    /// How urgently.
    pub need: Need,
    /// How far it has come.
    pub progress: WaitProgress,
}

/// How far a wait has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitProgress {
    /// In the line.
    Waiting,
    /// A seat is reserved for it, and [`Ledger::poll_freed`] has not named it yet.
    Reserved,
    /// A seat is reserved for it, and it was named.
    Told,
}

/// The circuit breakers as a machine sees them during one call.
pub trait Ledger {
    /// Checks and counts in one step. While a freed seat is reserved for a waiting pool, only that
    /// pool can take it, and taking it ends the wait. A connection counts for its host and for
    /// the cluster together or not at all.
    ///
    /// A reservation lapses when the limit is lowered before it is used: the pool is refused and
    /// keeps its place in the wait list.
    ///
    /// # Errors
    /// [`Full`] names the limit that refused; nothing was counted.
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full>;

    /// Counts one without asking: a request that goes back to the head of a queue may pass
    /// `max_pending_requests`, and still shows in its gauge. Uses up a reservation of this pool.
    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat;

    /// Gives a seat back; a waiting pool may get it.
    fn give_back(&mut self, seat: Seat);

    /// Asks to be told (fact `SlotFreed`) when a seat is free. At most one wait per pool and
    /// resource; asking again keeps its place, and may raise its need to [`Need::Forced`].
    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need);

    /// Ends a wait, and passes a seat that is already reserved for this pool to the next.
    fn cancel_wait(&mut self, resource: Resource, who: Claimant);

    /// The next pool for which a seat was reserved since it was last asked: deliver `SlotFreed` to
    /// it. Each reservation is named once.
    ///
    /// The default is for ledgers that never reserve: in a replay these facts come from the log.
    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        None
    }
}
