//! Questions: what a pool holds at the moment.

use super::action::{EarlyData, HostHealth, Usage};
use super::slots::{NEVER, list_of};
use super::state::{Handshake, State};
use super::stats::Stats;
use super::{Pool, Wait};
use crate::config::PoolConfig;
use crate::id::{ConnId, Token, WaiterId};
use crate::limits::Claimant;
use crate::time::Instant;

/// Envoy's three numbers of a pool, `(A, P, C)` in scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Triple {
    /// Streams in progress, on draining connections too.
    pub active: u64,
    /// Requests queued.
    pub pending: u64,
    /// Unused streams on all connections that are not draining, handshake complete or not. Negative
    /// while a peer allows fewer streams than are in progress.
    pub capacity: i64,
}

/// Connections by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// [`State::Connecting`].
    pub connecting: u32,
    /// [`State::EarlyData`].
    pub early_data: u32,
    /// [`State::Ready`], settling ones included.
    pub ready: u32,
    /// Of `ready`, those that settle.
    pub settling: u32,
    /// [`State::Busy`].
    pub busy: u32,
    /// [`State::Draining`].
    pub draining: u32,
    /// [`State::Closed`]: ordered to close, the socket not known to be gone.
    pub closing: u32,
}

impl Counts {
    /// Envoy's `upstream_cx_active`: all that are not ordered to close.
    #[must_use]
    pub const fn active(&self) -> u32 {
        self.connecting + self.early_data + self.ready + self.busy + self.draining
    }
}

/// Whether a connection holds a seat of `max_connections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seating {
    /// It does.
    Seated,
    /// It was opened without; it gets the next one that is free (design decision P1).
    Forced,
}

/// A connection, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnView {
    /// Its name.
    pub id: ConnId,
    /// Its state.
    pub state: State,
    /// When the `Connect` order was given.
    pub opened_at: Instant,
    /// When the handshake was complete, if it is.
    pub connected_at: Option<Instant>,
    /// Streams in progress.
    pub active: u32,
    /// Streams that it could take at once; negative after the peer lowered its limit.
    pub unused: i64,
    /// Streams left in its life.
    pub remaining: u32,
    /// Streams allowed at a time.
    pub limit: u32,
    /// Whether it has carried a stream.
    pub usage: Usage,
    /// Whether it holds a seat.
    pub seating: Seating,
}

/// A queued request, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaiterView {
    /// Its name in the queue.
    pub id: WaiterId,
    /// The caller's name for it.
    pub token: Token,
    /// Whether it may go out as early data.
    pub early_data: EarlyData,
    /// When it entered the queue.
    pub queued_at: Instant,
    /// When it fails if it still waits.
    pub deadline: Option<Instant>,
}

impl Pool {
    /// The settings.
    #[must_use]
    pub fn config(&self) -> &PoolConfig {
        &self.cold.config
    }

    /// The name under which the pool claims seats.
    #[must_use]
    pub fn claimant(&self) -> Claimant {
        self.who()
    }

