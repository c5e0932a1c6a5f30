//! THE machine: the connections of one (worker, host, priority, key) and the requests that wait for
//! them.
//!
//! One algorithm serves HTTP/1.1, HTTP/2 and HTTP/3: a connection has a capacity of streams (one for
//! HTTP/1.1) and a lifetime budget. Semantics are Envoy's; where they differ, `docs/decisions.md` has
//! a row with the issue number.
//!
//! ```text
//!  request, cancel, drain ...            +------+   Bind, Fail, Idle
//!  ------------------------------------> |      | ------------------------------> the caller
//!  Connected, StreamEnded, Closed ...    | Pool |   Connect, Close, NotifyGoAway
//!  ------------------------------------> |      | ------------------------------> connections
//!  now                                   +------+   deadline
//!                                         ^    |
//!                                 verdict |    v try_take, give_back, await_free
//!                                        Ledger
//! ```
//!
//! # Driving it
//!
//! Hand in one fact or wish, then take actions with [`Pool::poll_action`] until there are none, then
//! sleep until [`Pool::deadline`] and call [`Pool::handle_timeout`]. With the reason
//! [`WakeReason::Settle`] feed what input there is to the connections first: that is what settling
//! waits for. When the ledger says that a seat was freed for this pool, call
//! [`Pool::handle_slot_freed`].
//!
//! Every request gets exactly one outcome: [`Answer::Bound`], [`Answer::Failed`], [`Action::Bind`],
//! [`Action::Fail`] or a [`Pool::cancel`] that answers `true`.
//!
//! # Reading order
//!
//! `state` (the six states), `demand` (when a connection is wanted), `attach` (who gets which),
//! `connect`, `streams`, `closing`, `drain`, `wake` (deadlines), `seats` (the ledger).

mod action;
mod attach;
mod canonical;
mod closing;
mod connect;
mod demand;
mod drain;
mod orders;
mod queue;
mod seats;
mod slots;
mod state;
mod stats;
mod streams;
mod view;
mod waiting;
mod wake;

use std::sync::Arc;

pub use action::{
    Action, Answer, BindReason, Bound, CancelPolicy, CloseReason, ConnectReason, DrainMode, EarlyData,
    FailReason, Failed, HostHealth, QueueReason, Queued, Request, Usage, WakeReason,
};
pub use canonical::Canonical;
pub use state::{DrainCause, Handshake, Phase, State};
pub use stats::{HISTOGRAM_BUCKETS, Histogram, Stats};
pub use view::{ConnView, Counts, Seating, Triple, WaiterView};

use crate::config::{EarlyDataSupport, Multiplexing, PoolConfig, Ratio, RequestLimit};
use crate::id::{HostId, PoolId};
use crate::limits::{Claimant, Priority};
use crate::time::{Heap, Instant};
use demand::Load;
use orders::Orders;
use queue::Queue;
use seats::{Seats, Wait};
use slots::{Hot, NONE, Slots, list_of};
use state::State as S;

/// One pool. See the [module's documentation](self).
// At 10 000 pools a request costs what its cache misses cost. What the direct way of a bind and of a
// stream's end reads and writes is one line here, and one record of a connection in the next two;
// the fourth line is for what opens, closes and waits, and all else is behind the pointers in it.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Pool {
    /// Unused streams on all connections that are not draining.
    capacity: i64,
    /// Requests bound so far; lives here because every request counts it.
    rq_total: u64,
    seats: Seats,
    /// Streams in progress, on draining connections too (Envoy: `num_active_streams_`).
    active: u32,
    // A claimant's fields one by one: as a struct it would bring padding into a line that is full.
    pool: PoolId,
    host: HostId,
    priority: Priority,
    flavour: Flavour,
    request_limit: RequestLimit,
    life: Life,
    wait: Wait,
    health: HostHealth,
    spares: Spares,
    slots: Slots,
    /// The first of `cold.timers`, or [`slots::NEVER`].
    wake_at: Instant,
    cold: Box<Cold>,
    /// Actions that the driver has not taken.
    untaken: u32,
}

const _: () = {
    assert!(core::mem::offset_of!(Pool, slots) == 48, "the first line is what a request touches");
    assert!(size_of::<Pool>() == 256, "four lines; think before it grows");
};

/// What a request that finds a ready connection does not touch.
#[derive(Clone, Debug)]
struct Cold {
    config: Arc<PoolConfig>,
    seed: u64,
    /// Connections ordered so far; what a connection's jitter is drawn from.
    serial: u64,
    /// Where the generations of names begin; see [`Pool::begin_names_at`].
    generation: u32,
    /// How many connections the last trigger may still open.
    budget: u8,
    /// The connection that was opened without a seat, or [`NONE`].
    forced: u32,
    idle: IdleReport,
    ratio: Ratio,
    /// Unused streams on connections whose handshake is not complete.
    connecting: i64,
    queue: Queue,
    timers: Heap<WakeReason>,
    orders: Orders,
    stats: Stats,
}

