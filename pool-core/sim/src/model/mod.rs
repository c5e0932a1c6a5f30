//! The reference model: a second pool, written from the specification of Envoy's pools and the
//! decisions of this project in the simplest possible way.
//!
//! Lists are vectors that are searched each time, totals are summed when they are asked for, a seat in
//! use is a connection that has one, and there is no timer: the next deadline is the smallest of all.
//! What the real machine keeps step by step must come out the same. Slow on purpose.
//!
//! # Reading order
//!
//! This file (what there is, and every sum), `ledger` (who may have a seat), `open` (when a
//! connection is opened), `serve` (who gets which), `end` (streams and connections end),
//! `wish` (cancel, drain, teardown), `wake` (deadlines), [`duel`] (the machine against the model).

pub mod duel;
mod end;
mod ledger;
mod open;
mod serve;
mod wake;
mod wish;

use std::sync::Arc;

use pool_core::config::{Multiplexing, PoolConfig, RequestLimit};
use pool_core::id::Token;
use pool_core::limits::{Limits, Need, Resource};
use pool_core::pool::{
    BindReason, CloseReason, ConnectReason, EarlyData, FailReason, Handshake, HostHealth, Phase, QueueReason,
    State, Usage,
};
use pool_core::time::Instant;

/// A connection's name in the model: the how manieth of its pool.
pub type Serial = usize;

/// What the driver has been told about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Connect,
    Close,
}

/// Whether the socket may still exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    There,
    Gone,
}

/// Whether it holds a seat of `max_connections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    Held,
    Missing,
}

#[derive(Clone, Debug)]
struct Conn {
    state: State,
    socket: Socket,
    seat: Seat,
    heard: Heard,
    usage: Usage,
    opened_at: Instant,
    connected_at: Option<Instant>,
    idle_since: Instant,
    drain_at: Option<Instant>,
    limit: i64,
    remaining: i64,
    active: i64,
    /// When it entered its list, as a number that only grows: the highest is the most recent.
    entered: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    token: Token,
    early_data: EarlyData,
    deadline: Option<Instant>,
}

/// Whether a pool takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    Ending,
}

/// Whether the owner knows that nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    NeverUsed,
    Unreported,
    Reported,
}

/// What a pool orders, in the model's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants of `pool_core::pool::Action`")]
pub enum Order {
    Connect { conn: Serial, reason: ConnectReason },
    Close { conn: Serial, reason: CloseReason },
    Bind { token: Token, conn: Serial, reason: BindReason, usage: Usage },
    Fail { token: Token, reason: FailReason },
    NotifyGoAway { conn: Serial },
    Idle,
}

/// What a pool answers to a request, in the model's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants of `pool_core::pool::Answer`")]
pub enum Reply {
    Bound { conn: Serial, reason: BindReason, usage: Usage },
    Queued { reason: QueueReason },
    Failed { reason: FailReason },
}

/// Counters of a pool, under the names of `pool_core::pool::Stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `pool_core::pool::Stats`")]
pub struct Counters {
    pub cx_total: u64,
    pub cx_destroy: u64,
    pub cx_connect_fail: u64,
    pub cx_connect_timeout: u64,
    pub cx_idle_timeout: u64,
    pub cx_max_duration_reached: u64,
    pub cx_max_requests: u64,
    pub cx_overflow: u64,
    pub cx_drain_timeout: u64,
    pub rq_total: u64,
    pub rq_pending_total: u64,
    pub rq_pending_overflow: u64,
    pub rq_active_overflow: u64,
    pub rq_pending_timeout: u64,
    pub rq_cancelled: u64,
}

#[derive(Clone, Debug)]
struct Pool {
    host: u32,
    life: Life,
    health: HostHealth,
    idle: Idle,
    conns: Vec<Conn>,
    queue: Vec<Waiting>,
    orders: Vec<Order>,
    connects: Vec<(Serial, ConnectReason)>,
    /// How many connections the last trigger may still open.
    budget: u8,
    counters: Counters,
}

/// A pool's place in the line for a connection seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    pool: usize,
    need: Need,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    InLine,
    /// A seat is kept for it, and its driver does not know yet.
    Kept,
    /// A seat is kept for it, and its driver was told.
    Told,
}

/// Pools on one set of limits.
#[derive(Clone, Debug)]
pub struct World {
    now: Instant,
    config: Arc<PoolConfig>,
    limits: Limits,
    pools: Vec<Pool>,
    /// In order of arrival.
    line: Vec<Place>,
    /// In the order in which seats were kept for them.
    untold: Vec<usize>,
    /// Seats of somebody else.
    others: Vec<Resource>,
    entries: u64,
}