    /// Whether nothing is left: no connection, closing ones included, and no queued request.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.slots.live == 0 && self.cold.queue.is_empty()
    }

    /// Requests bound so far, and those that are in progress: what every request changes.
    #[cfg(feature = "client")]
    #[inline]
    pub(crate) fn requests(&self) -> (u64, u64) {
        (self.rq_total, u64::from(self.active))
    }

    /// Whether a stream is in progress or a request is queued (Envoy: `hasActiveConnections`).
    #[must_use]
    pub fn has_active_connections(&self) -> bool {
        self.active > 0 || !self.cold.queue.is_empty()
    }

    /// Whether the pool waits for the ledger to free a connection seat.
    #[must_use]
    pub fn awaits_seat(&self) -> bool {
        self.wait != Wait::None
    }

    /// Envoy's three numbers.
    #[must_use]
    pub fn triple(&self) -> Triple {
        Triple {
            active: u64::from(self.active),
            pending: u64::from(self.cold.queue.len()),
            capacity: self.capacity,
        }
    }

    /// Unused streams on connections whose handshake is not complete (Envoy:
    /// `connecting_stream_capacity`).
    #[must_use]
    pub fn connecting_capacity(&self) -> i64 {
        self.cold.connecting
    }

    /// Connections by state.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let slots = &self.slots;
        let (connecting, early_data) = (slots.table.connecting.len, slots.table.early_data.len);
        let (settling, ready) = (slots.settling, slots.ready.len + slots.settling);
        Counts {
            connecting,
            early_data,
            ready,
            settling,
            busy: slots.serving() - connecting - early_data - ready,
            draining: slots.table.draining,
            closing: slots.table.closing,
        }
    }

    /// A snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { rq_total: self.rq_total, ..self.cold.stats.clone() }
    }

    /// All connections, in no particular but repeatable order.
    pub fn connections(&self) -> impl Iterator<Item = ConnView> + '_ {
        self.slots.live_slots().map(|(index, state)| self.view(index, state))
    }

    /// One connection, if its name is alive.
    #[must_use]
    pub fn connection(&self, conn: ConnId) -> Option<ConnView> {
        let (index, state) = self.slots.find(conn)?;
        Some(self.view(index, state))
    }

    /// All queued requests, the one that is served next first.
    pub fn waiters(&self) -> impl Iterator<Item = WaiterView> + '_ {
        self.cold.queue.iter().map(|index| {
            let waiter = self.cold.queue.get(index);
            WaiterView {
                id: self.cold.queue.id(index),
                token: waiter.token,
                early_data: waiter.early_data,
                queued_at: waiter.queued_at,
                deadline: (waiter.deadline != NEVER).then_some(waiter.deadline),
            }
        })
    }

    /// The host's health as last heard.
    #[must_use]
    pub fn health(&self) -> HostHealth {
        self.health
    }

    /// Recomputes every total from scratch, for tests of all kinds: several of Envoy's defects were
    /// totals that had drifted (#15061, #18999, #38708, #39310).
    ///
    /// # Errors
    /// Names the first total that is wrong.
    pub fn audit(&self) -> Result<(), &'static str> {
        let (mut active, mut capacity, mut connecting) = (0, 0, 0);
        let (mut live, mut draining, mut closing, mut listed) = (0, 0, 0, 0);
        for (index, state) in self.slots.live_slots() {
            let hot = &self.slots[index];
            let share = hot.share();
            active += u64::from(share.active);
            capacity += share.capacity;
            connecting += share.connecting;
            live += 1;
            listed += usize::from(list_of(Some(state)).is_some());
            match state {
                State::Connecting if hot.active > 0 => return Err("streams on a connecting connection"),
                State::EarlyData | State::Ready(_) if hot.unused() <= 0 => {
                    return Err("ready without capacity");
                }
                State::Busy(_) if hot.unused() > 0 => return Err("busy with capacity"),
                State::Draining(_) if hot.active == 0 => return Err("draining without streams"),
                State::Closed(_) if hot.active > 0 => return Err("streams on a closed connection"),
                State::Draining(_) => draining += 1,
                State::Closed(_) => closing += 1,
                State::Busy(Handshake::Pending | Handshake::Complete)
                | State::Connecting
                | State::EarlyData
                | State::Ready(_) => {}
            }
        }
        let slots = &self.slots;
        let table = &slots.table;
        let in_lists = table.connecting.len + table.early_data.len + table.settling.len + slots.ready.len;
        let checks = [
            (u64::from(self.active) == active, "active streams"),
            (self.capacity == capacity, "capacity"),
            (self.cold.connecting == connecting, "connecting capacity"),
            (
                (slots.live, slots.table.draining, slots.table.closing) == (live, draining, closing),
                "connections",
            ),
            (in_lists as usize == listed && table.settling.len == slots.settling, "list lengths"),
            (slots.are_linked(), "links of lists"),
            (self.wake_at == self.first_timer(), "the first timer"),
            (self.cold.queue.iter().count() == self.cold.queue.len() as usize, "queue length"),
            (self.cold.queue.is_empty() || slots.ready.len == 0, "a queue beside a ready connection"),
            (self.seats.agree(self), "seats"),
        ];
        checks.iter().find(|(right, _)| !right).map_or(Ok(()), |(_, name)| Err(*name))
    }

    fn view(&self, index: u32, state: State) -> ConnView {
        let (hot, cold) = (&self.slots[index], self.slots.cold(index));
        ConnView {
            id: self.slots.id(index),
            state,
            opened_at: cold.opened_at,
            connected_at: (cold.connected_at != NEVER).then_some(cold.connected_at),
            active: hot.active,
            unused: hot.unused(),
            remaining: hot.remaining,
            limit: hot.limit,
            usage: hot.usage,
            seating: if self.cold.forced == index { Seating::Forced } else { Seating::Seated },
        }
    }
}
