//! Requests that wait: what one fact costs however many of them there are.

use std::sync::Arc;

use pool_core::cluster::PoolSet;
use pool_core::config::PoolConfig;
use pool_core::id::{ConnId, PoolId, Token, WaiterId};
use pool_core::limits::{Limits, Priority, Shared, SharedHandle, Thresholds};
use pool_core::pool::{Action, Answer, CancelPolicy, Request};
use pool_core::report::{Report, StreamEnd};
use pool_core::time::Instant;

use super::keys::Keys;
use super::ours::full_key;
use super::{Drill, Key, Worker};
use crate::cases::{Pattern, Turn};
use crate::error::{Error, Result};
use crate::figures::Figures;

/// Runs one case: an operation is one [`Turn`].
pub(super) fn run(waiters: usize, turn: Turn, operations: usize) -> Result<Figures> {
    let pattern = match turn {
        Turn::Serve => Pattern::Strided,
        Turn::Cancel => Pattern::Random,
    };
    let queue = Queue::new(waiters, turn).ok_or_else(|| Error::new("micro: the queue did not fill"))?;
    Drill { keys: waiters, held: 0, pattern, operations }.run(vec![queue])
}

/// A pool whose one connection is in use, and who waits for it.
struct Queue {
    set: PoolSet<SharedHandle>,
    key: &'static Key,
    conn: ConnId,
    turn: Turn,
    waiters: Vec<WaiterId>,
    now: u64,
}

impl Queue {
    fn new(waiters: usize, turn: Turn) -> Option<Self> {
        let limits = Thresholds::default().max_connections(1).max_pending_requests(1 << 20);
        let ledger = Shared::new(Limits::from(limits.max_requests(1 << 20)));
        let mut set = PoolSet::new(7);
        let cluster = set.add_cluster(Arc::new(PoolConfig::default()), ledger.worker(Arc::new(|| {})));
        let key = Keys::new(1).leak().first()?;
        let pool = set.add_pool(&full_key(key), cluster, Priority::Default).ok()?;
        set.request(Instant::ZERO, pool, Request::new(Token(0)))?;
        let Some((_, Action::Connect { conn, .. })) = set.poll_action() else { return None };
        set.handle_report(Instant::ZERO, pool, conn, Report::Connected { limit: None });
        while set.poll_action().is_some() {}
        let mut queue = Self { set, key, conn, turn, waiters: Vec::with_capacity(waiters), now: 0 };
        for _ in 0..waiters {
            let waiter = queue.join()?;
            queue.waiters.push(waiter);
        }
        Some(queue)
    }

    fn tick(&mut self) -> Instant {
        self.now += 50;
        Instant::from_nanos(self.now)
    }

    fn pool(&self) -> Option<PoolId> {
        self.set.find(&full_key(self.key))
    }

    /// A request that has to wait.
    fn join(&mut self) -> Option<WaiterId> {
        let now = self.tick();
        let pool = self.pool()?;
        match self.set.request(now, pool, Request::new(Token(self.now)))? {
            Answer::Queued(queued) => Some(queued.waiter),
            Answer::Bound(_) | Answer::Failed(_) => None,
        }
    }

    /// The connection comes free; the first request gets it.
    fn serve(&mut self) -> Option<()> {
        let now = self.tick();
        let pool = self.pool()?;
        self.set.finish(now, pool, self.conn, StreamEnd::Complete);
        let mut bound = None;
        while let Some((_, action)) = self.set.poll_action() {
            if matches!(action, Action::Bind { .. }) {
                bound = Some(());
            }
        }
        bound
    }

    fn cancel(&mut self, index: usize) -> Option<()> {
        let now = self.tick();
        let pool = self.pool()?;
        let waiter = *self.waiters.get(index)?;
        self.set.cancel(now, pool, waiter, CancelPolicy::Default);
        while self.set.poll_action().is_some() {}
        Some(())
    }
}

impl Worker for Queue {
    type Handle = ();

    /// One leaves.
    fn acquire(&mut self, _: &'static Key, index: usize) -> Option<()> {
        match self.turn {
            Turn::Serve => self.serve(),
            Turn::Cancel => self.cancel(index),
        }
    }

    /// Another one comes. If it had not to wait, the next operation fails.
    fn release(&mut self, _: &'static Key, index: usize, (): ()) {
        if let (Some(waiter), Some(place)) = (self.join(), self.waiters.get_mut(index)) {
            *place = waiter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_keeps_its_length_and_every_operation_succeeds() {
        for turn in [Turn::Serve, Turn::Cancel] {
            let mut queue = Queue::new(10, turn).expect("a queue");
            for index in (0..10).cycle().take(1000) {
                assert_eq!(queue.acquire(queue.key, index), Some(()), "{turn:?}");
                queue.release(queue.key, index, ());
            }
            let pool = queue.pool().and_then(|pool| queue.set.pool(pool)).expect("the pool");
            assert_eq!(pool.waiters().count(), 10, "{turn:?}");
            let figures = run(100, turn, 5_000).map_err(|error| error.to_string());
            assert_eq!(figures.map(|figures| figures.get("errors")), Ok(Some(0.0)), "{turn:?}");
        }
    }
}