impl Conn {
    fn unused(&self) -> i64 {
        self.remaining.min(self.limit - self.active)
    }

    fn is_there(&self) -> bool {
        self.socket == Socket::There
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// Neither draining nor given up.
    fn serves(&self) -> bool {
        self.is_there() && !matches!(self.state, State::Draining(_) | State::Closed(_))
    }

    /// What it adds to the pool's capacity (invariant 10).
    fn capacity(&self) -> i64 {
        if self.serves() { self.unused() } else { 0 }
    }

    fn is_up(&self) -> bool {
        self.connected_at.is_some()
    }
}

impl World {
    /// Unused pools, one for each host in `hosts`.
    #[must_use]
    pub fn new(config: Arc<PoolConfig>, limits: Limits, hosts: &[u32], now: Instant) -> Self {
        let pool = |host: &u32| Pool {
            host: *host,
            life: Life::Open,
            health: HostHealth::Healthy,
            idle: Idle::NeverUsed,
            conns: Vec::new(),
            queue: Vec::new(),
            orders: Vec::new(),
            connects: Vec::new(),
            budget: 0,
            counters: Counters::default(),
        };
        Self {
            now,
            config,
            limits,
            pools: hosts.iter().map(pool).collect(),
            line: Vec::new(),
            untold: Vec::new(),
            others: Vec::new(),
            entries: 0,
        }
    }

    // ---- sums ----

    fn conns(&self, p: usize) -> impl Iterator<Item = (Serial, &Conn)> {
        self.pools[p].conns.iter().enumerate().filter(|(_, conn)| conn.is_there())
    }

    /// Connections in a state, the one that entered it last first.
    fn newest_first(&self, p: usize, is: impl Fn(State) -> bool) -> Vec<Serial> {
        let mut found: Vec<(u64, Serial)> = self
            .conns(p)
            .filter(|(_, conn)| is(conn.state))
            .map(|(serial, conn)| (conn.entered, serial))
            .collect();
        found.sort_unstable();
        found.into_iter().rev().map(|(_, serial)| serial).collect()
    }

    fn pending(&self, p: usize) -> i64 {
        self.pools[p].queue.len() as i64
    }

    fn active(&self, p: usize) -> i64 {
        self.conns(p).map(|(_, conn)| conn.active).sum()
    }

    fn capacity(&self, p: usize) -> i64 {
        self.conns(p).map(|(_, conn)| conn.capacity()).sum()
    }

    fn connecting(&self, p: usize) -> i64 {
        self.conns(p).filter(|(_, conn)| !conn.is_up()).map(|(_, conn)| conn.capacity()).sum()
    }

    fn settling(&self, p: usize) -> i64 {
        self.newest_first(p, |state| state == State::Ready(Phase::Settling)).len() as i64
    }

    fn serving(&self, p: usize) -> usize {
        self.conns(p).filter(|(_, conn)| conn.serves()).count()
    }

    fn is_idle(&self, p: usize) -> bool {
        self.conns(p).next().is_none() && self.pools[p].queue.is_empty()
    }

    fn is_exclusive(&self) -> bool {
        self.config.multiplexing() == Multiplexing::Exclusive
    }

    /// Our own ceiling on streams at a time.
    fn ceiling(&self) -> i64 {
        match self.config.multiplexing() {
            Multiplexing::Exclusive => 1,
            Multiplexing::Streams { max_concurrent_streams } => i64::from(max_concurrent_streams),
        }
    }

    fn limits_requests(&self) -> bool {
        self.config.request_limit() == RequestLimit::Enforced
    }

    /// Puts a connection into a state; entering a list puts it at its front.
    fn enter(&mut self, p: usize, c: Serial, state: State) {
        if self.pools[p].conns[c].state != state {
            self.entries += 1;
            self.pools[p].conns[c].entered = self.entries;
            self.pools[p].conns[c].state = state;
        }
    }

    /// The state that fits the streams that are free: with one Ready or `EarlyData`, else Busy.
    fn refit(&mut self, p: usize, c: Serial) {
        let free = self.pools[p].conns[c].unused() > 0;
        let fitting = match (self.pools[p].conns[c].state, free) {
            (State::EarlyData | State::Busy(Handshake::Pending), true) => State::EarlyData,
            (State::EarlyData | State::Busy(Handshake::Pending), false) => State::Busy(Handshake::Pending),
            (State::Ready(_) | State::Busy(Handshake::Complete), false) => State::Busy(Handshake::Complete),
            (State::Busy(Handshake::Complete), true) => State::Ready(Phase::Open),
            (state, _) => state,
        };
        self.enter(p, c, fitting);
    }
}
