//! Time, the other user of the ledger, and how a run ends.

use pool_core::config::Admission;
use pool_core::limits::{Ledger, Limits, Priority, Resource, Thresholds};
use pool_core::pool::CloseReason;
use pool_core::report::{ClosedBy, StreamEnd};
use pool_core::time::{Deadline, Instant};

use super::{Bench, OTHER, Side};
use crate::book::{Drain, End, Socket, Up};

impl Bench {
    /// The earliest deadline of all pools.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, usize)> {
        let deadlines =
            self.sides.iter().enumerate().filter_map(|(side, Side { pool, .. })| {
                pool.deadline().instant(self.now).map(|at| (at, side))
            });
        deadlines.min()
    }

    /// Moves the clock, waking pools on the way.
    pub fn advance_to(&mut self, target: Instant) {
        let mut wakes = 0;
        while let Some((at, side)) = self.next_deadline().filter(|(at, _)| *at <= target) {
            self.now = self.now.max(at);
            self.timeout(side);
            wakes += 1;
            assert!(
                wakes < 10_000,
                "a deadline that does not move on: {:?}",
                self.sides[side].pool.deadline()
            );
        }
        self.now = self.now.max(target);
        self.take_all_orders();
    }

    /// The other user of the ledger takes a seat, if there is one.
    pub fn take_seat(&mut self, resource: Resource) {
        if let Ok(seat) = self.ledger.try_take(resource, OTHER) {
            self.held.push((resource, seat));
        }
        self.take_all_orders();
    }

    /// The other user gives a seat back.
    pub fn give_seat(&mut self, nth: usize) {
        if !self.held.is_empty() {
            let (_, seat) = self.held.remove(nth % self.held.len());
            self.ledger.give_back(seat);
            self.pump();
        }
    }

    /// Another limit comes into force for a resource.
    pub fn set_limit(&mut self, resource: Resource, max: u32) {
        let current = self.ledger.snapshot(Priority::Default, resource).current;
        self.ceilings[resource as usize] = self.ceiling(resource).min(current);
        let thresholds = self.ledger.limits().thresholds(Priority::Default).with(resource, max);
        self.ledger.set_limits(Limits::both(thresholds));
        self.pump();
    }

    /// Everything ends well: peers answer, sockets close when ordered to, seats come back.
    /// Then every queued request must get its outcome (invariant 24).
    pub fn run_fairly(&mut self) {
        self.take_all_orders();
        while !self.held.is_empty() {
            self.give_seat(0);
        }
        if self.sides[0].pool.config().admission() == Admission::Strict {
            // Without forced connections a pool may wait for as long as others keep theirs.
            self.ledger.set_limits(Thresholds::unlimited());
            self.pump();
        }
        let work: usize = self.sides.iter().map(|s| s.book.queue.len() + s.book.there().count()).sum();
        for _ in 0..8 * work + 8 {
            for side in 0..self.sides.len() {
                for socket in self.sides[side].book.sockets.clone() {
                    self.treat_fairly(side, &socket);
                }
                self.settled(side);
            }
        }
        for Side { pool, book, .. } in &self.sides {
            assert!(book.queue.is_empty(), "24: {:?} wait for ever in {pool:?}", book.queue);
        }
    }

    fn treat_fairly(&mut self, side: usize, socket: &Socket) {
        let id = socket.id;
        match socket.end {
            End::Gone => {}
            End::Ordered(_) => self.closed(side, id, ClosedBy::Local),
            End::Open if socket.up != Up::Yes => self.connected_fact(side, id, Some(2)),
            End::Open => {
                if socket.limit == 0 && socket.drain == Drain::No {
                    self.capacity_changed(side, id, 2);
                }
                for _ in &socket.requests {
                    if !self.is_closed(side, id) {
                        self.stream_ended(side, id, StreamEnd::Complete);
                    }
                }
            }
        }
    }

    /// Closes every socket that is left, after a wish that ends all.
    pub fn close_everything(&mut self) {
        self.take_all_orders();
        while !self.held.is_empty() {
            self.give_seat(0);
        }
        for side in 0..self.sides.len() {
            for socket in self.sides[side].book.sockets.clone() {
                if self.sides[side].book.socket(socket.id).is_there() {
                    self.closed(side, socket.id, ClosedBy::Remote);
                }
            }
        }
    }

    /// Nothing is left, in no pool and in no gauge.
    pub fn assert_nothing_is_left(&self) {
        for Side { pool, book, .. } in &self.sides {
            assert!(pool.is_idle(), "{pool:?}");
            assert_eq!(pool.deadline(), Deadline::Never);
            let stats = pool.stats();
            assert_eq!(stats.cx_total, stats.cx_destroy, "12");
            let outcomes = book.outcomes;
            assert_eq!(outcomes.queued, outcomes.bound + outcomes.failed + outcomes.cancelled, "20");
        }
        for resource in Resource::ALL {
            let gauge = self.ledger.snapshot(Priority::Default, resource);
            assert_eq!((gauge.current, gauge.reserved), (0, 0), "12: {resource:?} returns to zero");
        }
    }

    /// Whether a close order was meant to end streams.
    #[must_use]
    pub fn may_end_streams(reason: CloseReason) -> bool {
        matches!(
            reason,
            CloseReason::DrainTimeout
                | CloseReason::Aborted
                | CloseReason::ProtocolError
                | CloseReason::ConnectTimeout
        )
    }
}
