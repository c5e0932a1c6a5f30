//! The pool's dealings with the ledger: seats held, the wait for one, the forced connection (P1).

use super::connect::{Attempt, Creation};
use super::slots::NONE;
use super::state::State;
use super::{FailReason, Life, Pool};
use crate::config::RequestLimit;
use crate::limits::{Claimant, Ledger, Need, Resource, Seat};
use crate::time::Instant;

/// Seats held, counted per resource: seats of one pool and resource are all alike, so a number does
/// for what would otherwise be stored with every stream.
#[derive(Debug, Default)]
pub(super) struct Seats {
    connections: u32,
    pending: u32,
    requests: u32,
}

impl Seats {
    /// Keeps a seat.
    #[inline]
    pub(super) fn put(&mut self, seat: Seat) {
        let Seat { resource, priority: _, host: _ } = seat;
        *self.count(resource) += 1;
    }

    /// A seat to give back, if one is held.
    #[inline]
    pub(super) fn take(&mut self, resource: Resource, who: Claimant) -> Option<Seat> {
        let count = self.count(resource);
        *count = count.checked_sub(1)?;
        Some(Seat::new(resource, who))
    }

    /// How many of [`Resource::Pending`]: one for every queued request.
    #[inline]
    pub(super) fn pending(&self) -> u32 {
        self.pending
    }

    /// [`Seats::put`] for what every request takes.
    #[inline]
    pub(super) fn put_request(&mut self, seat: Seat) {
        let Seat { resource: _, priority: _, host: _ } = seat;
        self.requests += 1;
    }

    /// [`Seats::take`] for what every request gives back.
    #[inline]
    pub(super) fn take_request(&mut self, who: Claimant) -> Option<Seat> {
        self.requests = self.requests.checked_sub(1)?;
        Some(Seat::new(Resource::Requests, who))
    }

    /// A second book of the same seats; see [`Pool::fork`].
    pub(super) fn fork(&self) -> Self {
        Self { connections: self.connections, pending: self.pending, requests: self.requests }
    }

    /// Whether the seats are those that the pool should hold.
    pub(super) fn agree(&self, pool: &Pool) -> bool {
        let forced = u32::from(pool.cold.forced != NONE);
        let requests = match pool.request_limit {
            RequestLimit::Enforced => u64::from(pool.active),
            RequestLimit::Ignored => 0,
        };
        self.connections + forced == pool.slots.live
            && self.pending == pool.cold.queue.len()
            && u64::from(self.requests) == requests
    }

    /// A pool holds seats of three resources; the other two belong to its owner.
    #[inline]
    fn count(&mut self, resource: Resource) -> &mut u32 {
        match resource {
            Resource::Connections => &mut self.connections,
            Resource::Pending => &mut self.pending,
            Resource::Requests | Resource::Retries | Resource::Pools => &mut self.requests,
        }
    }
}

/// What the pool waits for at the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Wait {
    None,
    /// A seat for a connection that queued requests need.
    Queue,
    /// A seat for the connection that was opened without.
    Forced,
}

impl Pool {
    /// A seat of `resource` was freed and is kept for this pool: the fact behind
    /// [`Ledger::await_free`].
    pub fn handle_slot_freed(&mut self, now: Instant, ledger: &mut impl Ledger, resource: Resource) {
        match resource {
            Resource::Connections => {}
            Resource::Pending | Resource::Requests | Resource::Retries | Resource::Pools => {
                // The pool never asked for these.
                ledger.cancel_wait(resource, self.who());
                return self.ignore();
            }
        }
        if self.wait == Wait::None {
            // It came too late; somebody else may need it.
            ledger.cancel_wait(resource, self.who());
            return;
        }
        if self.has_unseated() {
            self.seat_forced(ledger);
            if self.has_unseated() {
                // Nothing was kept for us after all; keep the place in the line.
                self.wait_for(ledger, Need::Forced);
                return;
            }
        }
        match self.create(now, ledger, Attempt::Woken) {
            Creation::Created | Creation::Forced | Creation::Refused => {}
            // What there is will serve the queue; keep no seat from others.
            Creation::NotWanted => self.stop_waiting(ledger),
        }
        self.finish(now, ledger);
    }

