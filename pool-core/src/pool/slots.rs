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
pub(super) const NEVER: Instant = Instant::NEVER;

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
    pub(super) next: u32,
    /// `None` while the slot is vacant.
    pub(super) state: Option<State>,
    pub(super) usage: Usage,
}

const _: () = assert!(size_of::<Hot>() == 32, "two to a cache line; think before it grows");

/// The rest of a connection.
#[derive(Clone, Debug)]
pub(super) struct Cold {
    /// When the `Connect` order was given.
    pub(super) opened_at: Instant,
    /// When the handshake was complete, or [`NEVER`].
    pub(super) connected_at: Instant,
    /// When it is too old, or [`NEVER`]. Jitter included; until the handshake is complete as if that
    /// had been at [`Instant::ZERO`].
    pub(super) age_at: Instant,
    /// When its drain ends by force, or [`NEVER`].
    pub(super) drain_at: Instant,
    /// Its idle timeout in nanoseconds, jitter included; `u64::MAX` for none.
    pub(super) idle_for: u64,
    /// Streams that were in progress when it was given up.
    pub(super) lost: u32,
    /// What the driver has heard of it.
    pub(super) heard: Heard,
    /// The one before it in its list; see [`Ready`] for the first of the ready ones.
    pub(super) prev: u32,
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
    /// A slot that was never used.
    const VACANT: Self = Self {
        idle_since: NEVER,
        generation: 0,
        active: 0,
        limit: 0,
        remaining: 0,
        next: NONE,
        state: None,
        usage: Usage::First,
    };

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

/// Connections that may be bound, the one that became ready last first.
///
/// Nearly every request takes the first one and puts it back before the next request comes. So that
/// this touches no neighbour, `prev` of the first one is left as it is when it becomes the first:
/// `stale` is what it says, or [`NONE`] if that is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    /// Entered last.
    pub(super) head: u32,
    stale: u32,
    pub(super) len: u32,
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

/// How many records have their place beside the pool's own fields.
const NEAR: usize = 4;

/// All connections of a pool: the first few records in place, one cache miss away from nothing, the
/// others in a table of their own, and behind a pointer what a request does not touch.
#[repr(C)]
#[derive(Clone, Debug)]
pub(super) struct Slots {
    pub(super) ready: Ready,
    /// Connections that settle: `table.settling.len`, which every turn asks for.
    pub(super) settling: u32,
    near: [Hot; NEAR],
    /// Vacant ones at the end, for growth. Not a `Vec`: among its values that cannot be is where the
    /// compiler would note that there is no pool, and a request would have to look at one line more.
    far: Box<[Hot]>,
    pub(super) table: Box<Table>,
    /// Slots in use.
    pub(super) live: u32,
}

/// The part of the slots that only openings, closings and lists of the rarer states touch.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) draining: u32,
    pub(super) closing: u32,
    free: u32,
    pub(super) settling: List,
    pub(super) connecting: List,
    pub(super) early_data: List,
    /// One for every slot that was ever used.
    cold: Vec<Cold>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            ready: Ready { head: NONE, stale: NONE, len: 0 },
            settling: 0,
            near: [const { Hot::VACANT }; NEAR],
            far: Box::default(),
            table: Box::new(Table {
                draining: 0,
                closing: 0,
                free: NONE,
                settling: List::EMPTY,
                connecting: List::EMPTY,
                early_data: List::EMPTY,
                cold: Vec::new(),
            }),
            live: 0,
        }
    }

    #[inline]
    fn get(&self, index: u32) -> Option<&Hot> {
        let index = index as usize;
        if index < NEAR { Some(&self.near[index]) } else { self.far.get(index - NEAR) }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Hot> {
        let index = index as usize;
        if index < NEAR { Some(&mut self.near[index]) } else { self.far.get_mut(index - NEAR) }
    }

    /// The slot and state of a connection whose name is alive.
    #[inline]
    pub(super) fn find(&self, conn: ConnId) -> Option<(u32, State)> {
        let hot = self.get(conn.index)?;
        if hot.generation != conn.generation {
            return None;
        }
        Some((conn.index, hot.state?))
    }

    /// The record of a connection whose name is alive.
    #[inline]
    pub(super) fn find_hot(&mut self, conn: ConnId) -> Option<&mut Hot> {
        self.get_mut(conn.index).filter(|hot| hot.generation == conn.generation)
    }

    pub(super) fn id(&self, index: u32) -> ConnId {
        ConnId { index, generation: self[index].generation }
    }

    pub(super) fn cold(&self, index: u32) -> &Cold {
        &self.table.cold[index as usize]
    }

    pub(super) fn cold_mut(&mut self, index: u32) -> &mut Cold {
        &mut self.table.cold[index as usize]
    }

    /// Slots in use, in the order of the table.
    pub(super) fn live_slots(&self) -> impl Iterator<Item = (u32, State)> + '_ {
        (0u32..)
            .zip(self.near.iter().chain(self.far.iter()))
            .filter_map(|(index, hot)| Some((index, hot.state?)))
    }

    /// The largest generation; of a vacant slot it is one that was never given out.
    pub(super) fn generation(&self) -> u32 {
        self.near.iter().chain(self.far.iter()).map(|hot| hot.generation).max().unwrap_or(0)
    }

    /// How many slots there are, vacant ones included.
    pub(super) fn table_len(&self) -> u32 {
        u32::try_from(self.table.cold.len()).unwrap_or(NONE)
    }

    /// Connections that serve or will serve: neither draining nor given up.
    pub(super) fn serving(&self) -> u32 {
        self.live - self.table.draining - self.table.closing
    }

    /// The member of a list that entered last.
    pub(super) fn head(&self, name: ListName) -> u32 {
        match name {
            ListName::Connecting => self.table.connecting.head,
            ListName::EarlyData => self.table.early_data.head,
            ListName::Ready => self.ready.head,
            ListName::Settling => self.table.settling.head,
        }
    }

    /// The members of a list, last entered first.
    pub(super) fn members(&self, name: ListName) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.head(name);
        core::iter::from_fn(move || {
            let index = at;
            at = self.get(index)?.next;
            Some(index)
        })
    }

    /// The member after `index`, entered before it.
    pub(super) fn next(&self, index: u32) -> u32 {
        self[index].next
    }

    /// Whether every member of a list knows the one before it.
    pub(super) fn are_linked(&self) -> bool {
        let lists = [ListName::Connecting, ListName::EarlyData, ListName::Ready, ListName::Settling];
        lists.into_iter().all(|name| {
            let first = match name {
                ListName::Ready => self.ready.stale,
                ListName::Connecting | ListName::EarlyData | ListName::Settling => NONE,
            };
            let mut before = first;
            self.members(name).all(|index| {
                let said = self.cold(index).prev;
                let right = said == before || (index == self.ready.head && before == NONE);
                before = index;
                right
            })
        })
    }

    /// A slot for a new connection; vacant, in no list and no total until it gets a state.
    pub(super) fn insert(&mut self, limit: u32, remaining: u32, cold: Cold) -> u32 {
        self.live += 1;
        let index = self.table.free;
        if index != NONE {
            let hot = &mut self[index];
            let (generation, free) = (hot.generation, hot.next);
            *hot = Hot { generation, limit, remaining, ..Hot::VACANT };
            self.table.free = free;
            *self.cold_mut(index) = cold;
            return index;
        }
        let index = self.table_len();
        let hot = Hot { limit, remaining, ..Hot::VACANT };
        match self.near.get_mut(index as usize) {
            Some(near) => *near = hot,
            None => {
                let place = index as usize - NEAR;
                if place == self.far.len() {
                    self.grow();
                }
                self.far[place] = hot;
            }
        }
        // From one upwards by doubling: most pools have few connections, and there are many pools.
        let cold_slots = &mut self.table.cold;
        if cold_slots.len() == cold_slots.capacity() {
            cold_slots.reserve_exact(cold_slots.len().max(1));
        }
        cold_slots.push(cold);
        index
    }

    /// Doubles the room.
    #[cold]
    fn grow(&mut self) {
        let mut far = core::mem::take(&mut self.far).into_vec();
        let length = (2 * far.len()).max(NEAR);
        far.reserve_exact(length - far.len());
        far.resize(length, Hot::VACANT);
        self.far = far.into_boxed_slice();
    }

    /// Frees a slot whose connection is in no list and has no stream; its name is dead from now on.
    pub(super) fn remove(&mut self, index: u32) {
        let free = core::mem::replace(&mut self.table.free, index);
        let hot = &mut self[index];
        hot.generation = hot.generation.wrapping_add(1);
        hot.next = free;
        self.live -= 1;
    }

    /// The first of the ready connections, whose record the caller has at hand, is taken: `next` is
    /// the one behind it.
    #[inline]
    pub(super) fn pop_ready(&mut self, next: u32) {
        self.ready = Ready { head: next, stale: self.ready.head, len: self.ready.len - 1 };
    }

    /// Lists a connection that became ready; answers what its record must have as `next`.
    #[inline]
    pub(super) fn push_ready(&mut self, index: u32) -> u32 {
        let Ready { head, stale, len } = self.ready;
        self.ready = Ready { head: index, stale: NONE, len: len + 1 };
        if head != NONE && stale != index {
            self.cold_mut(head).prev = index;
        }
        head
    }

    pub(super) fn push_front(&mut self, name: ListName, index: u32) {
        let list = match name {
            ListName::Ready => {
                self[index].next = self.push_ready(index);
                return;
            }
            ListName::Connecting => &mut self.table.connecting,
            ListName::EarlyData => &mut self.table.early_data,
            ListName::Settling => {
                self.settling += 1;
                &mut self.table.settling
            }
        };
        let old = list.head;
        list.head = index;
        list.len += 1;
        if old == NONE {
            list.tail = index;
        } else {
            self.cold_mut(old).prev = index;
        }
        self.cold_mut(index).prev = NONE;
        self[index].next = old;
    }

    pub(super) fn unlink(&mut self, name: ListName, index: u32) {
        let next = self[index].next;
        let prev = self.cold(index).prev;
        let list = match name {
            ListName::Ready => {
                if self.ready.head == index {
                    return self.pop_ready(next);
                }
                self.ready.len -= 1;
                return self.join(prev, next);
            }
            ListName::Connecting => &mut self.table.connecting,
            ListName::EarlyData => &mut self.table.early_data,
            ListName::Settling => {
                self.settling -= 1;
                &mut self.table.settling
            }
        };
        if prev == NONE {
            list.head = next;
        }
        if next == NONE {
            list.tail = prev;
        }
        list.len -= 1;
        self.join(prev, next);
    }

    /// Makes two members neighbours after the one between them left.
    fn join(&mut self, prev: u32, next: u32) {
        if next != NONE {
            self.cold_mut(next).prev = prev;
        }
        if prev != NONE {
            self[prev].next = next;
        }
    }
}

impl Index<u32> for Slots {
    type Output = Hot;

    #[inline]
    fn index(&self, index: u32) -> &Hot {
        let index = index as usize;
        if index < NEAR { &self.near[index] } else { &self.far[index - NEAR] }
    }
}

impl IndexMut<u32> for Slots {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Hot {
        let index = index as usize;
        if index < NEAR { &mut self.near[index] } else { &mut self.far[index - NEAR] }
    }
}
