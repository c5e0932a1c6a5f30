//! A second, naive book of one pool, kept from facts and orders alone: what the pool says about
//! itself is compared with it after every step.

use pool_core::config::{Multiplexing, PoolConfig, RequestLimit};
use pool_core::id::{ConnId, Token, WaiterId};
use pool_core::pool::{EarlyData, Phase, Pool, Request, Seating, State, WakeReason};
use pool_core::time::{Deadline, Instant};

use crate::harness::{Conn, S};

/// A connection as seen from outside.
struct Socket {
    id: ConnId,
    up: Up,
    /// Streams that the peer and our own ceiling allow.
    limit: i64,
    /// Streams left in its life.
    remaining: i64,
    requests: Vec<Token>,
    end: End,
    drained: bool,
}

#[derive(PartialEq, Eq, Clone, Copy, Debug)]
enum Up {
    No,
    Early,
    Yes,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum End {
    Open,
    Ordered,
    Gone,
}

struct Waiting {
    request: Request,
    waiter: WaiterId,
}

pub(crate) struct Shadow {
    own_limit: i64,
    lifetime: i64,
    estimate: i64,
    requests_counted: bool,
    sockets: Vec<Socket>,
    queue: Vec<Waiting>,
    to_the_head: bool,
    opened_in_this_trigger: usize,
    idle_reports: usize,
    was_idle: bool,
    entered: u64,
    left: u64,
}

impl Shadow {
    pub(crate) fn new(config: &PoolConfig) -> Self {
        let (own_limit, lifetime) = match config.multiplexing() {
            Multiplexing::Exclusive => (1, i64::from(u32::MAX)),
            Multiplexing::Streams { max_concurrent_streams } => (i64::from(max_concurrent_streams), 1 << 29),
        };
        Self {
            own_limit,
            lifetime: config.max_requests_per_connection().map_or(lifetime, i64::from).min(lifetime),
            estimate: own_limit.min(100),
            requests_counted: config.request_limit() == RequestLimit::Enforced,
            sockets: Vec::new(),
            queue: Vec::new(),
            to_the_head: false,
            opened_in_this_trigger: 0,
            idle_reports: 0,
            was_idle: true,
            entered: 0,
            left: 0,
        }
    }

    pub(crate) fn counts_requests(&self) -> bool {
        self.requests_counted
    }

    pub(crate) fn id(&self, conn: Conn) -> ConnId {
        self.sockets[conn.0].id
    }

    /// The newest connection of that name.
    pub(crate) fn name(&self, id: ConnId) -> Conn {
        let index = self.sockets.iter().rposition(|socket| socket.id == id);
        Conn(index.expect("an order names a connection that was opened"))
    }

    pub(crate) fn is_ordered_to_close(&self, conn: Conn) -> bool {
        self.sockets[conn.0].end == End::Ordered
    }

    pub(crate) fn not_gone(&self) -> impl Iterator<Item = Conn> + '_ {
        (0..self.sockets.len()).filter(|&i| self.sockets[i].end != End::Gone).map(Conn)
    }

    #[track_caller]
    pub(crate) fn waiter(&self, token: Token) -> WaiterId {
        let waiting = self.queue.iter().find(|w| w.request.token == token);
        waiting.expect("the request is queued").waiter
    }

    // ---- what happened ----

    pub(crate) fn new_trigger(&mut self) {
        self.opened_in_this_trigger = 0;
    }

    #[track_caller]
    pub(crate) fn opened(&mut self, id: ConnId) -> Conn {
        assert!(self.sockets.iter().all(|socket| socket.id != id), "{id:?} is used twice");
        self.opened_in_this_trigger += 1;
        assert!(self.opened_in_this_trigger <= 3, "invariant 17: at most 3 per trigger");
        self.sockets.push(Socket {
            id,
            up: Up::No,
            limit: self.estimate,
            remaining: self.lifetime,
            requests: Vec::new(),
            end: End::Open,
            drained: false,
        });
        Conn(self.sockets.len() - 1)
    }

    pub(crate) fn connect_started(&mut self, conn: Conn, limit: Option<u32>) {
        if let Some(limit) = limit.filter(|limit| *limit > 0) {
            self.capacity(conn, limit);
        }
    }

    pub(crate) fn early_data_ready(&mut self, conn: Conn) {
        self.sockets[conn.0].up = Up::Early;
    }

    pub(crate) fn connected(&mut self, conn: Conn, limit: Option<u32>) {
        self.sockets[conn.0].up = Up::Yes;
        if let Some(limit) = limit {
            self.capacity(conn, limit);
        }
    }

