//! Who gets which connection: the most recently used one, the oldest request.

use pool_core::id::Token;
use pool_core::limits::Resource;
use pool_core::pool::{
    BindReason, DrainCause, EarlyData, FailReason, Handshake, Phase, QueueReason, State, Usage,
};
use pool_core::time::Instant;

use super::open::Asking;
use super::{Idle, Life, Order, Reply, Serial, Waiting, World};

impl World {
    pub(super) fn ready(&self, p: usize) -> Option<Serial> {
        self.newest_first(p, |state| state == State::Ready(Phase::Open)).first().copied()
    }

    fn early(&self, p: usize) -> Option<Serial> {
        self.newest_first(p, |state| state == State::EarlyData).first().copied()
    }

    pub(super) fn request(&mut self, p: usize, token: Token, early_data: EarlyData) -> Reply {
        if self.pools[p].life == Life::Ending {
            return Reply::Failed { reason: FailReason::Deleted };
        }
        if let Some(reply) = self.bind_at_once(p, early_data) {
            return reply;
        }
        if !self.admits(Resource::Pending) {
            self.pools[p].counters.rq_pending_overflow += 1;
            return Reply::Failed { reason: FailReason::PendingLimit };
        }
        let deadline = self.pending_deadline();
        self.pools[p].queue.push(Waiting { token, early_data, deadline });
        self.queued(p, early_data)
    }

    /// A request that goes back to the head of the queue, past the queue's limit.
    pub(super) fn requeue(
        &mut self,
        p: usize,
        token: Token,
        early_data: EarlyData,
        deadline: Option<Instant>,
    ) -> Reply {
        if self.pools[p].life == Life::Ending && self.serving(p) == 0 {
            return Reply::Failed { reason: FailReason::Deleted };
        }
        if let Some(reply) = self.bind_at_once(p, early_data) {
            return reply;
        }
        let deadline = deadline.or_else(|| self.pending_deadline());
        self.pools[p].queue.insert(0, Waiting { token, early_data, deadline });
        self.queued(p, early_data)
    }

    fn pending_deadline(&self) -> Option<Instant> {
        self.config.pending_timeout().map(|timeout| self.now + timeout)
    }

    fn bind_at_once(&mut self, p: usize, early_data: EarlyData) -> Option<Reply> {
        let early = || self.early(p).filter(|_| early_data == EarlyData::Safe);
        let (conn, reason) = match self.ready(p) {
            Some(conn) => (conn, BindReason::MostRecentlyUsed),
            None => (early()?, BindReason::EarlyData),
        };
        let Some(usage) = self.attach(p, conn) else {
            return Some(Reply::Failed { reason: FailReason::RequestLimit });
        };
        self.open_wanted(p, Asking::Fresh);
        Some(Reply::Bound { conn, reason, usage })
    }

    fn queued(&mut self, p: usize, early_data: EarlyData) -> Reply {
        self.pools[p].idle = Idle::Unreported;
        self.pools[p].counters.rq_pending_total += 1;
        self.open_wanted(p, Asking::Fresh);
        let reason = if self.settling(p) >= self.pending(p) {
            QueueReason::Settling
        } else if early_data == EarlyData::Unsafe && self.early(p).is_some() {
            QueueReason::Handshake
        } else if self.connecting(p) > 0 {
            QueueReason::Connecting
        } else if self.waits(p).is_some() {
            QueueReason::ConnectionLimit
        } else {
            QueueReason::Busy
        };
        Reply::Queued { reason }
    }

    /// Gives a stream away; `None` if `max_requests` refuses.
    fn attach(&mut self, p: usize, c: Serial) -> Option<Usage> {
        if self.limits_requests() && !self.admits(Resource::Requests) {
            self.pools[p].counters.rq_active_overflow += 1;
            return None;
        }
        self.pools[p].counters.rq_total += 1;
        let conn = &mut self.pools[p].conns[c];
        let usage = core::mem::replace(&mut conn.usage, Usage::Reused);
        conn.active += 1;
        conn.remaining -= 1;
        if conn.remaining == 0 {
            self.pools[p].counters.cx_max_requests += 1;
            self.start_drain(p, c, DrainCause::MaxRequests);
        } else {
            self.refit(p, c);
        }
        Some(usage)
    }

