//! From a cluster to the pool of one of its hosts, under the lock.

use std::sync::Arc;

use super::line::{Desk, Local, Path};
use super::state::{Outcome, Seats, State};
use crate::cluster::Key;
use crate::id::PoolId;
use crate::limits::Priority;
use crate::pool::DrainMode;
use crate::runtime::Connect;
use crate::time::Instant;

impl<C: Connect> State<C> {
    /// Chooses a host and asks its pool. A request that goes back to the head of a queue goes to the host
    /// that it had, if that is still one of the cluster's.
    #[inline]
    pub(crate) fn ask_cluster(
        &mut self,
        seats: &Seats<'_>,
        now: Instant,
        path: &mut Path,
        again: Option<Option<Instant>>,
        number: u64,
    ) -> Outcome<C::Io> {
        match self.desks.desk(&path.line) {
            Some(desk) if desk.is_stale() => self.hosts_changed(now),
            Some(_) => {}
            None => return no_host(path),
        }
        let stays = again.is_some() && path.host.as_ref().is_some_and(|local| !local.host.is_removed());
        if !stays {
            path.host = self.desks.desk(&path.line).and_then(Desk::next);
        }
        let Some(local) = &path.host else { return no_host(path) };
        let key = local.host.key(path.priority);
        let pool = match self.set.find(&key) {
            Some(pool) => pool,
            None => match self.add_cluster_pool(seats, now, &key, local, path) {
                Some(pool) => pool,
                None => return Outcome::NoPool,
            },
        };
        self.ask(now, pool, again, number)
    }

    #[cold]
    fn add_cluster_pool(
        &mut self,
        seats: &Seats<'_>,
        now: Instant,
        key: &Key<'_>,
        local: &Arc<Local>,
        path: &Path,
    ) -> Option<PoolId> {
        let desk = self.desks.desk(&path.line)?;
        let cluster = &local.cluster;
        let id = match desk.in_set {
            Some(id) => id,
            None => {
                let ledger = cluster.ledger.worker(seats.on_freed());
                self.set.add_cluster(
                    now,
                    &cluster.name,
                    &cluster.ledger.limits(),
                    cluster.pool.clone(),
                    ledger,
                )
            }
        };
        let target = local.host.target();
        let Ok(pool) = self.set.add_pool(now, || target.label(), key, id, key.priority) else {
            desk.pool_refused();
            cluster.counters.pool_overflow.count();
            return None;
        };
        desk.pool_made(id);
        self.put_pool(pool, target, Some(local.clone()));
        Some(pool)
    }

    /// Takes in what has changed in the lists of hosts: nothing new goes to those that are gone.
    #[cold]
    pub(crate) fn hosts_changed(&mut self, now: Instant) {
        for local in self.desks.look_again() {
            for priority in Priority::ALL {
                if let Some(pool) = self.set.find(&local.host.key(priority)) {
                    self.set.drain(now, pool, DrainMode::AndDelete);
                }
            }
        }
    }
}

#[cold]
fn no_host<I>(path: &Path) -> Outcome<I> {
    path.line.cluster.counters.none_healthy.count();
    Outcome::NoHost
}
