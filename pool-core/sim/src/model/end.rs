//! Streams end, connections end.

use pool_core::pool::{BindReason, CloseReason, DrainCause, FailReason, Handshake, Phase, State};
use pool_core::report::{ClosedBy, StreamEnd};

use super::open::Asking;
use super::{Heard, Order, Seat, Serial, Socket, World};

impl World {
    pub(super) fn stream_ended(&mut self, p: usize, c: Serial, end: StreamEnd) {
        if self.is_exclusive() {
            let reason = match end {
                StreamEnd::Complete => None,
                StreamEnd::CloseNotified => Some(CloseReason::CloseNotified),
                StreamEnd::Final => Some(CloseReason::FinalExchange),
                StreamEnd::RequestUnfinished => Some(CloseReason::RequestUnfinished),
                StreamEnd::LocalReset | StreamEnd::RemoteReset | StreamEnd::RemoteRefused => {
                    Some(CloseReason::StreamReset)
                }
            };
            match reason {
                None => self.free_stream(p, c),
                Some(reason) => {
                    self.pools[p].conns[c].active -= 1;
                    self.order_close(p, c, reason);
                    self.replace(p);
                }
            }
        } else {
            let last = match end {
                StreamEnd::CloseNotified => Some(DrainCause::CloseNotified),
                StreamEnd::Final => Some(DrainCause::FinalExchange),
                StreamEnd::Complete
                | StreamEnd::RequestUnfinished
                | StreamEnd::LocalReset
                | StreamEnd::RemoteReset
                | StreamEnd::RemoteRefused => None,
            };
            match last {
                None => self.free_stream(p, c),
                Some(cause) => {
                    if self.pools[p].conns[c].active > 1 {
                        self.drain_one(p, c, cause);
                        self.pools[p].conns[c].active -= 1;
                    } else {
                        self.pools[p].conns[c].active -= 1;
                        self.order_close(p, c, cause.close_reason());
                    }
                    self.replace(p);
                }
            }
        }
        self.finish(p);
    }

    fn free_stream(&mut self, p: usize, c: Serial) {
        let before = self.pools[p].conns[c].state;
        if matches!(before, State::Draining(_)) {
            return self.drained_stream_ended(p, c);
        }
        let conn = &mut self.pools[p].conns[c];
        conn.active -= 1;
        if conn.active == 0 {
            conn.idle_since = self.now;
        }
        self.refit(p, c);
        if self.settles(p, c, before) {
            self.enter(p, c, State::Ready(Phase::Settling));
        }
        self.use_capacity_if_wanted(p, BindReason::StreamEnded);
    }

    pub(super) fn drained_stream_ended(&mut self, p: usize, c: Serial) {
        self.pools[p].conns[c].active -= 1;
        let conn = &self.pools[p].conns[c];
        if let (State::Draining(cause), 0) = (conn.state, conn.active) {
            self.order_close(p, c, cause.close_reason());
            self.replace(p);
        }
    }

    /// GOAWAY, suspicion, a wish: one connection is taken out of service.
    pub(super) fn end_one(&mut self, p: usize, c: Serial, cause: DrainCause) {
        self.drain_one(p, c, cause);
        self.replace(p);
        self.finish(p);
    }

    pub(super) fn drain_one(&mut self, p: usize, c: Serial, cause: DrainCause) {
        let conn = &self.pools[p].conns[c];
        match conn.state {
            State::Draining(_) | State::Closed(_) => {}
            _ if conn.active == 0 => self.order_close(p, c, cause.close_reason()),
            _ => self.start_drain(p, c, cause),
        }
    }

    pub(super) fn start_drain(&mut self, p: usize, c: Serial, cause: DrainCause) {
        self.enter(p, c, State::Draining(cause));
        self.pools[p].conns[c].drain_at = self.config.drain_timeout().map(|timeout| self.now + timeout);
        self.pools[p].conns[c].remaining = 0;
    }

    pub(super) fn protocol_error(&mut self, p: usize, c: Serial) {
        let attempt = self.is_attempt(p, c);
        self.order_close(p, c, CloseReason::ProtocolError);
        if attempt {
            self.pools[p].counters.cx_connect_fail += 1;
            self.fail_queue(p, FailReason::ConnectFailedLocally);
            self.open_wanted(p, Asking::Fresh);
        } else {
            self.replace(p);
        }
        self.finish(p);
    }

    /// Whether the queue may wait for this handshake.
    fn is_attempt(&self, p: usize, c: Serial) -> bool {
        matches!(
            self.pools[p].conns[c].state,
            State::Connecting | State::EarlyData | State::Busy(Handshake::Pending)
        )
    }

    pub(super) fn closed(&mut self, p: usize, c: Serial, by: ClosedBy) {
        let conn = &self.pools[p].conns[c];
        let failed = self.is_attempt(p, c);
        if !conn.is_closed() && !conn.is_up() {
            self.pools[p].counters.cx_connect_fail += 1;
        }
        self.gone(p, c);
        if failed {
            self.fail_queue(
                p,
                match by {
                    ClosedBy::Local => FailReason::ConnectFailedLocally,
                    ClosedBy::Remote => FailReason::ConnectFailedRemotely,
                },
            );
        }
        self.seat_forced(p);
        if failed || !self.pools[p].queue.is_empty() {
            self.open_wanted(p, Asking::Released);
        }
        self.finish(p);
    }

    /// The connection is dead, and its streams with it; its seat stays taken until its socket is gone.
    pub(super) fn order_close(&mut self, p: usize, c: Serial, reason: CloseReason) {
        self.enter(p, c, State::Closed(reason));
        self.pools[p].conns[c].active = 0;
        match self.pools[p].conns[c].heard {
            Heard::Connect | Heard::Close => self.pools[p].orders.push(Order::Close { conn: c, reason }),
            // Nobody has heard of it.
            Heard::Nothing => self.gone(p, c),
        }
    }

    fn gone(&mut self, p: usize, c: Serial) {
        let conn = &mut self.pools[p].conns[c];
        conn.socket = Socket::Gone;
        conn.seat = Seat::Held;
        conn.active = 0;
        self.pools[p].counters.cx_destroy += 1;
        self.hand_out();
    }

    pub(super) fn purge(&mut self, p: usize, reason: FailReason, keep: usize) {
        while self.pools[p].queue.len() > keep {
            if let Some(newest) = self.pools[p].queue.pop() {
                self.pools[p].orders.push(Order::Fail { token: newest.token, reason });
            }
        }
    }
}
