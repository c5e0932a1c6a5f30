//! Pools on one ledger, driven as a faithful driver does: hand in one thing, take all orders, hand
//! on freed seats, and never sleep past a deadline.

use std::sync::Arc;

use pool_core::config::{Admission, EarlyDataSupport, PoolConfig, Ratio};
use pool_core::id::{ConnId, HostId, PoolId, Token, WaiterId};
use pool_core::limits::{Claimant, Ledger, Limits, Local, Priority, Resource, Seat, Thresholds};
use pool_core::pool::{
    Action, Answer, CancelPolicy, CloseReason, ConnectReason, DrainMode, EarlyData, FailReason, HostHealth,
    Pool, Request, State, Triple,
};
use pool_core::report::{ClosedBy, StreamEnd};
use pool_core::time::{Deadline, Instant};

use crate::book::{AtHead, Book, Drain, End, Life, Socket, Up, Waiting};
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
        if mode == DrainMode::AndDelete {
            self.sides[side].book.life = Life::Ending;
        }
        self.trigger(side, |pool, now, ledger| pool.drain(now, ledger, mode));
        self.pump();
        if mode != DrainMode::AndDelete {
            invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &connected);
        }
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

    // ---- facts ----

    /// Early keys are there. Illegal unless the pool supports it and the connection is connecting.
    pub fn early_data_ready(&mut self, side: usize, conn: ConnId) {
        let Side { pool, book, .. } = &mut self.sides[side];
        let supported = book.early_data == EarlyDataSupport::On;
        let connecting = pool.connection(conn).is_some_and(|view| view.state == State::Connecting);
        if supported && connecting {
            book.up(conn, Up::Early);
        }
        self.trigger(side, |pool, now, ledger| pool.handle_early_data_ready(now, ledger, conn));
        self.pump();
    }

    /// The handshake is complete.
    pub fn connected_fact(&mut self, side: usize, conn: ConnId, limit: Option<u32>) {
        let closed = self.is_closed(side, conn);
        let book = &mut self.sides[side].book;
        if book.socket(conn).up != Up::Yes && !closed {
            book.up(conn, Up::Yes);
            if let Some(limit) = limit {
                book.limit(conn, limit);
            }
        }
        self.trigger(side, |pool, now, ledger| pool.handle_connected(now, ledger, conn, limit));
        self.pump();
    }

    /// A stream ended; illegal if the connection has none.
    pub fn stream_ended(&mut self, side: usize, conn: ConnId, end: StreamEnd) {
        let reusable = match self.streams(side, conn) {
            Streams::Known => {
                let book = &mut self.sides[side].book;
                book.ended(conn);
                invariants::inv_27_is_reusable_after(book, end)
            }
            Streams::None => true,
            Streams::NotYetKnown => return,
        };
        self.trigger(side, |pool, now, ledger| pool.handle_stream_ended(now, ledger, conn, end));
        self.pump();
        if !reusable {
            invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &[conn]);
        }
    }

    /// A bind was refused; illegal if the connection has no stream.
    pub fn bind_refused(&mut self, side: usize, conn: ConnId, limit: u32) {
        match self.streams(side, conn) {
            Streams::Known => {
                self.sides[side].book.bind_refused(conn, limit);
            }
            Streams::None => {}
            Streams::NotYetKnown => return,
        }
        self.trigger(side, |pool, now, ledger| pool.handle_bind_refused(now, ledger, conn, limit));
        self.pump();
    }

    /// The peer allows another number of streams.
    pub fn capacity_changed(&mut self, side: usize, conn: ConnId, limit: u32) {
        if !self.is_closed(side, conn) {
            self.sides[side].book.limit(conn, limit);
        }
        self.trigger(side, |pool, now, ledger| pool.handle_capacity_changed(now, ledger, conn, limit));
        self.pump();
    }

    /// GOAWAY.
    pub fn go_away(&mut self, side: usize, conn: ConnId) {
        self.trigger(side, |pool, now, ledger| pool.handle_go_away(now, ledger, conn));
        self.pump();
        invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &[conn]);
    }

    /// Unsolicited bytes.
    pub fn protocol_error(&mut self, side: usize, conn: ConnId) {
        self.trigger(side, |pool, now, ledger| pool.handle_protocol_error(now, ledger, conn));
        self.pump();
        assert!(self.is_closed(side, conn), "a protocol error ends {conn:?}");
    }

    /// The connection stopped answering.
    pub fn suspect(&mut self, side: usize, conn: ConnId) {
        self.trigger(side, |pool, now, ledger| pool.handle_suspect(now, ledger, conn));
        self.pump();
        invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &[conn]);
    }

    /// The transport is gone, by itself or as ordered.
    pub fn closed(&mut self, side: usize, conn: ConnId, by: ClosedBy) {
        let Side { pool, book, .. } = &mut self.sides[side];
        let Socket { up, end, drain, .. } = *book.socket(conn);
        let before = book.queue.clone();
        let policy = pool.config().on_connect_failure();
        if end != End::Gone {
            book.gone(conn);
        }
        self.trigger(side, |pool, now, ledger| pool.handle_closed(now, ledger, conn, by));
        let alone = self.sides[side].triggers == 1 && self.orders == Orders::Taken;
        // Nobody waits for a connection that drains, whether its handshake was complete or not.
        if alone && end == End::Open && up != Up::Yes && drain == Drain::No {
            self.take_orders(side);
            let Side { book, failed, .. } = &self.sides[side];
            invariants::inv_25_a_failed_attempt_fails_the_queue(book, &before, failed, policy);
        }
        self.pump();
    }

    /// The settle pass.
    pub fn settled(&mut self, side: usize) {
        self.trigger(side, |pool, now, ledger| pool.handle_settled(now, ledger));
        self.pump();
        assert_eq!(self.sides[side].pool.counts().settling, 0, "23: settle leaves nothing settling");
    }

    /// A wake-up that nothing asked for.
    pub fn timeout(&mut self, side: usize) {
        self.trigger(side, |pool, now, ledger| pool.handle_timeout(now, ledger));
        self.sides[side].triggers += self.sides[side].book.there().count();
        self.pump();
    }

    /// A seat was freed, says somebody.
    pub fn slot_freed(&mut self, side: usize, resource: Resource) {
        self.trigger(side, |pool, now, ledger| pool.handle_slot_freed(now, ledger, resource));
        self.pump();
    }

    /// The host's health.
    pub fn health(&mut self, side: usize, health: HostHealth) {
        let was = self.sides[side].pool.health();
        let connected = self.connected(side);
        self.trigger(side, |pool, now, ledger| pool.handle_host_health(now, ledger, health));
        self.pump();
        if health == HostHealth::Unhealthy && was != health {
            invariants::inv_31_nothing_old_stays_usable(&self.sides[side].pool, &connected);
        }
    }

    fn connected(&self, side: usize) -> Vec<ConnId> {
        let sockets = self.sides[side].book.there();
        sockets.filter(|socket| socket.is_open() && socket.up == Up::Yes).map(|socket| socket.id).collect()
    }

    // ---- time, and the other user ----

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

    // ---- ends ----

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
