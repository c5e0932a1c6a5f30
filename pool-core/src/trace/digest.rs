//! A number that two runs share as long as their pools answered and ordered the same.

use crate::id::{ConnId, PoolId};
use crate::pool::{Action, Answer};

/// Mixes words; any change of one word changes everything after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(u64);

impl Digest {
    pub(super) const fn value(self) -> u64 {
        self.0
    }

    /// What an entry carries of it: from the top, where the mixing is best.
    #[inline]
    pub(super) const fn byte(self) -> u8 {
        (self.0 >> 56) as u8
    }

    #[inline]
    fn add(&mut self, word: u64) {
        // An odd factor and a rotation: both can be undone, so no two states fall together.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    #[inline]
    fn add_conn(&mut self, conn: ConnId) {
        self.add(u64::from(conn.index) << 32 | u64::from(conn.generation));
    }

    #[inline]
    pub(super) fn answer(&mut self, answer: Option<&Answer>) {
        match answer {
            None => self.add(0),
            Some(Answer::Bound(bound)) => {
                self.add(1 | (bound.reason as u64) << 8 | (bound.usage as u64) << 16);
                self.add_conn(bound.conn);
            }
            Some(Answer::Queued(queued)) => {
                self.add(2 | (queued.reason as u64) << 8);
                self.add(u64::from(queued.waiter.index) << 32 | u64::from(queued.waiter.generation));
            }
            Some(Answer::Failed(failed)) => {
                self.add(3 | (failed.reason as u64) << 8 | (failed.failure as u64) << 16);
            }
        }
    }

    pub(super) fn action(&mut self, pool: PoolId, action: &Action) {
        let pool = u64::from(pool.0) << 32;
        match action {
            Action::Connect { conn, reason } => {
                self.add(pool | 0x10 | (*reason as u64) << 8);
                self.add_conn(*conn);
            }
            Action::Close { conn, reason } => {
                self.add(pool | 0x11 | (*reason as u64) << 8);
                self.add_conn(*conn);
            }
            Action::Bind { waiter, token, conn, reason, usage } => {
                self.add(pool | 0x12 | (*reason as u64) << 8 | (*usage as u64) << 16);
                self.add(u64::from(waiter.index) << 32 | u64::from(waiter.generation));
                self.add(token.0);
                self.add_conn(*conn);
            }
            Action::Fail { waiter, token, failure, reason } => {
                self.add(pool | 0x13 | (*reason as u64) << 8 | (*failure as u64) << 16);
                self.add(u64::from(waiter.index) << 32 | u64::from(waiter.generation));
                self.add(token.0);
            }
            Action::NotifyGoAway { conn } => {
                self.add(pool | 0x14);
                self.add_conn(*conn);
            }
            Action::Idle => self.add(pool | 0x15),
        }
    }
}
