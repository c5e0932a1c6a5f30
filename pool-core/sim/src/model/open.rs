//! When a connection is opened.

use pool_core::config::{Admission, FailQueue, Ratio};
use pool_core::limits::{Need, Resource};
use pool_core::pool::{ConnectReason, FailReason, HostHealth, State, Usage};

use super::{Conn, Heard, Idle, Life, Seat, Serial, Socket, World};

/// How a seat is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// A pool that already waits does not ask again.
    Fresh,
    /// The ledger has called.
    Called,
    /// This pool has just given a seat back.
    Released,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    Yes,
    Forced,
    Refused,
    NotWanted,
}

impl World {
    /// Spec 2.4 with integers: `(P + A + expected) * ratio > C + A`.
    fn wants(&self, p: usize, ratio: Ratio, expected: i64) -> bool {
        let streams = self.pending(p) + self.active(p) + expected;
        let places = self.capacity(p) + self.active(p);
        streams * i64::from(ratio.thousandths()) > places * 1000
    }

    /// Whether nothing is on its way to some of those who wait.
    fn needs(&self, p: usize) -> bool {
        self.pending(p) > self.connecting(p) + self.settling(p)
    }

    fn should_open(&self, p: usize) -> bool {
        match self.pools[p].health {
            HostHealth::Healthy => self.wants(p, self.config.per_upstream_preconnect_ratio(), 0),
            HostHealth::Degraded | HostHealth::Unhealthy => self.needs(p),
        }
    }

    /// One trigger opens at most three.
    pub(super) fn open_wanted(&mut self, p: usize, asking: Asking) -> Opened {
        self.open_within(p, asking, 3)
    }

    pub(super) fn open_within(&mut self, p: usize, asking: Asking, budget: u8) -> Opened {
        if self.pools[p].life == Life::Ending || !self.should_open(p) {
            return Opened::NotWanted;
        }
        self.pools[p].budget = budget;
        let mut asking = asking;
        while self.pools[p].budget > 0 && self.should_open(p) {
            self.pools[p].budget -= 1;
            let reason = if self.needs(p) { ConnectReason::Demand } else { ConnectReason::Preconnect };
            match self.open_one(p, asking, reason) {
                Opened::Yes => asking = Asking::Fresh,
                other => return other,
            }
        }
        Opened::Yes
    }

    pub(super) fn open_one(&mut self, p: usize, asking: Asking, reason: ConnectReason) -> Opened {
        let in_line = self.waits(p).is_some();
        let ask = !in_line || asking != Asking::Fresh;
        if ask {
            if self.take_seat(p) {
                self.open(p, reason, Seat::Held);
                self.leave_line(p);
                return Opened::Yes;
            }
            if !in_line || asking != Asking::Released {
                self.pools[p].counters.cx_overflow += 1;
            }
        }
        if self.pools[p].queue.is_empty() {
            return Opened::Refused;
        }
        // P1: one forced connection at a time, and only where nothing else could serve.
        let alone = self.serving(p) == 0 && self.conns(p).all(|(_, conn)| conn.seat == Seat::Held);
        if alone && self.config.admission() == Admission::ForceOne {
            self.open(p, ConnectReason::Forced, Seat::Missing);
            self.line_up(p, Need::Forced);
            return Opened::Forced;
        }
        if ask {
            self.line_up(p, Need::Queue);
        }
        Opened::Refused
    }

    fn open(&mut self, p: usize, reason: ConnectReason, seat: Seat) {
        // P13: before the peer has spoken, no more than 100.
        let limit = self.ceiling().min(100);
        let endless = if self.is_exclusive() { i64::from(u32::MAX) } else { 1 << 29 };
        let remaining = self.config.max_requests_per_connection().map_or(endless, i64::from).min(endless);
        self.entries += 1;
        let conn = Conn {
            state: State::Connecting,
            socket: Socket::There,
            seat,
            heard: Heard::Nothing,
            usage: Usage::First,
            opened_at: self.now,
            connected_at: None,
            idle_since: self.now,
            drain_at: None,
            limit,
            remaining,
            active: 0,
            entered: self.entries,
        };
        let pool = &mut self.pools[p];
        pool.idle = Idle::Unreported;
        pool.counters.cx_total += 1;
        pool.connects.push((pool.conns.len(), reason));
        pool.conns.push(conn);
    }

