//! Leaving the queue without a connection: failure, deadline, cancel.

use super::Pool;
use super::action::{Action, CancelPolicy, CloseReason, FailReason, HostHealth};
use super::slots::NONE;
use crate::config::Ratio;
use crate::id::{Token, WaiterId};
use crate::limits::{Ledger, Resource};
use crate::time::Instant;

impl Pool {
    /// Takes a request out of the queue. Answers whether it was still there; if so, no outcome will
    /// follow. If not, its outcome has been given, possibly in an action that is not yet taken.
    pub fn cancel(
        &mut self,
        now: Instant,
        ledger: &mut impl Ledger,
        waiter: WaiterId,
        policy: CancelPolicy,
    ) -> bool {
        let Some(index) = self.cold.queue.find(waiter) else {
            self.ignore();
            return false;
        };
        self.leave_queue(ledger, index);
        self.cold.stats.rq_cancelled += 1;
        match policy {
            CancelPolicy::Default => {}
            CancelPolicy::CloseExcess => self.close_excess(now, ledger),
        }
        self.finish(now, ledger);
        true
    }

    /// Closes at most one attempt that nobody needs any more: the newest, or a connection that waits
    /// for early data in vain.
    fn close_excess(&mut self, now: Instant, ledger: &mut impl Ledger) {
        let (connecting, early) = (self.slots.table.connecting.head, self.slots.table.early_data.head);
        let candidate = if connecting != NONE {
            connecting
        } else if early != NONE && self.slots[early].active == 0 {
            early
        } else {
            return;
        };
        let ratio = match self.health {
            HostHealth::Healthy => self.cold.ratio,
            HostHealth::Degraded | HostHealth::Unhealthy => Ratio::ONE,
        };
        if self.load().can_spare(ratio, self.slots[candidate].unused()) {
            // No creation loop: what is left was just found to be enough, while the loop also counts
            // what the peer took back from busy connections, and would open the same again.
            self.order_close(now, ledger, candidate, CloseReason::Excess, 0);
        }
    }

    /// Out of the queue and out of its gauge.
    pub(super) fn leave_queue(&mut self, ledger: &mut impl Ledger, index: u32) -> (WaiterId, Token) {
        if let Some(seat) = self.seats.take(Resource::Pending, self.who()) {
            ledger.give_back(seat);
        }
        self.cold.queue.remove(index)
    }

    pub(super) fn fail(&mut self, ledger: &mut impl Ledger, index: u32, reason: FailReason) {
        let (waiter, token) = self.leave_queue(ledger, index);
        self.emit(Action::Fail { waiter, token, failure: reason.failure(), reason });
    }

    /// Fails requests, newest first, until at most `keep` are left; answers how many failed. What is
    /// queued after this call is not touched by it.
    pub(super) fn purge(&mut self, ledger: &mut impl Ledger, reason: FailReason, keep: u32) -> u64 {
        let mut failed = 0;
        while self.cold.queue.len() > keep {
            let Some(newest) = self.cold.queue.back() else { break };
            self.fail(ledger, newest, reason);
            failed += 1;
        }
        failed
    }

    /// A request waited for too long.
    pub(super) fn pending_timed_out(&mut self, ledger: &mut impl Ledger, index: u32) {
        self.cold.stats.rq_pending_timeout += 1;
        self.fail(ledger, index, FailReason::PendingTimeout);
    }
}
