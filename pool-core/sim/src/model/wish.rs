//! Cancel, drain, health, teardown.

use pool_core::config::Ratio;
use pool_core::id::Token;
use pool_core::pool::{
    CancelPolicy, CloseReason, DrainCause, DrainMode, FailReason, Handshake, HostHealth, Phase, State,
};

use super::open::Asking;
use super::{Idle, Life, Order, Serial, World};

const READY: State = State::Ready(Phase::Open);
const SETTLING: State = State::Ready(Phase::Settling);

impl World {
    pub(super) fn cancel(&mut self, p: usize, token: Token, policy: CancelPolicy) -> bool {
        let place = self.pools[p].queue.iter().position(|waiting| waiting.token == token);
        let Some(place) = place else { return false };
        self.pools[p].queue.remove(place);
        self.pools[p].counters.rq_cancelled += 1;
        if policy == CancelPolicy::CloseExcess {
            self.close_excess(p);
        }
        self.finish(p);
        true
    }

    /// Spec 2.9: at most one attempt, the newest, and only if the others suffice.
    fn close_excess(&mut self, p: usize) {
        let connecting = self.newest_first(p, |state| state == State::Connecting);
        let early = self.newest_first(p, |state| state == State::EarlyData);
        let unused = |c: &&Serial| self.pools[p].conns[**c].active == 0;
        let Some(candidate) = connecting.first().or_else(|| early.first().filter(unused)).copied() else {
            return;
        };
        let ratio = match self.pools[p].health {
            HostHealth::Healthy => self.config.per_upstream_preconnect_ratio(),
            HostHealth::Degraded | HostHealth::Unhealthy => Ratio::ONE,
        };
        let streams = self.pending(p) + self.active(p);
        let places = self.connecting(p) - self.pools[p].conns[candidate].unused() + self.active(p);
        if streams * i64::from(ratio.thousandths()) <= places * 1000 {
            self.order_close(p, candidate, CloseReason::Excess);
        }
    }

    pub(super) fn drain(&mut self, p: usize, mode: DrainMode) {
        match mode {
            DrainMode::Existing => self.drain_existing(p, DrainCause::Drained),
            DrainMode::NotifyPeerAndExisting => {
                if !self.is_exclusive() {
                    let up = |state| matches!(state, State::Ready(_) | State::Busy(Handshake::Complete));
                    for conn in self.newest_first(p, up) {
                        self.pools[p].orders.push(Order::NotifyGoAway { conn });
                    }
                }
                self.drain_existing(p, DrainCause::Drained);
            }
            DrainMode::AndDelete => self.pools[p].life = Life::Ending,
        }
        self.finish(p);
    }

    pub(super) fn health(&mut self, p: usize, health: HostHealth) {
        let before = core::mem::replace(&mut self.pools[p].health, health);
        if health == HostHealth::Unhealthy && before != health {
            self.drain_existing(p, DrainCause::HostUnhealthy);
            self.finish(p);
        }
    }

    /// Spec 6.1: everything goes but what the queue waits for.
    fn drain_existing(&mut self, p: usize, cause: DrainCause) {
        let attempt = |state| matches!(state, State::Connecting | State::EarlyData);
        let attempts = self.newest_first(p, attempt).len();
        let keep = !self.pools[p].queue.is_empty();
        for conn in self.newest_first(p, |state| !(keep && attempt(state))) {
            self.drain_one(p, conn, cause);
        }
        if keep || self.newest_first(p, attempt).len() < attempts {
            self.open_wanted(p, Asking::Fresh);
        }
    }

    pub(super) fn abort(&mut self, p: usize) {
        self.pools[p].life = Life::Ending;
        if self.pools[p].idle == Idle::NeverUsed {
            self.pools[p].idle = Idle::Reported;
        }
        for conn in self.newest_first(p, |state| !matches!(state, State::Closed(_))) {
            self.order_close(p, conn, CloseReason::Aborted);
        }
        self.purge(p, FailReason::Aborted, 0);
        self.finish(p);
    }

    /// What every fact and wish ends with.
    pub(super) fn finish(&mut self, p: usize) {
        if self.pools[p].life == Life::Ending {
            if self.pools[p].queue.is_empty() {
                self.close_unused(p);
            } else if self.serving(p) == 0 {
                self.purge(p, FailReason::Deleted, 0);
            }
        }
        self.update_line(p);
        let owed = match self.pools[p].idle {
            Idle::NeverUsed => self.pools[p].life == Life::Ending,
            Idle::Unreported => true,
            Idle::Reported => false,
        };
        if self.is_idle(p) && owed {
            self.pools[p].idle = Idle::Reported;
            self.pools[p].orders.push(Order::Idle);
        }
    }

    /// A pool that is to end keeps nothing that has no stream. A busy connection without one (the peer
    /// allows none) stays until no other has one either.
    fn close_unused(&mut self, p: usize) {
        let usable = |state| matches!(state, READY | SETTLING | State::Connecting | State::EarlyData);
        for conn in self.newest_first(p, usable) {
            if self.pools[p].conns[conn].active == 0 {
                self.order_close(p, conn, CloseReason::Drained);
            }
        }
        if self.active(p) == 0 {
            for conn in self.newest_first(p, |state| matches!(state, State::Busy(_))) {
                self.order_close(p, conn, CloseReason::Drained);
            }
        }
    }
}
