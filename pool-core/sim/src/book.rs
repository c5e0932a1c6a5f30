//! A second account of one pool, deliberately naive: lists that are searched and summed each time,
//! kept from facts and orders alone. Whatever the pool counts step by step must come out the same.

use pool_core::config::{EarlyDataSupport, Multiplexing, PoolConfig, RequestLimit};
use pool_core::id::{ConnId, Token, WaiterId};
use pool_core::pool::{CloseReason, ConnectReason, EarlyData, Request};
use pool_core::time::Instant;

/// How far a connection has come, as its driver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Up {
    /// The handshake is not complete.
    No,
    /// It may carry early data.
    Early,
    /// The handshake is complete.
    Yes,
}

/// What has become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing yet.
    Open,
    /// The pool has ordered it to close.
    Ordered(CloseReason),
    /// Its socket is gone.
    Gone,
}

/// Whether a connection has been seen to drain. It never recovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Not yet.
    No,
    /// It has.
    Seen,
}

/// Whether a connection waits for its remaining input to be looked at (design decision P3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It does not.
    Done,
    /// It does, and takes no request.
    Due,
}

/// Whether a pool was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It takes requests.
    Open,
    /// After `drain(AndDelete)` or `abort`.
    Ending,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Socket {
    /// The pool's name for it.
    pub id: ConnId,
    /// When it was ordered.
    pub opened_at: Instant,
    /// Why.
    pub reason: ConnectReason,
    /// How far it has come.
    pub up: Up,
    /// Concurrent streams that the peer and our own ceiling allow.
    pub limit: i64,
    /// Streams left in its life.
    pub remaining: i64,
    /// The requests on it.
    pub requests: Vec<Token>,
    /// What has become of it.
    pub end: End,
    /// Whether it drains.
    pub drain: Drain,
    /// Whether it settles.
    pub settle: Settle,
}

impl Socket {
    /// Streams that could be bound now; negative after a limit was lowered.
    #[must_use]
    pub fn unused(&self) -> i64 {
        self.remaining.min(self.limit - self.requests.len() as i64)
    }

    /// Whether the socket may still exist.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.end != End::Gone
    }

    /// Whether the pool still counts on it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// What it adds to the pool's capacity (invariant 10).
    #[must_use]
    pub fn contribution(&self) -> i64 {
        if self.is_open() && self.drain == Drain::No { self.unused() } else { 0 }
    }
}

/// A request in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What was asked.
    pub request: Request,
    /// The pool's name for it.
    pub waiter: WaiterId,
}

/// What came of all requests that had to queue, for invariant 14.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Queued ever, requeued ones included.
    pub queued: u64,
    /// Bound from the queue.
    pub bound: u64,
    /// Failed from the queue.
    pub failed: u64,
    /// Cancelled while queued.
    pub cancelled: u64,
}

/// The naive account of one pool.
#[derive(Clone, Debug)]
pub struct Book {
    own_limit: i64,
    lifetime: i64,
    estimate: i64,
    /// Whether one connection carries one stream at a time and settles after it.
    pub multiplexing: Multiplexing,
    /// Whether early data is supported.
    pub early_data: EarlyDataSupport,
    /// Whether `max_requests` counts.
    pub request_limit: RequestLimit,
    /// Whether the pool was told to end.
    pub life: Life,
    /// Every connection that ever was, oldest first.
    pub sockets: Vec<Socket>,
    /// The queue, oldest first.
    pub queue: Vec<Waiting>,
    /// What came of queued requests.
    pub outcomes: Outcomes,
    /// `Connect` orders since the last trigger.
    pub opened_in_trigger: usize,
    /// `Idle` reports since the last look.
    pub idle_reports: usize,
}

impl Book {
    /// The account of a new pool.
    #[must_use]
    pub fn new(config: &PoolConfig) -> Self {
        let (own_limit, lifetime) = match config.multiplexing() {
            Multiplexing::Exclusive => (1, i64::from(u32::MAX)),
            Multiplexing::Streams { max_concurrent_streams } => (i64::from(max_concurrent_streams), 1 << 29),
        };
        Self {
            own_limit,
            lifetime: config.max_requests_per_connection().map_or(lifetime, i64::from).min(lifetime),
            estimate: own_limit.min(100),
            multiplexing: config.multiplexing(),
            early_data: config.early_data(),
            request_limit: config.request_limit(),
            life: Life::Open,
            sockets: Vec::new(),
            queue: Vec::new(),
            outcomes: Outcomes::default(),
            opened_in_trigger: 0,
            idle_reports: 0,
        }
    }

    // ---- questions ----

    /// The connection of that name.
    ///
    /// # Panics
    /// If the pool never ordered it.
    #[must_use]
    pub fn socket(&self, id: ConnId) -> &Socket {
        self.sockets.iter().find(|socket| socket.id == id).expect("the pool names what it has ordered")
    }

    fn socket_mut(&mut self, id: ConnId) -> &mut Socket {
        self.sockets.iter_mut().find(|socket| socket.id == id).expect("the pool names what it has ordered")
    }

