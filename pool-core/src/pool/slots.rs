//! Where connections live: a dense table of what every request touches, a second one of what only
//! openings, closings and timers touch, and intrusive lists through the first.

use core::ops::{Index, IndexMut};

use super::action::Usage;
use super::state::{Handshake, Phase, State};
use crate::id::ConnId;
use crate::time::Instant;

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// An instant that never comes.
pub(super) const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// What a bind and the end of a stream touch. Small on purpose: at 100 000 connections the cost of
/// a request is the cost of the cache lines that it touches.
#[derive(Clone, Debug)]
pub(super) struct Hot {
    /// When the last stream ended, or the handshake was complete.
    pub(super) idle_since: Instant,
    pub(super) generation: u32,
    /// Streams in progress.
    pub(super) active: u32,
    /// Streams allowed at a time.
    pub(super) limit: u32,
    /// Streams left in its life.
    pub(super) remaining: u32,
    prev: u32,
    next: u32,
    /// `None` while the slot is vacant.
    pub(super) state: Option<State>,
    pub(super) usage: Usage,
}

const _: () = assert!(size_of::<Hot>() == 40, "five words; think before it grows");

/// The rest of a connection.
#[derive(Clone, Debug)]
pub(super) struct Cold {
    /// When the `Connect` order was given.
    pub(super) opened_at: Instant,
    /// When the handshake was complete, or [`NEVER`].
    pub(super) connected_at: Instant,
    /// When it is too old, or [`NEVER`].
    pub(super) age_at: Instant,
    /// When its drain ends by force, or [`NEVER`].
    pub(super) drain_at: Instant,
    /// Its idle timeout in nanoseconds, jitter included; `u64::MAX` for none.
    pub(super) idle_for: u64,
    /// Streams that were in progress when it was given up.
    pub(super) lost: u32,
    /// What the driver has heard of it.
    pub(super) heard: Heard,
}

/// Which orders about a connection the driver has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// None; a connection that is given up now leaves without a trace outside.
    Nothing,
    /// `Connect`; a `Closed` report is owed.
    Connect,
    /// `Connect` and `Close`; it was us who closed it, whatever the socket says in the end.
    Close,
}

/// What a connection adds to the totals of its pool.
#[derive(Clone, Copy)]
pub(super) struct Share {
    pub(super) active: u32,
    pub(super) capacity: i64,
    pub(super) connecting: i64,
}

impl Hot {
    /// Streams that it could still take at once; negative after the peer lowered its limit.
    pub(super) fn unused(&self) -> i64 {
        i64::from(self.remaining).min(i64::from(self.limit) - i64::from(self.active))
    }

    /// Draining and closed connections add no capacity (design decision P12).
    pub(super) fn share(&self) -> Share {
        let (capacity, connecting) = match self.state {
            None | Some(State::Draining(_) | State::Closed(_)) => (0, 0),
            Some(State::Connecting | State::EarlyData | State::Busy(Handshake::Pending)) => {
                (self.unused(), self.unused())
            }
            Some(State::Ready(_) | State::Busy(Handshake::Complete)) => (self.unused(), 0),
        };
        Share { active: self.active, capacity, connecting }
    }
}

/// Connections of one state in the order in which they entered it.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    /// Entered last.
    pub(super) head: u32,
    /// Entered first.
    pub(super) tail: u32,
    pub(super) len: u32,
}

impl List {
    const EMPTY: Self = Self { head: NONE, tail: NONE, len: 0 };
}

/// The lists. Busy, draining and closed connections are in none: nobody chooses among them, and a
/// request should not pay for links that only a drain would follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListName {
    Connecting,
    EarlyData,
    Ready,
    Settling,
}

pub(super) fn list_of(state: Option<State>) -> Option<ListName> {
    match state {
        Some(State::Connecting) => Some(ListName::Connecting),
        Some(State::EarlyData) => Some(ListName::EarlyData),
        Some(State::Ready(Phase::Open)) => Some(ListName::Ready),
        Some(State::Ready(Phase::Settling)) => Some(ListName::Settling),
        None | Some(State::Busy(_) | State::Draining(_) | State::Closed(_)) => None,
    }
}

