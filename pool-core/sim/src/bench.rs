//! Pools on one ledger, driven as a faithful driver does: hand in one thing, take all orders, hand
//! on freed seats, and never sleep past a deadline.

mod ends;
mod facts;

use std::sync::Arc;

use pool_core::config::{PoolConfig, Ratio};
use pool_core::id::{ConnId, HostId, PoolId, Token, WaiterId};
use pool_core::limits::{Claimant, Ledger, Limits, Local, Priority, Resource, Seat};
use pool_core::pool::{
    Action, Answer, CancelPolicy, CloseReason, ConnectReason, DrainMode, EarlyData, FailReason, Pool,
    Request, State, Triple,
};
use pool_core::time::Instant;

use crate::book::{AtHead, Book, Life, Socket, Waiting};
use crate::invariants;

/// What a bench is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of every pool.
    pub config: Arc<PoolConfig>,
    /// Of the ledger they share.
    pub limits: Limits,
    /// The host of each pool; its length is the number of pools.
    pub hosts: Vec<u32>,
    /// What the driver answers to `Connect` orders.
    pub initial_limit: Option<u32>,
}

/// What came out of a pool, for comparing two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order.
    Action(Action),
    /// The answer to a request.
    Answer(Answer),
}

/// One pool with its naive account.
#[derive(Debug)]
pub struct Side {
    /// The machine.
    pub pool: Pool,
    /// What must be true of it.
    pub book: Book,
    /// The newest `Connect` since the last trigger.
    newest: Option<(ConnId, ConnectReason)>,
    /// How many things were handed in at once.
    triggers: usize,
    /// Requests that failed since the last trigger, in order.
    failed: Vec<(Token, FailReason)>,
}

/// Pools on one ledger under a virtual clock.
#[derive(Debug)]
pub struct Bench {
    now: Instant,
    ledger: Local,
    sides: Vec<Side>,
    initial_limit: Option<u32>,
    held: Vec<(Resource, Seat)>,
    next_token: u64,
    requeues: u64,
    orders: Orders,
    /// What may be in use of each resource: its limit, or what was in use when that was lowered.
    ceilings: [u64; Resource::ALL.len()],
    /// Everything that came out, with the pool that it came from.
    pub events: Vec<(usize, Event)>,
}

/// What a driver knows of a connection's streams.
enum Streams {
    /// There is none.
    None,
    /// There is one.
    Known,
    /// There is one, and it has not heard of it.
    NotYetKnown,
}

/// When orders are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Orders {
    /// After each thing that is handed in.
    Taken,
    /// Not before one more thing was handed in.
    HeldBack,
}

/// The other user of the ledger.
const OTHER: Claimant = Claimant { pool: PoolId(99), host: HostId(99), priority: Priority::Default };

impl Bench {
    /// Unused pools on an unused ledger; the clock shows `now`.
    #[must_use]
    pub fn new(settings: &Settings, now: Instant) -> Self {
        let sides = (0..).zip(&settings.hosts).map(|(pool, host)| Side {
            pool: Pool::new(
                Arc::clone(&settings.config),
                Claimant { pool: PoolId(pool), host: HostId(*host), priority: Priority::Default },
                u64::from(pool),
            ),
            book: Book::new(&settings.config),
            triggers: 0,
            newest: None,
            failed: Vec::new(),
        });
        Self {
            now,
            ledger: Local::new(settings.limits),
            sides: sides.collect(),
            initial_limit: settings.initial_limit,
            held: Vec::new(),
            next_token: 0,
            requeues: 0,
            orders: Orders::Taken,
            ceilings: [0; Resource::ALL.len()],
            events: Vec::new(),
        }
    }

