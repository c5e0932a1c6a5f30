//! The bench of the scenarios: pools on one ledger, a clock moved by hand, and short verbs.

pub(crate) use pool_core::error::PoolFailure::*;
pub(crate) use pool_core::id::Token;
pub(crate) use pool_core::limits::Resource::{self, *};
pub(crate) use pool_core::pool::{CancelPolicy, DrainMode, HostHealth};

pub(crate) use crate::setup::Setup;

use std::collections::VecDeque;
use std::sync::Arc;

use pool_core::config::{PoolConfig, Ratio};
use pool_core::error::PoolFailure;
use pool_core::id::{ConnId, HostId, PoolId, WaiterId};
use pool_core::limits::{Claimant, Ledger, Local, Priority, Seat, Thresholds};
use pool_core::pool::{Action, Answer, Pool, Request, Seating, State, WakeReason};
use pool_core::report::{ClosedBy, StreamEnd};
use pool_core::time::{Deadline, Instant};

use crate::shadow::Shadow;

mod asserts;

/// A connection by the order of its `Connect` in its pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Conn(pub(crate) usize);

/// A pool of the bench.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Which(pub(crate) usize);

pub(crate) const A: Which = Which(0);
pub(crate) const B: Which = Which(1);

pub(crate) const C0: Conn = Conn(0);
pub(crate) const C1: Conn = Conn(1);
pub(crate) const C2: Conn = Conn(2);
pub(crate) const C3: Conn = Conn(3);

pub(crate) const R1: Token = Token(1);
pub(crate) const R2: Token = Token(2);
pub(crate) const R3: Token = Token(3);
pub(crate) const R4: Token = Token(4);
pub(crate) const R5: Token = Token(5);
pub(crate) const R6: Token = Token(6);
pub(crate) const R7: Token = Token(7);

/// A state without its details.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum S {
    Connecting,
    EarlyData,
    Ready,
    Busy,
    Draining,
    Closed,
}

impl S {
    pub(crate) fn of(state: State) -> Self {
        match state {
            State::Connecting => Self::Connecting,
            State::EarlyData => Self::EarlyData,
            State::Ready(_) => Self::Ready,
            State::Busy(_) => Self::Busy,
            State::Draining(_) => Self::Draining,
            State::Closed(_) => Self::Closed,
        }
    }
}

/// What the pool answered (`*Now`, `Queued`) or ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Ev {
    Queued(Token),
    BindNow(Token, Conn),
    FailNow(Token, PoolFailure),
    Open(Conn),
    Close(Conn),
    GoAway(Conn),
    Bind(Token, Conn),
    Fail(Token, PoolFailure),
    Idle,
}
pub(crate) use Ev::*;

/// One pool and what happened to it.
struct Side {
    pool: Pool,
    shadow: Shadow,
    log: Vec<Ev>,
    initial_limits: VecDeque<u32>,
}

/// Pools on one ledger under a manual clock.
pub(crate) struct World {
    now: Instant,
    ledger: Local,
    sides: Vec<Side>,
    current: usize,
    held: Vec<(Resource, Seat)>,
}

const HOLDER: Claimant = Claimant { pool: PoolId(1_000), host: HostId(1_000), priority: Priority::Default };

impl World {
    pub(crate) fn new(
        config: &Arc<PoolConfig>,
        ledger: Local,
        initial_limits: Vec<u32>,
        pools: usize,
    ) -> Self {
        let sides = (0..pools as u32)
            .map(|n| Side {
                pool: Pool::new(
                    Arc::clone(config),
                    Claimant { pool: PoolId(n), host: HostId(n), priority: Priority::Default },
                    u64::from(n) + 7,
                ),
                shadow: Shadow::new(config),
                log: Vec::new(),
                initial_limits: initial_limits.clone().into(),
            })
            .collect();
        Self { now: Instant::ZERO, ledger, sides, current: 0, held: Vec::new() }
    }

    // ---- the machinery of a step ----

    pub(crate) fn use_pool(&mut self, which: Which) {
        self.current = which.0;
    }

    fn act<T>(&mut self, step: impl FnOnce(&mut Pool, Instant, &mut Local) -> T) -> T {
        let now = self.now;
        let side = &mut self.sides[self.current];
        let result = step(&mut side.pool, now, &mut self.ledger);
        side.shadow.new_trigger();
        result
    }

    /// Drains all actions of all pools, and delivers freed seats, until nothing moves any more.
    #[track_caller]
    fn drain_actions(&mut self) {
        loop {
            for index in 0..self.sides.len() {
                while let Some(action) = self.sides[index].pool.poll_action() {
                    self.log_action(index, action);
                }
            }
            let Some((pool, resource)) = self.ledger.poll_freed() else { break };
            let side = &mut self.sides[pool.0 as usize];
            side.shadow.new_trigger();
            side.pool.handle_slot_freed(self.now, &mut self.ledger, resource);
        }
        self.check();
    }