/// Whether streams in progress ask for spare connections (`per_upstream_preconnect_ratio`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spares {
    None,
    ByRatio,
}

/// [`Multiplexing`], copied to where every request can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    Exclusive,
    Streams,
}

/// Whether the pool takes requests and opens connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Life {
    Open,
    /// No more: `DrainAndDelete`, or torn down.
    Deleting,
}

/// Whether the owner was told that nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum IdleReport {
    /// The pool was never used. Only a wish to delete it, or an owner that made it for one request,
    /// makes this worth a report.
    Fresh,
    /// Not since it was used last.
    Due,
    Done,
}

impl Pool {
    /// A pool without connections. `who` is the name under which it claims seats; `seed` decides
    /// what jitter its connections draw.
    #[must_use]
    pub fn new(config: Arc<PoolConfig>, who: Claimant, seed: u64) -> Self {
        let flavour = match config.multiplexing() {
            Multiplexing::Exclusive => Flavour::Exclusive,
            Multiplexing::Streams { .. } => Flavour::Streams,
        };
        let ratio = config.per_upstream_preconnect_ratio();
        Self {
            capacity: 0,
            rq_total: 0,
            seats: Seats::default(),
            active: 0,
            pool: who.pool,
            host: who.host,
            priority: who.priority,
            flavour,
            request_limit: config.request_limit(),
            life: Life::Open,
            wait: Wait::None,
            health: HostHealth::Healthy,
            spares: if ratio == Ratio::ONE { Spares::None } else { Spares::ByRatio },
            slots: Slots::new(),
            wake_at: slots::NEVER,
            untaken: 0,
            cold: Box::new(Cold {
                config,
                seed,
                serial: 0,
                generation: 0,
                budget: 0,
                forced: NONE,
                idle: IdleReport::Fresh,
                ratio,
                connecting: 0,
                queue: Queue::new(),
                timers: Heap::new(),
                orders: Orders::default(),
                stats: Stats::default(),
            }),
        }
    }

    /// Where the names of a pool that follows this one, under the same id, have to begin so that none
    /// of them is one of this pool's.
    pub(crate) fn next_generation(&self) -> u32 {
        self.cold.generation.max(self.slots.generation()).max(self.cold.queue.generation())
    }

    /// Begins names at `generation`. For a pool that was never used.
    pub(crate) fn begin_names_at(&mut self, generation: u32) {
        self.cold.generation = generation;
    }

    /// A copy of this pool, for search and models.
    ///
    /// The copy holds the same seats, so the ledger must be copied with it, and only one of the two
    /// worlds may go on with the original ledger.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { seats: self.seats.fork(), slots: self.slots.clone(), cold: self.cold.clone(), ..*self }
    }

    /// The name under which seats are claimed.
    #[inline]
    fn who(&self) -> Claimant {
        Claimant { pool: self.pool, host: self.host, priority: self.priority }
    }

    /// What is asked of the pool, for the should-create test.
    fn load(&self) -> Load {
        Load {
            pending: u64::from(self.cold.queue.len()),
            active: u64::from(self.active),
            capacity: self.capacity,
            connecting: self.cold.connecting,
            settling: self.slots.settling,
        }
    }

    /// Every change of a connection but the two on a request's direct way goes through here, so that
    /// lists and totals follow.
    fn change(&mut self, index: u32, edit: impl FnOnce(&mut Hot)) {
        let hot = &mut self.slots[index];
        let (share, from) = (hot.share(), hot.state);
        edit(hot);
        let (after, to) = (hot.share(), hot.state);
        self.active = self.active + after.active - share.active;
        self.capacity += after.capacity - share.capacity;
        self.cold.connecting += after.connecting - share.connecting;
        if from == to {
            return;
        }
        let (old, new) = (list_of(from), list_of(to));
        if old != new {
            if let Some(list) = old {
                self.slots.unlink(list, index);
            }
            if let Some(list) = new {
                self.slots.push_front(list, index);
            }
        }
        match from {
            Some(S::Draining(_)) => self.slots.table.draining -= 1,
            Some(S::Closed(_)) => self.slots.table.closing -= 1,
            None | Some(S::Connecting | S::EarlyData | S::Ready(_) | S::Busy(_)) => {}
        }
        match to {
            Some(S::Draining(_)) => self.slots.table.draining += 1,
            Some(S::Closed(_)) => self.slots.table.closing += 1,
            None | Some(S::Connecting | S::EarlyData | S::Ready(_) | S::Busy(_)) => {}
        }
    }

    /// A fact or wish about a dead name, or one that makes no sense now.
    #[cold]
    fn ignore(&mut self) {
        self.cold.stats.ignored_facts += 1;
    }

    fn early_data_supported(&self) -> bool {
        self.cold.config.early_data() == EarlyDataSupport::On
    }
}

#[cfg(test)]
mod tests;