    pub(crate) fn capacity(&mut self, conn: Conn, limit: u32) {
        self.sockets[conn.0].limit = i64::from(limit).min(self.own_limit);
    }

    #[track_caller]
    pub(crate) fn ordered_to_close(&mut self, id: ConnId) -> Conn {
        let conn = self.name(id);
        let socket = &mut self.sockets[conn.0];
        assert!(socket.end == End::Open, "{id:?} is closed once");
        socket.end = End::Ordered;
        socket.requests.clear();
        conn
    }

    #[track_caller]
    pub(crate) fn gone(&mut self, conn: Conn) {
        let socket = &mut self.sockets[conn.0];
        assert!(socket.end != End::Gone, "{conn:?} is gone already; use closed_raw");
        socket.end = End::Gone;
        socket.requests.clear();
    }

    #[track_caller]
    pub(crate) fn queued(&mut self, request: Request, waiter: WaiterId) {
        assert!(self.queue.iter().all(|waiting| waiting.waiter != waiter));
        let place = if self.to_the_head { 0 } else { self.queue.len() };
        self.to_the_head = false;
        self.queue.insert(place, Waiting { request, waiter });
        self.entered += 1;
    }

    pub(crate) fn next_goes_to_the_head(&mut self) {
        self.to_the_head = true;
    }

    #[track_caller]
    fn leaves_queue(&mut self, token: Token, waiter: WaiterId) -> EarlyData {
        let place = self.queue.iter().position(|w| w.waiter == waiter);
        let place = place.expect("invariant 20: an outcome is for somebody who waits");
        let waiting = self.queue.remove(place);
        self.left += 1;
        assert_eq!(waiting.request.token, token);
        waiting.request.early_data
    }

    #[track_caller]
    pub(crate) fn bound(&mut self, token: Token, waiter: Option<WaiterId>, id: ConnId) -> Conn {
        if let Some(waiter) = waiter {
            let early_data = self.leaves_queue_in_order(token, waiter);
            let up = self.sockets[self.name(id).0].up;
            assert!(up == Up::Yes || early_data == EarlyData::Safe, "invariant 7: {token:?}");
        }
        let conn = self.name(id);
        let socket = &mut self.sockets[conn.0];
        assert!(socket.end == End::Open && socket.up != Up::No, "invariant 7: {conn:?} cannot be bound");
        assert!(!socket.drained, "invariant 28: {conn:?} drains");
        socket.remaining -= 1;
        socket.requests.push(token);
        assert!(socket.remaining >= 0, "invariant 6");
        assert!(socket.requests.len() as i64 <= socket.limit, "invariant 5");
        conn
    }

    #[track_caller]
    fn leaves_queue_in_order(&mut self, token: Token, waiter: WaiterId) -> EarlyData {
        let mine = self.queue.iter().find(|w| w.waiter == waiter).map(|w| w.request.early_data);
        let first = self.queue.iter().find(|w| Some(w.request.early_data) == mine);
        let first = first.map(|w| w.waiter);
        assert_eq!(first, Some(waiter), "invariant 21: {token:?} jumps the queue");
        self.leaves_queue(token, waiter)
    }

    #[track_caller]
    pub(crate) fn failed(&mut self, token: Token, waiter: WaiterId) {
        self.leaves_queue(token, waiter);
    }

    #[track_caller]
    pub(crate) fn cancelled(&mut self, token: Token) -> WaiterId {
        let waiter = self.waiter(token);
        self.leaves_queue(token, waiter);
        waiter
    }

    #[track_caller]
    fn release(&mut self, token: Token) -> &mut Socket {
        let socket = self.sockets.iter_mut().find(|s| s.requests.contains(&token));
        let socket = socket.expect("the request is on a connection");
        socket.requests.retain(|other| *other != token);
        socket
    }

    #[track_caller]
    pub(crate) fn ended(&mut self, token: Token) -> ConnId {
        self.release(token).id
    }

    /// The stream never was: the lifetime budget gets it back.
    #[track_caller]
    pub(crate) fn bind_refused(&mut self, token: Token, limit: u32) -> ConnId {
        let own_limit = self.own_limit;
        let socket = self.release(token);
        socket.remaining += 1;
        socket.limit = i64::from(limit).min(own_limit);
        socket.id
    }

    pub(crate) fn idle_reported(&mut self) {
        self.idle_reports += 1;
    }

    // ---- what must hold ----