    #[track_caller]
    fn log_action(&mut self, index: usize, action: Action) {
        let side = &mut self.sides[index];
        let event = match action {
            Action::Connect { conn, .. } => {
                let conn_no = side.shadow.opened(conn);
                let limit = side.initial_limits.pop_front();
                side.shadow.new_trigger();
                side.shadow.connect_started(conn_no, limit);
                side.pool.handle_connect_started(self.now, &mut self.ledger, conn, limit);
                Open(conn_no)
            }
            Action::Close { conn, .. } => Close(side.shadow.ordered_to_close(conn)),
            Action::NotifyGoAway { conn } => GoAway(side.shadow.name(conn)),
            Action::Bind { token, conn, waiter, .. } => {
                Bind(token, side.shadow.bound(token, Some(waiter), conn))
            }
            Action::Fail { token, failure, reason, waiter } => {
                assert_eq!(reason.failure(), failure);
                side.shadow.failed(token, waiter);
                Fail(token, failure)
            }
            Action::Idle => {
                side.shadow.idle_reported();
                Idle
            }
        };
        side.log.push(event);
    }

    #[track_caller]
    fn answered(&mut self, request: Request, answer: Answer) {
        let side = &mut self.sides[self.current];
        let event = match answer {
            Answer::Bound(bound) => {
                BindNow(request.token, side.shadow.bound(request.token, None, bound.conn))
            }
            Answer::Queued(queued) => {
                side.shadow.queued(request, queued.waiter);
                Queued(request.token)
            }
            Answer::Failed(failed) => {
                assert_eq!(failed.reason.failure(), failed.failure);
                FailNow(request.token, failed.failure)
            }
        };
        side.log.push(event);
        self.drain_actions();
    }

    /// The invariants that hold between any two steps.
    #[track_caller]
    fn check(&mut self) {
        for side in &mut self.sides {
            side.shadow.check(&side.pool, self.now);
        }
        let pools = self.sides.iter().map(|side| &side.pool);
        let (mut seated, mut bound, mut queued) = (0, 0, 0);
        for pool in pools {
            seated += pool.connections().filter(|view| view.seating == Seating::Seated).count() as u64;
            bound += pool.triple().active;
            queued += pool.triple().pending;
        }
        assert_eq!(self.gauge(Connections), seated, "seats are live and closing connections without forced");
        assert_eq!(self.gauge(Pending), queued);
        if self.sides[0].shadow.counts_requests() {
            assert_eq!(self.gauge(Requests), bound);
        } else {
            assert_eq!(self.gauge(Requests), 0);
        }
        for resource in [Connections, Requests] {
            let gauge = self.ledger.snapshot(Priority::Default, resource);
            assert!(gauge.current <= u64::from(gauge.max), "16: {resource:?} {gauge:?}");
        }
    }

    // ---- facts ----

    fn conn_id(&self, conn: Conn) -> ConnId {
        self.side().shadow.id(conn)
    }

    #[track_caller]
    pub(crate) fn connected(&mut self, conn: Conn) {
        self.connected_limit(conn, None);
    }

    #[track_caller]
    pub(crate) fn connected_with(&mut self, conn: Conn, limit: u32) {
        self.connected_limit(conn, Some(limit));
    }

