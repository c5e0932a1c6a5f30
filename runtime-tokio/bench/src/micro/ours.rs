//! Our set of pools: full structural keys, exact shared ledger, every counter and deadline on.
//!
//! Every worker has a set of its own, as a program with one client per thread has; the limits hold
//! for all of them together. `now` is passed in and moves with every operation.

use std::sync::Arc;

use pool_core::cluster::{Key as PoolKey, PoolSet, TlsKey, Verify};
use pool_core::config::PoolConfig;
use pool_core::id::{ConnId, PoolId, Token};
use pool_core::limits::{Limits, Priority, Shared, SharedHandle, Thresholds};
use pool_core::pool::{Action, Answer, Request};
use pool_core::report::{Report, StreamEnd};
use pool_core::time::Instant;

use super::{Key, Setup, Worker};

/// One thread's set of pools.
pub(crate) struct Ours {
    set: PoolSet<SharedHandle>,
    now: u64,
}

pub(super) fn full_key(key: &Key) -> PoolKey<'_> {
    let tls =
        TlsKey { sni: key.sni, sans: &[], alpn: key.alpn, client_certificate: None, verify: Verify::Full };
    PoolKey { tls: Some(tls), ..PoolKey::http1(key.host, key.port) }
}

pub(crate) fn workers(setup: &Setup) -> Vec<Ours> {
    let limits = Thresholds::default().max_connections(1 << 20).max_requests(1 << 20);
    let ledger = Shared::new(Limits::from(limits));
    (0..setup.threads).map(|_| Ours::new(setup, &ledger)).collect()
}

impl Ours {
    fn new(setup: &Setup, ledger: &Shared) -> Self {
        let mut ours = Self { set: PoolSet::new(7), now: 0 };
        let handle = ledger.worker(Arc::new(|| {}));
        let cluster = ours.set.add_cluster(Arc::new(PoolConfig::default()), handle);
        for key in setup.stored {
            let Ok(pool) = ours.set.add_pool(&full_key(key), cluster, Priority::Default) else { continue };
            let opened: Vec<ConnId> =
                (0..setup.connections_per_key).filter_map(|_| ours.open(pool)).collect();
            for conn in opened {
                ours.set.finish(Instant::ZERO, pool, conn, StreamEnd::Complete);
            }
        }
        ours
    }

    /// Opens a connection that the next request is bound to.
    fn open(&mut self, pool: PoolId) -> Option<ConnId> {
        let request = Request::new(Token(0));
        let Some(Answer::Queued(_)) = self.set.request(Instant::ZERO, pool, request) else { return None };
        let mut opened = None;
        while let Some((_, action)) = self.set.poll_action() {
            if let Action::Connect { conn, .. } = action {
                let up = Report::Connected { limit: None };
                self.set.handle_report(Instant::ZERO, pool, conn, up);
                opened = Some(conn);
            }
        }
        opened
    }

    fn tick(&mut self) -> Instant {
        self.now += 50;
        Instant::from_nanos(self.now)
    }
}

impl Worker for Ours {
    type Handle = (PoolId, ConnId);

    fn acquire(&mut self, key: &'static Key, _: usize) -> Option<(PoolId, ConnId)> {
        let now = self.tick();
        let pool = self.set.find(&full_key(key))?;
        let answer = self.set.request(now, pool, Request::new(Token(self.now)));
        debug_assert!(self.set.poll_action().is_none(), "a ready connection asks for nothing");
        match answer {
            Some(Answer::Bound(bound)) => Some((pool, bound.conn)),
            Some(Answer::Queued(_) | Answer::Failed(_)) | None => None,
        }
    }

    fn release(&mut self, _: &'static Key, _: usize, (pool, conn): (PoolId, ConnId)) {
        let now = self.tick();
        self.set.finish(now, pool, conn, StreamEnd::Complete);
        while self.set.poll_action().is_some() {}
    }
}