    /// Compares the pool with this book; the numbers are those of the specification's invariants.
    #[track_caller]
    pub(crate) fn check(&mut self, pool: &Pool, now: Instant) {
        assert_eq!(pool.audit(), Ok(()));
        let queue: Vec<WaiterId> = self.queue.iter().map(|w| w.waiter).collect();
        let waiters: Vec<WaiterId> = pool.waiters().map(|w| w.id).collect();
        assert_eq!(waiters, queue, "the queue, oldest first");

        let open = self.sockets.iter().filter(|s| s.end != End::Gone).count();
        assert_eq!(pool.connections().count(), open, "1: each connection is in the book once");
        let (mut active, mut capacity, mut connecting, mut settling) = (0, 0, 0, false);
        for socket in self.sockets.iter_mut().filter(|s| s.end != End::Gone) {
            let view = pool.connection(socket.id).expect("1: a live connection is known");
            let unused = socket.remaining.min(socket.limit - socket.requests.len() as i64);
            active += socket.requests.len() as u64;
            settling |= view.state == State::Ready(Phase::Settling);
            assert_eq!(usize::try_from(view.active), Ok(socket.requests.len()), "11");
            let expected = match S::of(view.state) {
                S::Closed => {
                    assert!(socket.end == End::Ordered, "1: closed means ordered to close");
                    continue;
                }
                S::Draining => {
                    assert!(!socket.requests.is_empty(), "4: draining without a stream does not last");
                    socket.drained = true;
                    continue;
                }
                _ if socket.up == Up::No => S::Connecting,
                _ if unused <= 0 => S::Busy,
                _ if socket.up == Up::Early => S::EarlyData,
                _ => S::Ready,
            };
            assert!(socket.end == End::Open && !socket.drained, "8: nothing leaves Draining or Closed");
            assert!(socket.remaining > 0, "4: used up means draining");
            // An illegal early-data report leaves a connection where it was.
            if !(socket.up == Up::Early && S::of(view.state) == S::Connecting) {
                assert_eq!(S::of(view.state), expected, "2: {:?}", socket.id);
            }
            assert_eq!(view.unused, unused, "2: {:?}", socket.id);
            capacity += unused;
            if socket.up != Up::Yes {
                connecting += unused;
            }
        }
        let triple = pool.triple();
        assert_eq!(triple.active, active, "11");
        assert_eq!(triple.pending, self.queue.len() as u64);
        assert_eq!(triple.capacity, capacity, "10");
        assert_eq!(pool.connecting_capacity(), connecting, "9");
        assert_eq!(pool.has_active_connections(), active > 0 || !self.queue.is_empty());
        let idle = open == 0 && self.queue.is_empty();
        assert_eq!(pool.is_idle(), idle, "34");
        // A pool that was never used reports once when it is to be deleted.
        let unused = self.idle_reports == 1 && self.sockets.is_empty() && pool.stats().rq_pending_total == 0;
        assert!(
            unused || self.idle_reports == usize::from(idle && !self.was_idle),
            "34: idle is reported once, {} {idle} {}",
            self.idle_reports,
            self.was_idle
        );
        self.was_idle = idle;
        self.idle_reports = 0;

        let forced = pool.connections().filter(|view| view.seating == Seating::Forced).count();
        assert!(forced <= 1, "15: {forced} forced connections");
        if !self.queue.is_empty() {
            let hope = |state| !matches!(state, S::Draining | S::Closed);
            let served = pool.connections().any(|view| hope(S::of(view.state)));
            assert!(served || forced == 1 || pool.awaits_seat(), "22: a queue that waits for nothing");
            let open = pool.connections().any(|view| view.state == State::Ready(Phase::Open));
            assert!(!open, "23: a queue beside a connection that is ready");
        }

        let stats = pool.stats();
        let counts = pool.counts();
        assert_eq!(stats.rq_pending_total, self.entered, "14");
        assert_eq!(self.entered, self.left + self.queue.len() as u64, "14");
        assert_eq!(stats.cx_total, stats.cx_destroy + open as u64, "13");
        assert_eq!(stats.cx_destroy, stats.cx_destroy_local + stats.cx_destroy_remote, "13");
        assert!(stats.cx_connect_fail <= stats.cx_destroy + u64::from(counts.closing), "13");
        assert!(stats.cx_connect_timeout <= stats.cx_connect_fail, "13");

        match pool.deadline() {
            Deadline::Now(reason) => assert_eq!((reason, settling), (WakeReason::Settle, true)),
            Deadline::At(at, _) => assert!(at > now && !settling, "an expired deadline was not served"),
            Deadline::Never => assert!(!settling),
        }
    }

    #[track_caller]
    pub(crate) fn assert_everyone_has_an_outcome(&self) {
        assert!(self.queue.is_empty(), "20: everyone has an outcome");
    }
}
