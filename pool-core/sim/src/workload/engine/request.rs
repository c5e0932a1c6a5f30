//! Requests on their way: slots that are used again.

use pool_core::exchange::{Exchange, Repeatable, RetryPolicy};
use pool_core::id::{ConnId, PoolId, WaiterId};
use pool_core::limits::Seat;
use pool_core::time::Instant;

use super::{Arrival, Ending};
use crate::workload::books::Ended;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The slot is free.
    Free,
    /// Between two attempts; what it comes to if there is no further one.
    Between(Ended),
    /// In a queue.
    Queued { pool: PoolId, waiter: WaiterId, since: Instant },
    /// On a connection.
    Bound { pool: PoolId, conn: ConnId, ending: Ending },
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) phase: Phase,
    /// Changes with the phase, so that an event of an earlier one is known as stale.
    pub(crate) stamp: u32,
    /// Changes with the request.
    pub(crate) life: u32,
    pub(crate) place: u32,
    pub(crate) key: u64,
    pub(crate) attempt: u32,
    /// Nanoseconds spent in queues.
    pub(crate) waited: u64,
    pub(crate) arrived: Instant,
    pub(crate) exchange: Exchange,
    pub(crate) retry_seat: Option<Seat>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    slots: Vec<Request>,
    free: Vec<u32>,
}

impl Requests {
    /// How many are on their way.
    pub(crate) fn open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The slots in use.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (u32, &Request)> {
        (0..).zip(&self.slots).filter(|(_, request)| request.phase != Phase::Free)
    }

    #[inline]
    pub(crate) fn get(&mut self, slot: u32) -> &mut Request {
        &mut self.slots[slot as usize]
    }

    pub(crate) fn add(&mut self, arrival: &Arrival, policy: RetryPolicy) -> u32 {
        let Arrival { at, place, key, gives_up: _, repeatable } = *arrival;
        let request = |life| Request {
            phase: Phase::Between(Ended::Unfinished),
            stamp: 0,
            life,
            place,
            key,
            attempt: 0,
            waited: 0,
            arrived: at,
            exchange: exchange(repeatable, policy, key),
            retry_seat: None,
        };
        if let Some(slot) = self.free.pop() {
            let old = &mut self.slots[slot as usize];
            *old = Request { stamp: old.stamp.wrapping_add(1), ..request(old.life.wrapping_add(1)) };
            return slot;
        }
        self.slots.push(request(0));
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    #[inline]
    pub(crate) fn free(&mut self, slot: u32) {
        let request = &mut self.slots[slot as usize];
        request.phase = Phase::Free;
        request.stamp = request.stamp.wrapping_add(1);
        self.free.push(slot);
    }
}

fn exchange(repeatable: Repeatable, policy: RetryPolicy, key: u64) -> Exchange {
    Exchange::new(repeatable, policy, key.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
