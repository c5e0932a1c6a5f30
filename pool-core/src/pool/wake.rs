//! Deadlines: which there are, when the next one is, what happens when it comes.
//!
//! Every connection has at most one entry in the heap, for the earliest thing that can happen to it.
//! Binds and ends of streams do not touch it: they only move deadlines away, so the entry is early at
//! worst, and is set anew when it is met.

use core::time::Duration;

use super::Pool;
use super::action::{CloseReason, WakeReason};
use super::slots::NEVER;
use super::state::{DrainCause, Handshake, State};
use crate::limits::Ledger;
use crate::time::{Deadline, Instant};

impl Pool {
    /// When the pool wants to be called next. May be early, is never late.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Deadline<WakeReason> {
        if self.untaken > 0 {
            return Deadline::Now(WakeReason::Actions);
        }
        if self.slots.settling > 0 {
            return Deadline::Now(WakeReason::Settle);
        }
        let timer = if self.wake_at == NEVER {
            Deadline::Never
        } else {
            self.cold.timers.first().map_or(Deadline::Never, |(at, reason)| Deadline::At(at, reason))
        };
        if self.seats.pending() == 0 {
            return timer;
        }
        match self.cold.queue.deadline() {
            None => timer,
            Some(at) => timer.soonest(Deadline::At(at, WakeReason::PendingTimeout)),
        }
    }

    /// Time has passed: does everything that is due, in the order of its deadlines, and settles
    /// connections first.
    pub fn handle_timeout(&mut self, now: Instant, ledger: &mut impl Ledger) {
        if self.slots.settling > 0 {
            self.handle_settled(now, ledger);
        }
        loop {
            let timer = self.wake_at;
            let request = self.cold.queue.deadline().unwrap_or(NEVER);
            if timer.min(request) > now || timer.min(request) == NEVER {
                break;
            }
            if request <= timer {
                if let Some(index) = self.cold.queue.due(now) {
                    self.pending_timed_out(ledger, index);
                }
            } else if let Some(index) = self.cold.timers.pop_due(now) {
                self.wake_at = self.first_timer();
                self.fire(now, ledger, index);
            }
        }
        self.finish(now, ledger);
    }

    /// Sets the connection's entry to the earliest thing that can happen to it.
    pub(super) fn arm(&mut self, now: Instant, index: u32) {
        match self.next_event(now, index) {
            Some((at, reason)) if at != NEVER => self.cold.timers.set(index, at, reason),
            Some(_) | None => self.cold.timers.remove(index),
        }
        self.wake_at = self.first_timer();
    }

    /// Takes a connection's entry away.
    pub(super) fn disarm(&mut self, index: u32) {
        self.cold.timers.remove(index);
        self.wake_at = self.first_timer();
    }

    /// The earliest entry of the heap, or [`NEVER`].
    pub(super) fn first_timer(&self) -> Instant {
        self.cold.timers.first().map_or(NEVER, |(at, _)| at)
    }

    fn next_event(&self, now: Instant, index: u32) -> Option<(Instant, WakeReason)> {
        let (hot, cold) = (&self.slots[index], self.slots.cold(index));
        let connect = || {
            let at = cold.opened_at.after(self.cold.config.connect_timeout());
            (at, WakeReason::ConnectTimeout)
        };
        let drain = (cold.drain_at, WakeReason::DrainTimeout);
        match hot.state? {
            State::Connecting | State::EarlyData | State::Busy(Handshake::Pending) => Some(connect()),
            State::Ready(_) | State::Busy(Handshake::Complete) => {
                // With streams in progress it cannot be idle for another full timeout.
                let since = if hot.active == 0 { hot.idle_since } else { now };
                let idle = (idle_at(since, cold.idle_for), WakeReason::IdleTimeout);
                Some(idle.min((cold.age_at, WakeReason::MaxAge)))
            }
            State::Draining(_) if cold.connected_at == NEVER => Some(drain.min(connect())),
            State::Draining(_) => Some(drain),
            State::Closed(_) => None,
        }
    }

    /// The entry of a connection was met: the thing itself, or only a reason to look again.
    fn fire(&mut self, now: Instant, ledger: &mut impl Ledger, index: u32) {
        let reason = match self.next_event(now, index) {
            Some((at, reason)) if at <= now => reason,
            Some(_) | None => return self.arm(now, index),
        };
        match reason {
            WakeReason::ConnectTimeout => self.connect_timed_out(now, ledger, index),
            WakeReason::IdleTimeout => {
                self.cold.stats.cx_idle_timeout += 1;
                self.order_close(now, ledger, index, CloseReason::IdleTimeout, 0);
                self.replace(now, ledger);
            }
            WakeReason::MaxAge => {
                self.cold.stats.cx_max_duration_reached += 1;
                self.drain_one(now, ledger, index, DrainCause::MaxAge);
                self.replace(now, ledger);
            }
            WakeReason::DrainTimeout => {
                self.cold.stats.cx_drain_timeout += 1;
                self.order_close(now, ledger, index, CloseReason::DrainTimeout, 0);
                self.replace(now, ledger);
            }
            // No connection has these.
            WakeReason::Actions | WakeReason::Settle | WakeReason::PendingTimeout => {}
        }
    }
}

fn idle_at(since: Instant, idle_for: u64) -> Instant {
    since.after(Duration::from_nanos(idle_for))
}
