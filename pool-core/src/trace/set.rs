//! A set of pools that can be recorded: the same methods, each written down.

use core::ops::Deref;
use std::sync::Arc;

use super::settings::ClusterSettings;
use super::step::{Note, Step};
use super::tape::{Recording, Tape};
use super::verdicts::Witnessed;
use crate::cluster::{ClusterId, Key, PoolSet};
use crate::config::PoolConfig;
use crate::id::{ConnId, PoolId, WaiterId};
use crate::limits::{Full, Ledger, Limits, Priority};
use crate::pool::{Action, Answer, CancelPolicy, DrainMode, Request};
use crate::report::{Report, StreamEnd};
use crate::time::Instant;

/// All pools of one worker, recorded if wanted. Questions go to the [`PoolSet`] inside.
#[derive(Debug)]
pub struct Traced<L: Ledger> {
    set: PoolSet<Witnessed<L>>,
    tape: Option<Box<Tape>>,
    /// Clusters that were ever added.
    clusters: u32,
}

impl<L: Ledger> Deref for Traced<L> {
    type Target = PoolSet<Witnessed<L>>;

    fn deref(&self) -> &Self::Target {
        &self.set
    }
}

impl<L: Ledger> Traced<L> {
    /// An empty set. A recording of it has the same `seed` in its header.
    #[must_use]
    pub fn new(seed: u64, recording: Option<Recording>) -> Self {
        let tape = recording.map(|recording| Box::new(Tape::new(recording)));
        Self { set: PoolSet::new(seed), tape, clusters: 0 }
    }