/// All connections of a pool. The first cache line is what a request touches.
#[repr(C)]
#[derive(Clone, Debug)]
pub(super) struct Slots {
    hot: Vec<Hot>,
    pub(super) ready: List,
    pub(super) settling: List,
    /// Slots in use.
    pub(super) live: u32,
    pub(super) draining: u32,
    pub(super) closing: u32,
    free: u32,
    pub(super) connecting: List,
    pub(super) early_data: List,
    cold: Vec<Cold>,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Self {
            hot: Vec::new(),
            ready: List::EMPTY,
            settling: List::EMPTY,
            connecting: List::EMPTY,
            early_data: List::EMPTY,
            free: NONE,
            live: 0,
            draining: 0,
            closing: 0,
            cold: Vec::new(),
        }
    }

    /// The slot and state of a connection whose name is alive.
    #[inline]
    pub(super) fn find(&self, conn: ConnId) -> Option<(u32, State)> {
        let hot = self.hot.get(conn.index as usize)?;
        if hot.generation != conn.generation {
            return None;
        }
        Some((conn.index, hot.state?))
    }

    /// The record of a connection whose name is alive.
    #[inline]
    pub(super) fn find_hot(&mut self, conn: ConnId) -> Option<&mut Hot> {
        self.hot.get_mut(conn.index as usize).filter(|hot| hot.generation == conn.generation)
    }

    pub(super) fn id(&self, index: u32) -> ConnId {
        ConnId { index, generation: self[index].generation }
    }

    pub(super) fn cold(&self, index: u32) -> &Cold {
        &self.cold[index as usize]
    }

    pub(super) fn cold_mut(&mut self, index: u32) -> &mut Cold {
        &mut self.cold[index as usize]
    }

    /// Slots in use, in the order of the table.
    pub(super) fn live_slots(&self) -> impl Iterator<Item = (u32, State)> + '_ {
        (0u32..).zip(&self.hot).filter_map(|(index, hot)| Some((index, hot.state?)))
    }

    /// How many slots there are, vacant ones included.
    pub(super) fn table_len(&self) -> u32 {
        u32::try_from(self.hot.len()).unwrap_or(NONE)
    }

    /// Connections that serve or will serve: neither draining nor given up.
    pub(super) fn serving(&self) -> u32 {
        self.live - self.draining - self.closing
    }

    pub(super) fn list(&self, name: ListName) -> &List {
        match name {
            ListName::Connecting => &self.connecting,
            ListName::EarlyData => &self.early_data,
            ListName::Ready => &self.ready,
            ListName::Settling => &self.settling,
        }
    }

    /// The members of a list, last entered first.
    pub(super) fn members(&self, name: ListName) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.list(name).head;
        core::iter::from_fn(move || {
            let index = at;
            at = self.hot.get(index as usize)?.next;
            Some(index)
        })
    }

    /// The member after `index`, entered before it.
    pub(super) fn next(&self, index: u32) -> u32 {
        self[index].next
    }

    /// A slot for a new connection; vacant, in no list and no total until it gets a state.
    pub(super) fn insert(&mut self, limit: u32, remaining: u32, cold: Cold) -> u32 {
        self.live += 1;
        let index = self.free;
        if index == NONE {
            // From one upwards by doubling: most pools have few connections, and there are many pools.
            if self.hot.len() == self.hot.capacity() {
                self.hot.reserve_exact(self.hot.len().max(1));
                self.cold.reserve_exact(self.hot.len().max(1));
            }
            let index = self.table_len();
            self.hot.push(Hot {
                idle_since: NEVER,
                generation: 0,
                active: 0,
                limit,
                remaining,
                prev: NONE,
                next: NONE,
                state: None,
                usage: Usage::First,
            });
            self.cold.push(cold);
            return index;
        }
        let hot = &mut self.hot[index as usize];
        self.free = hot.next;
        hot.idle_since = NEVER;
        hot.limit = limit;
        hot.remaining = remaining;
        hot.usage = Usage::First;
        self.cold[index as usize] = cold;
        index
    }

    /// Frees a slot whose connection is in no list and has no stream; its name is dead from now on.
    pub(super) fn remove(&mut self, index: u32) {
        let free = self.free;
        let hot = &mut self.hot[index as usize];
        hot.generation = hot.generation.wrapping_add(1);
        hot.next = free;
        self.free = index;
        self.live -= 1;
    }

    #[inline]
    fn list_mut(&mut self, name: ListName) -> &mut List {
        match name {
            ListName::Connecting => &mut self.connecting,
            ListName::EarlyData => &mut self.early_data,
            ListName::Ready => &mut self.ready,
            ListName::Settling => &mut self.settling,
        }
    }

    #[inline(always)]
    pub(super) fn push_front(&mut self, name: ListName, index: u32) {
        let list = self.list_mut(name);
        let old = list.head;
        list.head = index;
        list.len += 1;
        if old == NONE {
            list.tail = index;
        } else {
            self.hot[old as usize].prev = index;
        }
        let hot = &mut self.hot[index as usize];
        hot.prev = NONE;
        hot.next = old;
    }

    #[inline(always)]
    pub(super) fn unlink(&mut self, name: ListName, index: u32) {
        let Hot { prev, next, .. } = self.hot[index as usize];
        if next != NONE {
            self.hot[next as usize].prev = prev;
        }
        if prev != NONE {
            self.hot[prev as usize].next = next;
        }
        let list = self.list_mut(name);
        if prev == NONE {
            list.head = next;
        }
        if next == NONE {
            list.tail = prev;
        }
        list.len -= 1;
    }
}

impl Index<u32> for Slots {
    type Output = Hot;

    #[inline]
    fn index(&self, index: u32) -> &Hot {
        &self.hot[index as usize]
    }
}

impl IndexMut<u32> for Slots {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Hot {
        &mut self.hot[index as usize]
    }
}