    /// Whether there is a connection without a seat that is not yet given up.
    pub(super) fn has_unseated(&self) -> bool {
        match self.cold.forced {
            NONE => false,
            index => match self.slots[index].state {
                Some(State::Closed(_)) | None => false,
                Some(
                    State::Connecting
                    | State::EarlyData
                    | State::Ready(_)
                    | State::Busy(_)
                    | State::Draining(_),
                ) => true,
            },
        }
    }

    /// Seats the forced connection if a seat is free for it.
    pub(super) fn seat_forced(&mut self, ledger: &mut impl Ledger) {
        if self.wait == Wait::Forced && self.has_unseated() {
            if let Ok(seat) = ledger.try_take(Resource::Connections, self.who()) {
                self.seats.put(seat);
                self.cold.forced = NONE;
                self.stop_waiting(ledger);
            }
        }
    }

    /// After a seat was taken, or when none is needed any more.
    pub(super) fn stop_waiting(&mut self, ledger: &mut impl Ledger) {
        if self.wait != Wait::None {
            self.wait = Wait::None;
            ledger.cancel_wait(Resource::Connections, self.who());
        }
    }

    /// Lines up for a seat.
    pub(super) fn wait_for(&mut self, ledger: &mut impl Ledger, need: Need) {
        let wait = match need {
            Need::Queue => Wait::Queue,
            Need::Forced => Wait::Forced,
        };
        if wait > self.wait {
            self.wait = wait;
        }
        ledger.await_free(Resource::Connections, self.who(), need);
    }

    /// Brings the wait in line with what is left to wait for.
    pub(super) fn update_wait(&mut self, ledger: &mut impl Ledger) {
        if self.wait == Wait::None {
            return;
        }
        let wanted = if self.has_unseated() {
            Wait::Forced
        } else if self.cold.queue.is_empty() || self.life == Life::Deleting {
            Wait::None
        } else {
            Wait::Queue
        };
        match (self.wait, wanted) {
            (Wait::None, _) | (Wait::Queue, Wait::Queue) | (Wait::Forced, Wait::Forced) => {}
            (Wait::Queue | Wait::Forced, Wait::None) => self.stop_waiting(ledger),
            (Wait::Queue, Wait::Forced) => self.wait_for(ledger, Need::Forced),
            (Wait::Forced, Wait::Queue) => {
                // The forced connection is gone and its urgency with it.
                self.stop_waiting(ledger);
                self.wait_for(ledger, Need::Queue);
            }
        }
    }

    /// What every fact and wish that may have emptied something ends with.
    #[inline]
    pub(super) fn finish(&mut self, now: Instant, ledger: &mut impl Ledger) {
        if self.life == Life::Deleting || self.wait != Wait::None || self.slots.live == 0 {
            self.finish_slowly(now, ledger);
        }
    }

    #[cold]
    fn finish_slowly(&mut self, now: Instant, ledger: &mut impl Ledger) {
        if self.life == Life::Deleting {
            if self.cold.queue.is_empty() {
                self.close_unused(now, ledger);
            } else if self.slots.serving() == 0 {
                self.purge(ledger, FailReason::Deleted, 0);
            }
        }
        self.update_wait(ledger);
        self.report_idle();
    }

    /// Gives back `count` request seats, if requests are limited at all.
    #[inline]
    pub(super) fn release_requests(&mut self, ledger: &mut impl Ledger, count: u32) {
        match self.request_limit {
            RequestLimit::Ignored => {}
            RequestLimit::Enforced => {
                for _ in 0..count {
                    if let Some(seat) = self.seats.take_request(self.who()) {
                        ledger.give_back(seat);
                    }
                }
            }
        }
    }

    /// Gives every seat back, for a pool that is about to be dropped with all that it had.
    pub(crate) fn give_up_seats(&mut self, ledger: &mut impl Ledger) {
        for resource in [Resource::Connections, Resource::Pending, Resource::Requests] {
            while let Some(seat) = self.seats.take(resource, self.who()) {
                ledger.give_back(seat);
            }
        }
        ledger.cancel_wait(Resource::Connections, self.who());
    }

    /// Books the seat of a connection that is gone.
    pub(super) fn release_connection(&mut self, ledger: &mut impl Ledger, index: u32) {
        if self.cold.forced == index {
            self.cold.forced = NONE;
        } else if let Some(seat) = self.seats.take(Resource::Connections, self.who()) {
            ledger.give_back(seat);
        }
    }
}