    /// Whether it is recorded.
    #[inline]
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.tape.is_some()
    }

    /// Hands over what was recorded so far.
    pub fn flush(&mut self) {
        if let Some(tape) = &mut self.tape {
            tape.flush();
        }
    }

    /// Writes down what happened outside the pools; called only if it is recorded.
    #[inline]
    pub fn note(&mut self, now: Instant, note: impl FnOnce() -> Note) {
        if let Some(tape) = &mut self.tape {
            tape.note(now, note());
        }
    }

    /// [`PoolSet::finish`], with a [`Note::Answered`] of the exchange before it.
    #[inline]
    pub fn finish_answered(
        &mut self,
        now: Instant,
        pool: PoolId,
        conn: ConnId,
        end: StreamEnd,
        request: u64,
        status: u16,
    ) {
        self.set.finish(now, pool, conn, end);
        if let Some(tape) = &mut self.tape {
            tape.finish_answered(now, pool, conn, end, request, status);
        }
    }

    /// [`PoolSet::handle_report`].
    #[inline]
    pub fn handle_report(&mut self, now: Instant, pool: PoolId, conn: ConnId, report: Report) {
        self.set.handle_report(now, pool, conn, report);
        self.write(now, || Step::Report { pool, conn, report });
    }

    /// [`PoolSet::handle_settled`].
    #[inline]
    pub fn handle_settled(&mut self, now: Instant, pool: PoolId) {
        self.set.handle_settled(now, pool);
        self.write(now, || Step::Settled { pool });
    }

    /// [`PoolSet::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.set.handle_timeout(now);
        self.write(now, || Step::Timeout);
    }

    /// [`PoolSet::handle_seats_freed`].
    pub fn handle_seats_freed(&mut self, now: Instant) {
        self.set.handle_seats_freed(now);
        self.write(now, || Step::SeatsFreed);
    }

    /// [`PoolSet::add_cluster`], with what a recording tells of it.
    pub fn add_cluster(
        &mut self,
        now: Instant,
        name: &str,
        limits: &Limits,
        config: Arc<PoolConfig>,
        ledger: L,
    ) -> ClusterId {
        let ear = self.tape.as_ref().map(|tape| tape.ear());
        let pool = Arc::clone(&config);
        let cluster = self.set.add_cluster(config, Witnessed::new(ledger, self.clusters, ear));
        self.clusters += 1;
        let settings = || ClusterSettings { name: name.to_owned(), pool, limits: *limits };
        self.write(now, || Step::AddCluster(Box::new(settings())));
        cluster
    }

    /// [`PoolSet::add_pool`], with what a recording tells of it.
    ///
    /// # Errors
    /// As there.
    pub fn add_pool(
        &mut self,
        now: Instant,
        label: impl FnOnce() -> String,
        key: &Key<'_>,
        cluster: ClusterId,
        priority: Priority,
    ) -> Result<PoolId, Full> {
        let pool = self.set.add_pool(key, cluster, priority);
        self.write(now, || Step::AddPool { cluster: cluster.number(), priority, label: label() });
        pool
    }

    /// [`PoolSet::request`]; `number` is the request's with this client.
    #[inline]
    pub fn request(&mut self, now: Instant, pool: PoolId, request: Request, number: u64) -> Option<Answer> {
        let answer = self.set.request(now, pool, request);
        if let Some(tape) = &mut self.tape {
            tape.answered(answer.as_ref());
            tape.request(now, pool, request, number);
        }
        answer
    }

    /// [`PoolSet::requeue`]; `number` is the request's with this client.
    pub fn requeue(
        &mut self,
        now: Instant,
        pool: PoolId,
        request: Request,
        deadline: Option<Instant>,
        number: u64,
    ) -> Option<Answer> {
        let answer = self.set.requeue(now, pool, request, deadline);
        if let Some(tape) = &mut self.tape {
            tape.answered(answer.as_ref());
            let Request { token, early_data } = request;
            tape.step(now, &Step::Requeue { pool, token, early_data, request: number, deadline });
        }
        answer
    }

    /// [`PoolSet::finish`].
    #[inline]
    pub fn finish(&mut self, now: Instant, pool: PoolId, conn: ConnId, end: StreamEnd) {
        self.set.finish(now, pool, conn, end);
        if let Some(tape) = &mut self.tape {
            tape.finish(now, pool, conn, end);
        }
    }

    /// [`PoolSet::cancel`].
    pub fn cancel(&mut self, now: Instant, pool: PoolId, waiter: WaiterId, policy: CancelPolicy) {
        self.set.cancel(now, pool, waiter, policy);
        self.write(now, || Step::Cancel { pool, waiter, policy });
    }

    /// [`PoolSet::drain`].
    pub fn drain(&mut self, now: Instant, pool: PoolId, mode: DrainMode) {
        self.set.drain(now, pool, mode);
        self.write(now, || Step::Drain { pool, mode });
    }

    /// [`PoolSet::retire`].
    pub fn retire(&mut self, now: Instant, pool: PoolId, conn: ConnId) {
        self.set.retire(now, pool, conn);
        self.write(now, || Step::Retire { pool, conn });
    }

    /// [`PoolSet::abort`].
    pub fn abort(&mut self, now: Instant, pool: PoolId) {
        self.set.abort(now, pool);
        self.write(now, || Step::Abort { pool });
    }

    /// [`PoolSet::poll_touched`].
    #[inline]
    pub fn poll_touched(&mut self) -> Option<PoolId> {
        self.set.poll_touched()
    }

    /// [`PoolSet::poll_action`].
    #[inline]
    pub fn poll_action(&mut self) -> Option<(PoolId, Action)> {
        // As after nearly every request and end of a stream.
        if self.set.is_quiet() {
            if let Some(tape) = &mut self.tape {
                tape.drained(None);
            }
            return None;
        }
        self.take_action()
    }

    #[inline(never)]
    fn take_action(&mut self) -> Option<(PoolId, Action)> {
        let action = self.set.poll_action();
        if let Some(tape) = &mut self.tape {
            tape.drained(action.as_ref());
        }
        action
    }

    #[inline]
    fn write(&mut self, now: Instant, step: impl FnOnce() -> Step) {
        if let Some(tape) = &mut self.tape {
            tape.step(now, &step());
        }
    }
}
