//! Looking at the bench: questions and assertions.

use pool_core::limits::Priority;
use pool_core::pool::{ConnView, DrainCause, Phase, Pool, Seating, State, Stats, Triple, WakeReason};
use pool_core::time::Deadline;

use super::{Conn, Ev, Resource, S, Side, Token, World};

impl World {
    // ---- questions ----

    pub(super) fn side(&self) -> &Side {
        &self.sides[self.current]
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.side().pool
    }

    pub(crate) fn stats(&self) -> Stats {
        self.pool().stats()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pool().is_idle()
    }

    pub(crate) fn has_active_connections(&self) -> bool {
        self.pool().has_active_connections()
    }

    pub(crate) fn connecting_capacity(&self) -> i64 {
        self.pool().connecting_capacity()
    }

    /// Seats in use, without those that the scenario holds itself.
    pub(crate) fn gauge(&self, resource: Resource) -> u64 {
        let held = self.held.iter().filter(|(of, _)| *of == resource).count() as u64;
        self.ledger.snapshot(Priority::Default, resource).current - held
    }

    /// Envoy's `*_open`.
    pub(crate) fn open_gauge(&self, resource: Resource) -> bool {
        self.ledger.snapshot(Priority::Default, resource).open
    }

    pub(super) fn view(&self, conn: Conn) -> Option<ConnView> {
        self.pool().connection(self.side().shadow.id(conn))
    }

    /// Connections whose socket is not gone and that were not ordered to close (`cx_active`).
    pub(crate) fn live_connections(&self) -> u64 {
        let stats = self.stats();
        stats.cx_total - stats.cx_destroy - u64::from(self.pool().counts().closing)
    }

    /// Sockets over all pools, forced ones included.
    pub(crate) fn total_connections(&self) -> usize {
        self.sides.iter().map(|side| side.pool.connections().count()).sum()
    }

    /// Connections of this pool without a seat.
    pub(crate) fn forced(&self) -> usize {
        self.pool().connections().filter(|view| view.seating == Seating::Forced).count()
    }

    pub(crate) fn count_state(&self, state: S) -> usize {
        self.pool().connections().filter(|view| S::of(view.state) == state).count()
    }

    pub(crate) fn connect_time_total_ms(&self) -> u64 {
        self.stats().cx_connect_ms.sum_ms()
    }

    /// Streams left in a connection's life.
    pub(crate) fn remaining(&self, conn: Conn) -> u32 {
        self.view(conn).expect("the connection is known").remaining
    }

    pub(crate) fn awaits_seat(&self) -> bool {
        self.pool().awaits_seat()
    }

    pub(crate) fn is_queued(&self, r: Token) -> bool {
        self.pool().waiters().any(|waiter| waiter.token == r)
    }

    // ---- assertions ----

    /// Exactly these answers and orders, in this order, since the last `expect`.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: impl IntoIterator<Item = Ev>) {
        let expected: Vec<Ev> = expected.into_iter().collect();
        let log = core::mem::take(&mut self.sides[self.current].log);
        assert_eq!(log, expected);
    }

    /// The same where nothing prescribes an order.
    #[track_caller]
    pub(crate) fn expect_any_order(&mut self, expected: impl IntoIterator<Item = Ev>) {
        let mut expected: Vec<Ev> = expected.into_iter().collect();
        let mut log = core::mem::take(&mut self.sides[self.current].log);
        expected.sort();
        log.sort();
        assert_eq!(log, expected);
    }

    /// Envoy's (A, P, C).
    #[track_caller]
    pub(crate) fn assert_triple(&self, active: u64, pending: u64, capacity: i64) {
        assert_eq!(self.pool().triple(), Triple { active, pending, capacity });
    }

    #[track_caller]
    pub(crate) fn assert_state(&self, conn: Conn, state: S) {
        let view = self.view(conn).expect("the connection is known");
        assert_eq!(S::of(view.state), state, "{conn:?}");
    }

    #[track_caller]
    pub(crate) fn assert_draining_because(&self, conn: Conn, cause: DrainCause) {
        assert_eq!(self.view(conn).expect("the connection is known").state, State::Draining(cause));
    }

    #[track_caller]
    pub(crate) fn assert_unused(&self, conn: Conn, unused: i64) {
        assert_eq!(self.view(conn).expect("the connection is known").unused, unused);
    }

    #[track_caller]
    pub(crate) fn assert_settling(&self, conn: Conn) {
        let view = self.view(conn).expect("the connection is known");
        assert_eq!(view.state, State::Ready(Phase::Settling));
        self.assert_settle_due(true);
    }

    #[track_caller]
    pub(crate) fn assert_settle_due(&self, due: bool) {
        assert_eq!(self.pool().deadline() == Deadline::Now(WakeReason::Settle), due);
    }

    /// How many samples the connect time and the lifetime histogram have.
    #[track_caller]
    pub(crate) fn assert_samples(&self, connect: u64, length: u64) {
        let stats = self.stats();
        assert_eq!((stats.cx_connect_ms.count(), stats.cx_length_ms.count()), (connect, length));
    }

    /// What happened since the last `expect`.
    pub(crate) fn take_log(&mut self) -> Vec<Ev> {
        core::mem::take(&mut self.sides[self.current].log)
    }

    /// Leaves what has happened so far unchecked; for scenarios about numbers.
    pub(crate) fn forget(&mut self) {
        self.sides[self.current].log.clear();
    }
}