    // ---- questions ----

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The pools.
    #[must_use]
    pub fn sides(&self) -> &[Side] {
        &self.sides
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Local {
        &self.ledger
    }

    /// Seats that the other user holds.
    #[must_use]
    pub fn held(&self, resource: Resource) -> u64 {
        self.held.iter().filter(|(of, _)| *of == resource).count() as u64
    }

    /// Whether a requeued request may have passed `max_pending_requests`.
    #[must_use]
    pub fn has_requeued(&self) -> bool {
        self.requeues > 0
    }

    /// What may be in use of a resource. A limit that was lowered takes nothing away, but what is
    /// above it only goes down.
    #[must_use]
    pub fn ceiling(&self, resource: Resource) -> u64 {
        let gauge = self.ledger.snapshot(Priority::Default, resource);
        self.ceilings[resource as usize].max(u64::from(gauge.max))
    }

    fn is_closed(&self, side: usize, id: ConnId) -> bool {
        let view = self.sides[side].pool.connection(id);
        view.is_none_or(|view| matches!(view.state, State::Closed(_)))
    }

    /// A second world that goes on from here by itself; `None` while the other user holds seats,
    /// which nobody can copy.
    #[must_use]
    pub fn fork(&self) -> Option<Self> {
        let sides = self.sides.iter().map(|side| Side {
            pool: side.pool.fork(),
            book: side.book.clone(),
            failed: side.failed.clone(),
            ..*side
        });
        self.held.is_empty().then(|| Self {
            ledger: self.ledger.clone(),
            sides: sides.collect(),
            held: Vec::new(),
            events: self.events.clone(),
            ..*self
        })
    }

    /// Forgets connections whose socket is gone, so that two worlds with different pasts number
    /// their connections alike.
    pub fn forget_the_past(&mut self) {
        for side in &mut self.sides {
            side.book.sockets.retain(Socket::is_there);
        }
        self.events.clear();
    }

    /// What the driver knows of a connection's streams. It cannot report on one whose `Bind` it has
    /// not taken.
    fn streams(&self, side: usize, id: ConnId) -> Streams {
        let Side { pool, book, .. } = &self.sides[side];
        let active = pool.connection(id).map_or(0, |view| view.active);
        match (active, book.socket(id).requests.is_empty()) {
            (0, _) => Streams::None,
            (_, false) => Streams::Known,
            (_, true) => Streams::NotYetKnown,
        }
    }

    // ---- the loop of a driver ----

    fn trigger<T>(&mut self, side: usize, hand_in: impl FnOnce(&mut Pool, Instant, &mut Local) -> T) -> T {
        let target = &mut self.sides[side];
        if target.triggers == 0 {
            target.book.triggered();
            target.newest = None;
            target.failed.clear();
        }
        target.triggers += 1;
        hand_in(&mut target.pool, self.now, &mut self.ledger)
    }

    /// The next thing is handed in before the orders that follow from this one are taken, as when
    /// a connection reports twice.
    pub fn hold_orders_back(&mut self) {
        self.orders = Orders::HeldBack;
    }

    /// Orders are held back no longer.
    pub fn take_all_orders(&mut self) {
        self.orders = Orders::Taken;
        self.pump();
    }

    fn pump(&mut self) {
        if self.orders == Orders::HeldBack {
            self.orders = Orders::Taken;
            return;
        }
        (0..self.sides.len()).for_each(|side| self.take_orders(side));
        while let Some((pool, resource)) = self.ledger.poll_freed() {
            let freed = pool.0 as usize;
            if freed < self.sides.len() {
                self.trigger(freed, |pool, now, ledger| pool.handle_slot_freed(now, ledger, resource));
                self.take_orders(freed);
            }
        }
        invariants::check_all(self);
        for resource in Resource::ALL {
            let current = self.ledger.snapshot(Priority::Default, resource).current;
            self.ceilings[resource as usize] = self.ceiling(resource).min(current);
        }
    }

    fn take_orders(&mut self, side: usize) {
        while let Some(action) = self.sides[side].pool.poll_action() {
            self.events.push((side, Event::Action(action)));
            self.take_order(side, action);
        }
        let Side { pool, book, newest, triggers, .. } = &mut self.sides[side];
        let triggers = core::mem::take(triggers);
        if triggers == 0 {
            // Its orders were taken, and nothing was handed in since.
            return;
        }
        for view in pool.connections() {
            if matches!(view.state, State::Draining(_)) {
                book.drains(view.id);
            }
        }
        invariants::inv_17_at_most_three_opens_per_trigger(book, triggers);
        // Of several deadlines in one wake-up, a later one may have changed what an earlier one saw.
        if let (Some((newest, reason)), None, 1) = (newest.take(), self.initial_limit, triggers) {
            invariants::inv_18_opened_only_what_was_wanted(pool, book, newest, reason);
        }
    }

    fn take_order(&mut self, side: usize, action: Action) {
        let now = self.now;
        let Side { pool, book, newest, failed, triggers } = &mut self.sides[side];
        let alone = *triggers <= 1;
        match action {
            Action::Connect { conn, reason } => {
                let ended = alone && book.life == Life::Ending;
                assert!(!ended, "32: {conn:?} is opened by a pool that is to end");
                book.opened(now, conn, reason);
                *newest = Some((conn, reason));
                if let Some(limit) = self.initial_limit {
                    book.limit(conn, limit);
                }
                pool.handle_connect_started(now, &mut self.ledger, conn, self.initial_limit);
            }
            Action::Close { conn, reason } => {
                invariants::inv_26_streams_are_not_failed_by_policy(book, conn, reason);
                if alone && reason == CloseReason::Excess {
                    invariants::inv_19_the_newest_attempt_goes(book, conn);
                }
                book.ordered_to_close(conn, reason);
            }
            Action::Bind { waiter, token, conn, .. } => {
                if alone {
                    invariants::inv_21_first_come_first_served(book, waiter);
                }
                let waiting = book.left(token, waiter);
                book.outcomes.bound += 1;
                if alone {
                    book.may_be_bound(waiting.request, conn);
                }
                book.bound(waiting.request, conn);
            }
            Action::Fail { waiter, token, failure, reason } => {
                assert_eq!(reason.failure(), failure);
                book.left(token, waiter);
                book.outcomes.failed += 1;
                failed.push((token, reason));
            }
            Action::NotifyGoAway { conn } => {
                assert!(book.socket(conn).is_open(), "GOAWAY on a connection that is closed");
            }
            Action::Idle => book.idle_reports += 1,
        }
    }

    fn answered(&mut self, side: usize, request: Request, answer: Answer, at_head: AtHead) {
        self.events.push((side, Event::Answer(answer)));
        let Side { book, triggers, .. } = &mut self.sides[side];
        match answer {
            Answer::Bound(bound) => {
                if *triggers == 1 {
                    book.may_be_bound(request, bound.conn);
                }
                book.bound(request, bound.conn);
            }
            Answer::Queued(queued) => book.queued(request, queued.waiter, at_head),
            Answer::Failed(failed) => assert_eq!(failed.reason.failure(), failed.failure),
        }
        self.pump();
    }

    fn new_request(&mut self, early_data: EarlyData) -> Request {
        self.next_token += 1;
        Request { token: Token(self.next_token), early_data }
    }

    // ---- wishes ----

    /// A new request.
    pub fn request(&mut self, side: usize, early_data: EarlyData) -> Answer {
        let request = self.new_request(early_data);
        let answer = self.trigger(side, |pool, now, ledger| pool.request(now, ledger, request));
        let refused = matches!(answer, Answer::Failed(_));
        assert!(
            self.sides[side].book.life == Life::Open || refused,
            "32: a pool that is to end took a request"
        );
        self.answered(side, request, answer, AtHead::No);
        answer
    }

    /// A request that was bound before and goes back to the head.
    pub fn requeue(&mut self, side: usize, early_data: EarlyData, deadline: Option<Instant>) -> Answer {
        let request = self.new_request(early_data);
        self.requeues += 1;
        let answer = self.trigger(side, |pool, now, ledger| pool.requeue(now, ledger, request, deadline));
        self.answered(side, request, answer, AtHead::Yes);
        answer
    }

    /// Cancels a queued request.
    pub fn cancel(&mut self, side: usize, waiting: Waiting, policy: CancelPolicy) {
        let Waiting { request, waiter } = waiting;
        let before = invariants::excess_closes(&self.sides[side].book);
        let cancelled = self.trigger(side, |pool, now, ledger| pool.cancel(now, ledger, waiter, policy));
        let Side { book, triggers, .. } = &mut self.sides[side];
        let alone = *triggers == 1 && self.orders == Orders::Taken;
        if cancelled {
            book.left(request.token, waiter);
            book.outcomes.cancelled += 1;
        } else {
            assert!(*triggers > 1, "20: {waiter:?} is queued");
        }
        self.pump();
        if alone {
            let Side { pool, book, .. } = &self.sides[side];
            invariants::inv_19_one_excess_attempt_at_most(pool, book, before, policy);
        }
    }

    /// Cancels a name that is dead.
    pub fn cancel_stale(&mut self, side: usize, waiter: WaiterId) {
        let cancelled = self
            .trigger(side, |pool, now, ledger| pool.cancel(now, ledger, waiter, CancelPolicy::CloseExcess));
        assert!(!cancelled, "20: {waiter:?} is not queued");
        self.pump();
    }

    /// Drains.
    pub fn drain(&mut self, side: usize, mode: DrainMode) {
        let connected = self.connected(side);
        let alone = self.sides[side].triggers == 0 && self.orders == Orders::Taken;
        let needed = self.attempts_that_the_queue_needs(side);
        if mode == DrainMode::AndDelete {
            self.sides[side].book.life = Life::Ending;
        }
        self.trigger(side, |pool, now, ledger| pool.drain(now, ledger, mode));
        if alone && self.sides[side].book.life == Life::Open {
            self.take_orders(side);
            let Side { book, failed, .. } = &self.sides[side];
            invariants::inv_31_the_queue_keeps_its_attempts(book, &needed, failed);
        }
        self.pump();
        if mode != DrainMode::AndDelete {
            invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &connected);
        }
    }