    /// Connections whose socket may still exist.
    pub fn there(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| socket.is_there())
    }

    /// Streams in progress.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.there().map(|socket| socket.requests.len() as u64).sum()
    }

    /// Unused streams of connections that do not drain.
    #[must_use]
    pub fn capacity(&self) -> i64 {
        self.there().map(Socket::contribution).sum()
    }

    /// The part of it that is on incomplete handshakes.
    #[must_use]
    pub fn connecting_capacity(&self) -> i64 {
        self.there().filter(|socket| socket.up != Up::Yes).map(Socket::contribution).sum()
    }

    // ---- what happened ----

    /// Something was handed to the pool; what it opens from here on has one cause.
    pub fn triggered(&mut self) {
        self.opened_in_trigger = 0;
    }

    /// `Connect`.
    pub fn opened(&mut self, now: Instant, id: ConnId, reason: ConnectReason) {
        assert!(self.sockets.iter().all(|socket| socket.id != id), "{id:?} names two connections");
        self.opened_in_trigger += 1;
        self.sockets.push(Socket {
            id,
            opened_at: now,
            reason,
            up: Up::No,
            limit: self.estimate,
            remaining: self.lifetime,
            requests: Vec::new(),
            end: End::Open,
            drain: Drain::No,
            settle: Settle::Done,
        });
    }

    /// The peer's limit became known or was changed.
    pub fn limit(&mut self, id: ConnId, limit: u32) {
        let own = self.own_limit;
        let socket = self.socket_mut(id);
        socket.limit = i64::from(limit).min(own);
        // HTTP/1 has no such fact; a pool that hears it does not go back to settling.
        socket.settle = Settle::Done;
    }

    /// A handshake went on.
    pub fn up(&mut self, id: ConnId, up: Up) {
        self.socket_mut(id).up = up;
    }

    /// `Close`. Whatever ran on it is dropped.
    pub fn ordered_to_close(&mut self, id: ConnId, reason: CloseReason) {
        let socket = self.socket_mut(id);
        assert!(socket.is_open(), "8: {id:?} is ordered to close twice");
        socket.end = End::Ordered(reason);
        socket.requests.clear();
    }

    /// It was seen to drain.
    pub fn drains(&mut self, id: ConnId) {
        self.socket_mut(id).drain = Drain::Seen;
    }

    /// Its socket is gone.
    pub fn gone(&mut self, id: ConnId) {
        let socket = self.socket_mut(id);
        socket.end = End::Gone;
        socket.requests.clear();
    }

    /// A request was queued, at the tail or (a requeued one) at the head.
    pub fn queued(&mut self, request: Request, waiter: WaiterId, at_head: AtHead) {
        assert!(self.queue.iter().all(|waiting| waiting.waiter != waiter), "{waiter:?} names two requests");
        let place = match at_head {
            AtHead::Yes => 0,
            AtHead::No => self.queue.len(),
        };
        self.queue.insert(place, Waiting { request, waiter });
        self.outcomes.queued += 1;
    }

    /// A queued request left the queue.
    pub fn left(&mut self, token: Token, waiter: WaiterId) -> Waiting {
        let place = self.queue.iter().position(|waiting| waiting.waiter == waiter);
        let place = place.expect("20: an outcome is for somebody who still waits");
        let waiting = self.queue.remove(place);
        assert_eq!(waiting.request.token, token, "20: an outcome comes with the caller's name");
        waiting
    }

    /// Panics if the connection must not be given to a request now.
    pub fn may_be_bound(&self, request: Request, id: ConnId) {
        let socket = self.socket(id);
        let token = request.token;
        assert!(socket.is_open(), "7: {id:?} is closed, {token:?} cannot be bound to it");
        assert!(socket.drain == Drain::No, "28: {id:?} drains, {token:?} cannot be bound to it");
        assert_eq!(socket.settle, Settle::Done, "P3: {token:?} is bound to {id:?} before it settled");
        match socket.up {
            Up::No => panic!("7: {id:?} is connecting, {token:?} cannot be bound to it"),
            Up::Early => assert_eq!(request.early_data, EarlyData::Safe, "7: {token:?}"),
            Up::Yes => {}
        }
        assert!(socket.unused() > 0, "5 and 6: {id:?} has no stream for {token:?}");
    }

    /// A request got a connection. If its socket is gone by now, the request went with it.
    pub fn bound(&mut self, request: Request, id: ConnId) {
        let socket = self.socket_mut(id);
        if socket.is_open() {
            socket.requests.push(request.token);
            socket.remaining -= 1;
        }
    }

    /// A stream ended.
    pub fn ended(&mut self, id: ConnId) {
        let exclusive = self.multiplexing == Multiplexing::Exclusive;
        let socket = self.socket_mut(id);
        socket.requests.remove(0);
        if exclusive && socket.up == Up::Yes && socket.unused() > 0 {
            socket.settle = Settle::Due;
        }
    }

    /// The settle pass.
    pub fn settled(&mut self) {
        for socket in &mut self.sockets {
            socket.settle = Settle::Done;
        }
    }

    /// A bind was refused: the stream never was, and the limit is known.
    pub fn bind_refused(&mut self, id: ConnId, limit: u32) -> Option<Token> {
        self.limit(id, limit);
        let socket = self.socket_mut(id);
        socket.remaining += 1;
        socket.requests.pop()
    }
}

/// Where in the queue a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtHead {
    /// To the tail, as a new request.
    No,
    /// To the head, as a request that is to be replayed.
    Yes,
}
