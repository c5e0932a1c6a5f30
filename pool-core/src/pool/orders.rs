//! Actions that wait to be taken by the driver.

use super::action::{Action, CloseReason, ConnectReason};
use super::slots::Heard;
use super::state::State;
use super::{IdleReport, Life, Pool};
use crate::id::ConnId;

/// Room that is kept for the next batch; more than that is returned after a burst.
const KEPT: usize = 64;

/// Two lines: a connection is opened only after everything else was taken, closings above all, so
/// that a socket is not asked for while one is about to be freed.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    actions: Line<Action>,
    connects: Line<(ConnId, ConnectReason)>,
}

#[derive(Clone, Debug)]
struct Line<T> {
    items: Vec<T>,
    taken: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { items: Vec::new(), taken: 0 }
    }
}

impl<T: Copy> Line<T> {
    fn push(&mut self, item: T) {
        // From one upwards by doubling: there are many pools, and most order one thing at a time.
        if self.items.len() == self.items.capacity() {
            self.items.reserve_exact(self.items.len().max(1));
        }
        self.items.push(item);
    }

    fn take(&mut self) -> Option<T> {
        let item = self.items.get(self.taken).copied();
        self.taken += 1;
        if self.taken >= self.items.len() {
            self.taken = 0;
            self.items.clear();
            self.items.shrink_to(KEPT);
        }
        item
    }
}

impl Pool {
    /// The next action, oldest first, but `Connect` orders last.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        if self.untaken == 0 { None } else { self.take_action() }
    }

    fn take_action(&mut self) -> Option<Action> {
        while self.untaken > 0 {
            self.untaken -= 1;
            if let Some(action) = self.cold.orders.actions.take() {
                if self.still_holds(action) {
                    return Some(action);
                }
                continue;
            }
            let Some((conn, reason)) = self.cold.orders.connects.take() else { continue };
            // An attempt that was given up before the driver heard of it is dead by now.
            if let Some((index, State::Connecting)) = self.slots.find(conn) {
                self.slots.cold_mut(index).heard = Heard::Connect;
                return Some(Action::Connect { conn, reason });
            }
        }
        None
    }

    /// Whether an action is worth taking: facts may have come since it was decided.
    fn still_holds(&mut self, action: Action) -> bool {
        match action {
            Action::Close { conn, .. } => match self.slots.find(conn) {
                Some((index, _)) => {
                    self.slots.cold_mut(index).heard = Heard::Close;
                    true
                }
                // It closed by itself.
                None => false,
            },
            Action::NotifyGoAway { conn } => self.slots.find(conn).is_some(),
            // A request came before the owner heard; it will be told again.
            Action::Idle => self.is_idle(),
            Action::Connect { .. } | Action::Bind { .. } | Action::Fail { .. } => true,
        }
    }

    pub(super) fn emit(&mut self, action: Action) {
        self.untaken += 1;
        self.cold.orders.actions.push(action);
    }

    pub(super) fn emit_connect(&mut self, conn: ConnId, reason: ConnectReason) {
        self.untaken += 1;
        self.cold.orders.connects.push((conn, reason));
    }

    pub(super) fn emit_close(&mut self, conn: ConnId, reason: CloseReason) {
        self.emit(Action::Close { conn, reason });
    }

    /// For an owner that made the pool for a request which was refused: nothing else may ever come.
    #[cold]
    pub(crate) fn report_unused(&mut self) {
        if self.cold.idle == IdleReport::Fresh {
            self.cold.idle = IdleReport::Due;
            self.report_idle();
        }
    }

    /// Tells the owner, once, that nothing is left.
    pub(super) fn report_idle(&mut self) {
        if !self.is_idle() {
            return;
        }
        let due = match self.cold.idle {
            IdleReport::Done => false,
            IdleReport::Due => true,
            IdleReport::Fresh => self.life == Life::Deleting,
        };
        if due {
            self.cold.idle = IdleReport::Done;
            self.emit(Action::Idle);
        }
    }
}