    #[track_caller]
    fn connected_limit(&mut self, conn: Conn, limit: Option<u32>) {
        let id = self.conn_id(conn);
        self.sides[self.current].shadow.connected(conn, limit);
        self.act(|pool, now, ledger| pool.handle_connected(now, ledger, id, limit));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn early_data_ready(&mut self, conn: Conn) {
        let id = self.conn_id(conn);
        self.sides[self.current].shadow.early_data_ready(conn);
        self.act(|pool, now, ledger| pool.handle_early_data_ready(now, ledger, id));
        self.drain_actions();
    }

    /// The request's exchange is complete and the connection may be kept.
    #[track_caller]
    pub(crate) fn complete(&mut self, r: Token) {
        self.end(r, StreamEnd::Complete);
    }

    #[track_caller]
    pub(crate) fn end(&mut self, r: Token, end: StreamEnd) {
        self.end_undrained(r, end);
        self.drain_actions();
    }

    /// The next report of the connection comes before the pool's orders are looked at.
    #[track_caller]
    pub(crate) fn end_undrained(&mut self, r: Token, end: StreamEnd) {
        let id = self.sides[self.current].shadow.ended(r);
        self.act(|pool, now, ledger| pool.handle_stream_ended(now, ledger, id, end));
    }

    #[track_caller]
    pub(crate) fn bind_refused(&mut self, r: Token, limit: u32) {
        let id = self.sides[self.current].shadow.bind_refused(r, limit);
        self.act(|pool, now, ledger| pool.handle_bind_refused(now, ledger, id, limit));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn settle(&mut self) {
        self.act(|pool, now, ledger| pool.handle_settled(now, ledger));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn capacity(&mut self, conn: Conn, limit: u32) {
        let id = self.conn_id(conn);
        self.sides[self.current].shadow.capacity(conn, limit);
        self.act(|pool, now, ledger| pool.handle_capacity_changed(now, ledger, id, limit));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn goaway(&mut self, conn: Conn) {
        let id = self.conn_id(conn);
        self.act(|pool, now, ledger| pool.handle_go_away(now, ledger, id));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn protocol_error(&mut self, conn: Conn) {
        let id = self.conn_id(conn);
        self.act(|pool, now, ledger| pool.handle_protocol_error(now, ledger, id));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn suspect(&mut self, conn: Conn) {
        let id = self.conn_id(conn);
        self.act(|pool, now, ledger| pool.handle_suspect(now, ledger, id));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn closed(&mut self, conn: Conn, by: ClosedBy) {
        let id = self.conn_id(conn);
        self.sides[self.current].shadow.gone(conn);
        self.act(|pool, now, ledger| pool.handle_closed(now, ledger, id, by));
        self.drain_actions();
    }

    /// The socket that the pool ordered to close is gone.
    #[track_caller]
    pub(crate) fn gone(&mut self, conn: Conn) {
        assert!(self.side().shadow.is_ordered_to_close(conn), "{conn:?} was not ordered to close");
        self.closed(conn, ClosedBy::Local);
    }

    /// A report about a name that is dead.
    #[track_caller]
    pub(crate) fn closed_raw(&mut self, conn: Conn, by: ClosedBy) {
        let id = self.conn_id(conn);
        self.act(|pool, now, ledger| pool.handle_closed(now, ledger, id, by));
        self.drain_actions();
    }

    /// A report about a stream that is dead.
    #[track_caller]
    pub(crate) fn ended_raw(&mut self, conn: Conn, end: StreamEnd) {
        let id = self.conn_id(conn);
        self.act(|pool, now, ledger| pool.handle_stream_ended(now, ledger, id, end));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn health(&mut self, health: HostHealth) {
        self.act(|pool, now, ledger| pool.handle_host_health(now, ledger, health));
        self.drain_actions();
    }

    /// Moves the clock to `ms`, waking every pool whenever its deadline says so.
    #[track_caller]
    pub(crate) fn at(&mut self, ms: u64) {
        let target = Instant::from_millis(ms);
        assert!(target >= self.now, "time does not run backwards");
        assert!(!self.settle_due(), "a driver settles before it sleeps");
        let mut wakes = 0;
        loop {
            let due = (0..self.sides.len())
                .filter_map(|i| self.sides[i].pool.deadline().instant(self.now).map(|at| (at, i)))
                .min();
            let Some((at, index)) = due.filter(|(at, _)| *at <= target) else { break };
            self.now = self.now.max(at);
            let side = &mut self.sides[index];
            side.shadow.new_trigger();
            side.pool.handle_timeout(self.now, &mut self.ledger);
            self.drain_actions();
            wakes += 1;
            assert!(wakes < 1_000, "the deadline does not move on");
        }
        self.now = target;
        self.check();
    }

    fn settle_due(&self) -> bool {
        self.sides.iter().any(|side| side.pool.deadline() == Deadline::Now(WakeReason::Settle))
    }

    /// A wake-up that nothing asked for.
    #[track_caller]
    pub(crate) fn timeout_raw(&mut self) {
        self.act(|pool, now, ledger| pool.handle_timeout(now, ledger));
        self.drain_actions();
    }

    // ---- wishes ----

    #[track_caller]
    pub(crate) fn request(&mut self, r: Token) {
        let request = Request::new(r);
        let answer = self.act(|pool, now, ledger| pool.request(now, ledger, request));
        self.answered(request, answer);
    }

    #[track_caller]
    pub(crate) fn request_early(&mut self, r: Token) {
        let request = Request::new(r).early_data_safe();
        let answer = self.act(|pool, now, ledger| pool.request(now, ledger, request));
        self.answered(request, answer);
    }

    #[track_caller]
    pub(crate) fn requeue(&mut self, r: Token) {
        self.requeue_until(r, None);
    }

    #[track_caller]
    pub(crate) fn requeue_until(&mut self, r: Token, deadline_ms: Option<u64>) {
        let request = Request::new(r);
        let deadline = deadline_ms.map(Instant::from_millis);
        let answer = self.act(|pool, now, ledger| pool.requeue(now, ledger, request, deadline));
        self.sides[self.current].shadow.next_goes_to_the_head();
        self.answered(request, answer);
    }

    /// A requeue that a pool refuses.
    #[track_caller]
    pub(crate) fn requeue_failed(&mut self, r: Token, failure: PoolFailure) {
        let request = Request::new(r);
        let answer = self.act(|pool, now, ledger| pool.requeue(now, ledger, request, None));
        assert!(matches!(answer, Answer::Failed(failed) if failed.failure == failure), "{answer:?}");
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn cancel(&mut self, r: Token, policy: CancelPolicy) {
        let waiter = self.sides[self.current].shadow.cancelled(r);
        assert!(self.act(|pool, now, ledger| pool.cancel(now, ledger, waiter, policy)), "{r:?} is queued");
        self.drain_actions();
    }

    /// The name under which a queued request can be cancelled.
    pub(crate) fn waiter(&self, r: Token) -> WaiterId {
        self.side().shadow.waiter(r)
    }

    /// A cancel that may come too late.
    #[track_caller]
    pub(crate) fn cancel_raw(&mut self, waiter: WaiterId, policy: CancelPolicy) -> bool {
        let cancelled = self.act(|pool, now, ledger| pool.cancel(now, ledger, waiter, policy));
        self.drain_actions();
        cancelled
    }

    #[track_caller]
    pub(crate) fn drain(&mut self, mode: DrainMode) {
        self.act(|pool, now, ledger| pool.drain(now, ledger, mode));
        self.drain_actions();
    }

    #[track_caller]
    pub(crate) fn retire(&mut self, conn: Conn) {
        let id = self.conn_id(conn);
        self.act(|pool, now, ledger| pool.retire(now, ledger, id));
        self.drain_actions();
    }

    /// `maybe_preconnect` with a ratio in thousandths.
    #[track_caller]
    pub(crate) fn preconnect(&mut self, thousandths: u32) -> bool {
        let ratio = Ratio::from_thousandths(thousandths);
        let opened = self.act(|pool, now, ledger| pool.maybe_preconnect(now, ledger, ratio));
        self.drain_actions();
        opened
    }

    #[track_caller]
    pub(crate) fn abort(&mut self) {
        self.act(|pool, now, ledger| pool.abort(now, ledger));
        self.drain_actions();
    }

    // ---- several steps in one ----

    #[track_caller]
    pub(crate) fn connect_if_connecting(&mut self, conn: Conn) {
        if self.view(conn).is_some_and(|view| view.state == State::Connecting) {
            self.connected(conn);
        }
    }

    /// A request on a new connection that comes up at once.
    #[track_caller]
    pub(crate) fn bound(&mut self, r: Token, conn: Conn) {
        self.request(r);
        self.expect([Queued(r), Open(conn)]);
        self.connected(conn);
        self.expect([Bind(r, conn)]);
    }

    /// Takes seats of the ledger for the scenario itself.
    #[track_caller]
    pub(crate) fn hold(&mut self, resource: Resource, seats: usize) {
        for _ in 0..seats {
            let seat = self.ledger.try_take(resource, HOLDER).expect("room for the scenario's own seats");
            self.held.push((resource, seat));
        }
    }

    /// Puts other limits in force.
    #[track_caller]
    pub(crate) fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.ledger.set_limits(thresholds);
        self.drain_actions();
    }

    /// Gives one of the scenario's seats back.
    #[track_caller]
    pub(crate) fn release(&mut self, resource: Resource) {
        let index = self.held.iter().position(|(of, _)| *of == resource).expect("a seat is held");
        self.ledger.give_back(self.held.swap_remove(index).1);
        self.drain_actions();
    }

    /// Tears everything down and checks that nothing is left behind. Also checks that the scenario
    /// has looked at everything that happened.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        for index in 0..self.sides.len() {
            self.current = index;
            self.expect([]);
        }
        for index in 0..self.sides.len() {
            self.current = index;
            let opened = self.stats().cx_total;
            self.abort();
            let left: Vec<Conn> = self.side().shadow.not_gone().collect();
            for conn in left {
                self.gone(conn);
            }
            assert_eq!(self.stats().cx_total, opened, "teardown opens nothing");
            assert!(self.is_idle());
            assert_eq!(self.pool().deadline(), Deadline::Never);
            self.assert_triple(0, 0, 0);
            let stats = self.stats();
            assert_eq!(stats.cx_total, stats.cx_destroy);
            assert_eq!(stats.cx_destroy, stats.cx_destroy_local + stats.cx_destroy_remote);
            self.side().shadow.assert_everyone_has_an_outcome();
        }
        for (_, seat) in self.held.drain(..) {
            self.ledger.give_back(seat);
        }
        for resource in Resource::ALL {
            let gauge = self.ledger.snapshot(Priority::Default, resource);
            assert_eq!((gauge.current, gauge.reserved), (0, 0), "{resource:?}");
        }
    }
}
