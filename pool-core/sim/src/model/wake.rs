//! Deadlines: all of them, each time.

use pool_core::pool::{CloseReason, DrainCause, FailReason, Handshake, State, WakeReason};
use pool_core::time::Instant;

use super::open::Asking;
use super::{Heard, Order, Serial, World};

/// Something that is due at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    what: What,
}

/// Requests come before connections; a connection's own deadlines as the pool names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Request(usize),
    Connection(WakeReason, Serial),
}

impl World {
    /// The earliest thing that is due in a pool.
    fn next_due(&self, p: usize) -> Option<Due> {
        let requests = self.pools[p].queue.iter().enumerate();
        let requests = requests
            .filter_map(|(place, waiting)| Some(Due { at: waiting.deadline?, what: What::Request(place) }));
        let conns = self.conns(p).flat_map(|(serial, _)| self.deadlines(p, serial));
        requests.chain(conns).min()
    }

    fn deadlines(&self, p: usize, c: Serial) -> Vec<Due> {
        let conn = &self.pools[p].conns[c];
        let (connect, idle, age, drain) = match conn.state {
            State::Connecting | State::EarlyData | State::Busy(Handshake::Pending) => {
                (Some(conn.opened_at + self.config.connect_timeout()), None, None, None)
            }
            State::Ready(_) | State::Busy(Handshake::Complete) => {
                let idle = self.config.idle_timeout().filter(|_| conn.active == 0);
                let age = self.config.max_connection_duration();
                let age = conn.connected_at.and_then(|at| age.map(|age| at + age));
                (None, idle.map(|timeout| conn.idle_since + timeout), age, None)
            }
            State::Draining(_) => {
                let connect = (!conn.is_up()).then(|| conn.opened_at + self.config.connect_timeout());
                (connect, None, None, conn.drain_at)
            }
            State::Closed(_) => (None, None, None, None),
        };
        let due = |at: Option<Instant>, reason| at.map(|at| Due { at, what: What::Connection(reason, c) });
        let all = [
            due(connect, WakeReason::ConnectTimeout),
            due(idle, WakeReason::IdleTimeout),
            due(age, WakeReason::MaxAge),
            due(drain, WakeReason::DrainTimeout),
        ];
        all.into_iter().flatten().collect()
    }

    /// Whether several unlike connections have something due at the instant at which the pool is to be
    /// called: in which order it comes is not promised.
    pub(super) fn is_tied(&self, p: usize) -> bool {
        let Some(next) = self.next_due(p) else { return false };
        let due = self.conns(p).flat_map(|(serial, _)| self.deadlines(p, serial));
        let mut at_once = due.filter(|due| due.at <= next.at.max(self.now)).map(|due| match due.what {
            What::Request(_) => None,
            What::Connection(reason, c) => {
                let conn = &self.pools[p].conns[c];
                let shape = (conn.state, conn.seat, conn.heard, conn.usage);
                Some((reason, shape, conn.active, conn.limit, conn.remaining))
            }
        });
        let first = at_once.next();
        at_once.any(|other| Some(other) != first)
    }

    /// When the pool has to be called; now if somebody settles.
    pub(super) fn deadline(&self, p: usize) -> Option<Instant> {
        if self.settling(p) > 0 { Some(self.now) } else { self.next_due(p).map(|due| due.at) }
    }

    pub(super) fn timeout(&mut self, p: usize) {
        if self.settling(p) > 0 {
            self.settled(p);
        }
        while let Some(due) = self.next_due(p).filter(|due| due.at <= self.now) {
            match due.what {
                What::Request(place) => {
                    let token = self.pools[p].queue.remove(place).token;
                    self.pools[p].counters.rq_pending_timeout += 1;
                    self.pools[p].orders.push(Order::Fail { token, reason: FailReason::PendingTimeout });
                }
                What::Connection(reason, c) => self.expired(p, c, reason),
            }
        }
        self.finish(p);
    }

    fn expired(&mut self, p: usize, c: Serial, reason: WakeReason) {
        match reason {
            WakeReason::ConnectTimeout => {
                self.pools[p].counters.cx_connect_timeout += 1;
                self.pools[p].counters.cx_connect_fail += 1;
                let drained = matches!(self.pools[p].conns[c].state, State::Draining(_));
                self.order_close(p, c, CloseReason::ConnectTimeout);
                if !drained {
                    self.fail_queue(p, FailReason::ConnectTimeout);
                }
                self.open_wanted(p, Asking::Fresh);
            }
            WakeReason::IdleTimeout => {
                self.pools[p].counters.cx_idle_timeout += 1;
                self.order_close(p, c, CloseReason::IdleTimeout);
                self.replace(p);
            }
            WakeReason::MaxAge => {
                self.pools[p].counters.cx_max_duration_reached += 1;
                self.drain_one(p, c, DrainCause::MaxAge);
                self.replace(p);
            }
            WakeReason::DrainTimeout => {
                self.pools[p].counters.cx_drain_timeout += 1;
                self.order_close(p, c, CloseReason::DrainTimeout);
                self.replace(p);
            }
            WakeReason::Actions | WakeReason::Settle | WakeReason::PendingTimeout => {}
        }
    }

    /// The next order, `Connect` orders last; what facts have overtaken is not given.
    pub(super) fn order(&mut self, p: usize) -> Option<Order> {
        while !self.pools[p].orders.is_empty() {
            let order = self.pools[p].orders.remove(0);
            let holds = match order {
                Order::Close { conn, .. } | Order::NotifyGoAway { conn } => {
                    self.pools[p].conns[conn].is_there()
                }
                Order::Idle => self.is_idle(p),
                Order::Connect { .. } | Order::Bind { .. } | Order::Fail { .. } => true,
            };
            if let (Order::Close { conn, .. }, true) = (order, holds) {
                self.pools[p].conns[conn].heard = Heard::Close;
            }
            if holds {
                return Some(order);
            }
        }
        while !self.pools[p].connects.is_empty() {
            let (conn, reason) = self.pools[p].connects.remove(0);
            let own = &mut self.pools[p].conns[conn];
            if own.is_there() && own.state == State::Connecting {
                own.heard = Heard::Connect;
                return Some(Order::Connect { conn, reason });
            }
        }
        None
    }
}
