//! Emptying a pool: drain modes, host health, teardown.

use super::action::{Action, CloseReason, DrainMode, FailReason, HostHealth};
use super::connect::Attempt;
use super::slots::{ListName, NONE};
use super::state::{DrainCause, State};
use super::{IdleReport, Life, Pool};
use crate::limits::Ledger;
use crate::time::Instant;

/// What a sweep over a list closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweep {
    /// Everything: without streams at once, with streams after the last one.
    All(DrainCause),
    /// Only what has no streams.
    Unused,
}

impl Pool {
    /// The host's health has changed. When it becomes unhealthy, everything present drains; when it
    /// is anything but healthy, nothing is opened ahead of need.
    pub fn handle_host_health(&mut self, now: Instant, ledger: &mut impl Ledger, health: HostHealth) {
        let before = core::mem::replace(&mut self.health, health);
        match (before, health) {
            (HostHealth::Healthy | HostHealth::Degraded, HostHealth::Unhealthy) => {
                self.drain_existing(now, ledger, DrainCause::HostUnhealthy);
                self.finish(now, ledger);
            }
            (HostHealth::Unhealthy, HostHealth::Unhealthy)
            | (
                HostHealth::Healthy | HostHealth::Degraded | HostHealth::Unhealthy,
                HostHealth::Healthy | HostHealth::Degraded,
            ) => {}
        }
    }

    /// Empties the pool; see [`DrainMode`].
    pub fn drain(&mut self, now: Instant, ledger: &mut impl Ledger, mode: DrainMode) {
        match mode {
            DrainMode::Existing => self.drain_existing(now, ledger, DrainCause::Drained),
            DrainMode::NotifyPeerAndExisting => {
                self.notify_peers();
                self.drain_existing(now, ledger, DrainCause::Drained);
            }
            DrainMode::AndDelete => self.life = Life::Deleting,
        }
        self.finish(now, ledger);
    }

    /// Tears the pool down: every connection is closed with its streams, every queued request fails,
    /// nothing is opened. Seats come back with the `Closed` reports.
    pub fn abort(&mut self, now: Instant, ledger: &mut impl Ledger) {
        self.life = Life::Deleting;
        if self.cold.idle == IdleReport::Fresh {
            // Nothing to wait for, and who tears down knows.
            self.cold.idle = IdleReport::Done;
        }
        for index in 0..self.slots.table_len() {
            match self.slots[index].state {
                None | Some(State::Closed(_)) => {}
                Some(
                    State::Connecting
                    | State::EarlyData
                    | State::Ready(_)
                    | State::Busy(_)
                    | State::Draining(_),
                ) => self.order_close(now, ledger, index, CloseReason::Aborted, 0),
            }
        }
        self.purge(ledger, FailReason::Aborted, 0);
        self.finish(now, ledger);
    }

    /// Present connections go; what the queue waits for stays.
    fn drain_existing(&mut self, now: Instant, ledger: &mut impl Ledger, cause: DrainCause) {
        let spares = self.slots.table.connecting.len + self.slots.table.early_data.len;
        self.sweep(now, ledger, ListName::Ready, Sweep::All(cause));
        self.sweep(now, ledger, ListName::Settling, Sweep::All(cause));
        if self.cold.queue.is_empty() {
            self.sweep(now, ledger, ListName::Connecting, Sweep::All(cause));
            self.sweep(now, ledger, ListName::EarlyData, Sweep::All(cause));
        }
        self.drain_busy(now, ledger, cause);
        // Attempts that were closed here may have been spares that the streams still in progress ask
        // for; a peer's close would have run the same loop.
        if !self.cold.queue.is_empty()
            || self.slots.table.connecting.len + self.slots.table.early_data.len < spares
        {
            self.create(now, ledger, Attempt::Fresh);
        }
    }

    /// A pool that is to be deleted keeps nothing that has no stream and is not waited for.
    pub(super) fn close_unused(&mut self, now: Instant, ledger: &mut impl Ledger) {
        for list in [ListName::Ready, ListName::Settling, ListName::Connecting, ListName::EarlyData] {
            self.sweep(now, ledger, list, Sweep::Unused);
        }
        // Busy without a stream: the peer allows none.
        if self.active == 0 && self.slots.serving() > 0 {
            self.drain_busy(now, ledger, DrainCause::Drained);
        }
    }

    fn drain_busy(&mut self, now: Instant, ledger: &mut impl Ledger, cause: DrainCause) {
        for index in 0..self.slots.table_len() {
            if let Some(State::Busy(_)) = self.slots[index].state {
                self.drain_one(now, ledger, index, cause);
            }
        }
    }

    fn sweep(&mut self, now: Instant, ledger: &mut impl Ledger, list: ListName, sweep: Sweep) {
        let mut at = self.slots.head(list);
        while at != NONE {
            let index = at;
            at = self.slots.next(index);
            match sweep {
                Sweep::All(cause) => self.drain_one(now, ledger, index, cause),
                Sweep::Unused if self.slots[index].active == 0 => {
                    self.order_close(now, ledger, index, CloseReason::Drained, 0);
                }
                Sweep::Unused => {}
            }
        }
    }

    /// GOAWAY to every peer that understands it and is not already being left.
    fn notify_peers(&mut self) {
        if !self.is_multiplexed() {
            return;
        }
        for index in 0..self.slots.table_len() {
            match self.slots[index].state {
                Some(State::Ready(_) | State::Busy(super::Handshake::Complete)) => {
                    self.emit(Action::NotifyGoAway { conn: self.slots.id(index) });
                }
                None
                | Some(
                    State::Connecting
                    | State::EarlyData
                    | State::Busy(super::Handshake::Pending)
                    | State::Draining(_)
                    | State::Closed(_),
                ) => {}
            }
        }
    }
}