    fn attempts_that_the_queue_needs(&self, side: usize) -> Vec<ConnId> {
        let Side { pool, book, .. } = &self.sides[side];
        if book.queue.is_empty() {
            return Vec::new();
        }
        let attempts = pool.connections().filter(|view| view.state == State::Connecting);
        attempts.map(|view| view.id).collect()
    }

    /// Retires one connection.
    pub fn retire(&mut self, side: usize, conn: ConnId) {
        self.trigger(side, |pool, now, ledger| pool.retire(now, ledger, conn));
        self.pump();
        invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &[conn]);
    }

    /// Asks for a connection ahead of need.
    pub fn preconnect(&mut self, side: usize, ratio: Ratio) {
        let before = self.sides[side].pool.stats().cx_total;
        let opened = self.trigger(side, |pool, now, ledger| pool.maybe_preconnect(now, ledger, ratio));
        let now_open = self.sides[side].pool.stats().cx_total;
        assert!(now_open - before <= 1, "17: one per call");
        assert!(!opened || now_open > before, "nothing was opened, and the answer was yes");
        self.pump();
    }

    /// Tears a pool down.
    pub fn abort(&mut self, side: usize) {
        self.sides[side].book.life = Life::Ending;
        self.trigger(side, |pool, now, ledger| pool.abort(now, ledger));
        self.pump();
        let pool = &self.sides[side].pool;
        assert_eq!(pool.triple(), Triple::default(), "abort leaves nothing");
    }
}