    /// What the driver remembers of the origin's limit.
    pub(super) fn connect_started(&mut self, p: usize, c: Serial, limit: Option<u32>) {
        if self.pools[p].conns[c].state != State::Connecting || !self.pools[p].conns[c].is_there() {
            return;
        }
        let Some(limit) = limit.filter(|limit| *limit > 0) else { return };
        self.pools[p].conns[c].limit = i64::from(limit).min(self.ceiling());
        if !self.pools[p].queue.is_empty() {
            self.open_within(p, Asking::Fresh, self.pools[p].budget);
        }
    }

    pub(super) fn preconnect(&mut self, p: usize, ratio: Ratio) {
        let healthy = self.pools[p].health == HostHealth::Healthy;
        if healthy && ratio != Ratio::OFF && self.wants(p, ratio, 1) && self.pools[p].life == Life::Open {
            self.open_one(p, Asking::Fresh, ConnectReason::Predictive);
        }
    }

    /// Opens for those who wait, if anybody does.
    pub(super) fn replace(&mut self, p: usize) {
        if !self.pools[p].queue.is_empty() {
            self.open_wanted(p, Asking::Fresh);
        }
    }

    /// Whether a connection without a seat is there and not given up.
    fn unseated(&self, p: usize) -> Option<Serial> {
        let mut unseated = self.conns(p).filter(|(_, conn)| conn.seat == Seat::Missing && !conn.is_closed());
        unseated.next().map(|(serial, _)| serial)
    }

    pub(super) fn seat_forced(&mut self, p: usize) {
        if self.waits(p) != Some(Need::Forced) {
            return;
        }
        if let Some(forced) = self.unseated(p) {
            if self.take_seat(p) {
                self.pools[p].conns[forced].seat = Seat::Held;
                self.leave_line(p);
            }
        }
    }

    /// A seat is kept for this pool, says somebody.
    pub(super) fn slot_freed(&mut self, p: usize, resource: Resource) {
        if resource != Resource::Connections || self.waits(p).is_none() {
            return;
        }
        if self.unseated(p).is_some() {
            self.seat_forced(p);
            if self.unseated(p).is_some() {
                return self.line_up(p, Need::Forced);
            }
        }
        if self.open_wanted(p, Asking::Called) == Opened::NotWanted {
            self.leave_line(p);
        }
        self.finish(p);
    }

    /// Nobody waits in line for what is no longer needed.
    pub(super) fn update_line(&mut self, p: usize) {
        let Some(need) = self.waits(p) else { return };
        let wanted = if self.unseated(p).is_some() {
            Some(Need::Forced)
        } else if self.pools[p].queue.is_empty() || self.pools[p].life == Life::Ending {
            None
        } else {
            Some(Need::Queue)
        };
        match (need, wanted) {
            (_, None) => self.leave_line(p),
            (Need::Queue, Some(Need::Forced)) => self.line_up(p, Need::Forced),
            (Need::Forced, Some(Need::Queue)) => {
                self.leave_line(p);
                self.line_up(p, Need::Queue);
            }
            (Need::Queue, Some(Need::Queue)) | (Need::Forced, Some(Need::Forced)) => {}
        }
    }

    /// A failed attempt fails the queue, newest first (P2).
    pub(super) fn fail_queue(&mut self, p: usize, reason: FailReason) {
        let keep = match self.config.on_connect_failure() {
            FailQueue::All => 0,
            FailQueue::Unservable => self.conns(p).map(|(_, conn)| conn.capacity().max(0)).sum(),
        };
        self.purge(p, reason, usize::try_from(keep).unwrap_or(usize::MAX));
    }
}