    /// Serves the queue, oldest first.
    pub(super) fn serve(&mut self, p: usize, reason: BindReason) {
        while let Some(conn) = self.ready(p).filter(|_| !self.pools[p].queue.is_empty()) {
            self.serve_one(p, 0, conn, reason);
        }
    }

    /// Serves those who may go out as early data, oldest first.
    pub(super) fn serve_early(&mut self, p: usize) {
        loop {
            let safe = self.pools[p].queue.iter().position(|waiting| waiting.early_data == EarlyData::Safe);
            let (Some(place), Some(conn)) = (safe, self.early(p)) else { return };
            self.serve_one(p, place, conn, BindReason::EarlyData);
        }
    }

    fn serve_one(&mut self, p: usize, place: usize, conn: Serial, reason: BindReason) {
        let usage = self.attach(p, conn);
        let token = self.pools[p].queue.remove(place).token;
        let order = match usage {
            Some(usage) => Order::Bind { token, conn, reason, usage },
            None => Order::Fail { token, reason: FailReason::RequestLimit },
        };
        self.pools[p].orders.push(order);
    }

    /// The queue gets what became free.
    pub(super) fn use_capacity(&mut self, p: usize, reason: BindReason) {
        let early = self.early(p).is_some();
        self.serve_early(p);
        if self.ready(p).is_some() {
            self.serve(p, reason);
            self.replace(p);
        } else if early {
            self.replace(p);
        }
    }

    // ---- facts that make room ----

    pub(super) fn early_data_ready(&mut self, p: usize, c: Serial) {
        self.enter(p, c, State::EarlyData);
        self.refit(p, c);
        self.serve_early(p);
        self.replace(p);
        self.finish(p);
    }

    pub(super) fn connected(&mut self, p: usize, c: Serial, limit: Option<u32>) {
        let ceiling = self.ceiling();
        let conn = &mut self.pools[p].conns[c];
        conn.connected_at = Some(self.now);
        if !matches!(conn.state, State::Draining(_)) {
            conn.limit = limit.map_or(conn.limit, |limit| i64::from(limit).min(ceiling));
            conn.idle_since = self.now;
            self.enter(p, c, State::Ready(Phase::Open));
            self.refit(p, c);
        }
        if self.ready(p).is_some() {
            self.serve(p, BindReason::Connected);
            self.replace(p);
        }
        self.finish(p);
    }

    pub(super) fn capacity_changed(&mut self, p: usize, c: Serial, limit: u32) {
        self.pools[p].conns[c].limit = i64::from(limit).min(self.ceiling());
        self.refit(p, c);
        self.use_capacity_if_wanted(p, BindReason::CapacityRaised);
        self.finish(p);
    }

    pub(super) fn use_capacity_if_wanted(&mut self, p: usize, reason: BindReason) {
        if !self.pools[p].queue.is_empty() {
            self.use_capacity(p, reason);
        }
    }

    /// What came with the last responses was looked at.
    pub(super) fn settled(&mut self, p: usize) {
        let settling = self.newest_first(p, |state| state == State::Ready(Phase::Settling));
        for c in settling.into_iter().rev() {
            self.enter(p, c, State::Ready(Phase::Open));
        }
        if !self.pools[p].queue.is_empty() {
            self.serve(p, BindReason::Settled);
            self.replace(p);
        }
        self.finish(p);
    }

    /// A stream that never was.
    pub(super) fn bind_refused(&mut self, p: usize, c: Serial, limit: u32) {
        let limit = i64::from(limit).min(self.ceiling());
        let conn = &mut self.pools[p].conns[c];
        conn.limit = limit;
        if matches!(conn.state, State::Draining(_)) {
            self.drained_stream_ended(p, c);
        } else {
            conn.active -= 1;
            conn.remaining += 1;
            if conn.active == 0 {
                conn.idle_since = self.now;
            }
            self.refit(p, c);
        }
        self.use_capacity_if_wanted(p, BindReason::StreamEnded);
        self.finish(p);
    }

    /// Whether an HTTP/1 connection settles after its stream.
    pub(super) fn settles(&self, p: usize, c: Serial, before: State) -> bool {
        self.is_exclusive()
            && before == State::Busy(Handshake::Complete)
            && self.pools[p].conns[c].state == State::Ready(Phase::Open)
    }
}
