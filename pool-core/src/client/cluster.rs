//! Named clusters: hosts, limits and pool settings that the clients of all workers share.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::host::Host;
use super::leash::{ReadyList, lock};
use super::stats::{ClusterStats, Counters, Tallies};
use crate::cluster::{Endpoint, Hosts, Standing};
use crate::config::PoolConfig;
use crate::id::{HostId, PoolId};
use crate::limits::{Claimant, Gauge, Ledger, Limits, Priority, Resource, Seat, Shared, SharedHandle};
use crate::wire::h1::Limits as H1Limits;

/// A named set of hosts that requests are balanced over (Envoy: a cluster).
///
/// Clones are the same cluster. Every client has pools of its own per host and priority, made when
/// they are needed; the limits are counted over all clients together, exactly. When the last clone is
/// dropped the cluster is over: its pools drain, and calls that still want one find no host.
#[derive(Clone)]
pub struct Cluster(Arc<Owner>);

/// What the clones share; the workers hold what is inside.
struct Owner(Arc<Inner>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A cluster as its workers see it.
pub(crate) struct Inner {
    /// Unique in this process.
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) pool: Arc<PoolConfig>,
    pub(crate) h1: H1Limits,
    pub(crate) ledger: Shared,
    roster: Mutex<Roster>,
    /// Of the roster; moves after it has changed.
    version: AtomicU64,
    over: AtomicBool,
    workers: Mutex<Vec<Worker>>,
    /// Retries are not any worker's: they take their seats here.
    retries: Mutex<SharedHandle>,
    pub(crate) tallies: Arc<Tallies>,
    pub(crate) counters: Counters,
}

#[derive(Default)]
struct Roster {
    known: Hosts,
    hosts: Arc<[Arc<Host>]>,
}

/// How a client is told that the hosts have changed.
pub(crate) struct Worker {
    /// The client's own: the worker is gone with it. Weak, because every cluster of the client has one.
    pub(crate) changed: Weak<AtomicBool>,
    pub(crate) ready: Weak<ReadyList>,
}

/// The clusters of a process are told apart by number, so that no name and no address in memory is ever
/// taken for another's.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Cluster {
    /// A cluster with Envoy's defaults: no hosts yet, 1024 connections, 1024 pending requests, 1024
    /// requests and 3 retries at a time.
    pub fn builder(name: impl Into<Arc<str>>) -> ClusterBuilder {
        ClusterBuilder {
            name: name.into(),
            pool: Arc::new(PoolConfig::default()),
            limits: Limits::default(),
            h1: H1Limits::default(),
            hosts: Vec::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.0.name
    }

    /// Its present hosts.
    #[must_use]
    pub fn hosts(&self) -> Vec<Arc<Host>> {
        self.0.0.hosts().to_vec()
    }

    /// One of its limits and how far it is used, over all clients.
    #[must_use]
    pub fn breaker(&self, priority: Priority, resource: Resource) -> Gauge {
        self.0.0.ledger.snapshot(priority, resource)
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.0.ledger.limits()
    }

    /// Everything that was counted, over all clients and over pools that are gone, exactly: each client
    /// publishes what its pools do as they do it. Reading stops nobody who has a request.
    #[must_use]
    pub fn stats(&self) -> ClusterStats {
        let Inner { tallies, counters, .. } = &*self.0.0;
        tallies.read(&self.0.0.hosts(), counters)
    }

    /// Puts other limits in force; nobody loses what he has.
    pub fn set_limits(&self, limits: impl Into<Limits>) {
        self.0.0.ledger.set_limits(limits);
    }

    /// Puts other hosts in the place of the present ones. A host that is in both lists by its identity
    /// stays, with the new weight. One that is not in the new list gets no further requests, and every
    /// client drains and deletes its pools of it: requests that it has are served to their end. The same
    /// host in a later list is a new one. One that is twice in the list counts once.
    pub fn set_hosts(&self, hosts: impl IntoIterator<Item = Host>) {
        self.0.0.set_hosts(hosts.into_iter().collect());
    }

    /// Gives a host another address, or its first: new connections go there, present ones stay (Envoy:
    /// `LOGICAL_DNS`). Without effect on a host that is none of this cluster's.
    pub fn set_address(&self, host: &Host, address: SocketAddr) {
        self.0.0.set_address(host, address);
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", self.name()).field("hosts", &self.hosts()).finish()
    }
}

impl Inner {
    pub(crate) fn hosts(&self) -> Arc<[Arc<Host>]> {
        lock(&self.roster).hosts.clone()
    }

    /// Changes whenever a worker should look at the hosts again.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether no clone of the cluster is left.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// A seat of the `max_retries` breaker, if there is room.
    pub(crate) fn begin_retry(&self, priority: Priority) -> Option<Seat> {
        let who = Claimant { pool: PoolId(0), host: HostId(0), priority };
        lock(&self.retries).try_take(Resource::Retries, who).ok()
    }

    pub(crate) fn end_retry(&self, seat: Seat) {
        lock(&self.retries).give_back(seat);
    }

    /// Tells a worker of changes from now on.
    pub(crate) fn enlist(&self, worker: Worker) {
        let mut workers = lock(&self.workers);
        workers.retain(|worker| worker.changed.strong_count() > 0);
        workers.push(worker);
    }

    fn set_hosts(&self, hosts: Vec<Host>) {
        let mut roster = lock(&self.roster);
        let Roster { known, hosts: present } = &mut *roster;
        let (standings, gone) = known.replace(hosts.iter().map(|host| host.identity().clone()));
        let ids: BTreeMap<_, _> = present.iter().map(|host| (host.id(), host)).collect();
        let by_id = |id| ids.get(&Some(id)).copied();
        let is_change =
            !gone.is_empty() || standings.iter().any(|standing| matches!(standing, Standing::Added(_)));
        for host in gone.into_iter().filter_map(by_id) {
            host.set_removed();
        }
        if is_change {
            self.counters.membership_change.count();
        }
        let mut list = Vec::with_capacity(hosts.len());
        for (host, standing) in hosts.into_iter().zip(standings) {
            match standing {
                Standing::Repeated => {}
                Standing::Added(id) => list.push(host.placed_at(Endpoint { cluster: self.id, host: id })),
                Standing::Kept(id) => {
                    if let Some(known) = by_id(id) {
                        known.set_share(host.share());
                        list.push(known.clone());
                    }
                }
            }
        }
        drop(ids);
        *present = list.into();
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(roster);
        self.tell();
    }

    fn set_address(&self, host: &Host, address: SocketAddr) {
        let roster = lock(&self.roster);
        let Some(ours) = roster.hosts.iter().find(|ours| std::ptr::eq(&***ours, host)) else { return };
        ours.set_address(address);
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(roster);
        self.tell();
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.set_hosts(Vec::new());
    }

    /// Makes every worker look.
    fn tell(&self) {
        let mut ready = Vec::new();
        {
            let mut workers = lock(&self.workers);
            workers.retain(|worker| worker.changed.strong_count() > 0);
            for worker in &*workers {
                if let Some(changed) = worker.changed.upgrade() {
                    changed.store(true, Ordering::Release);
                }
                ready.extend(worker.ready.upgrade());
            }
        }
        for ready in ready {
            ready.wake_keeper();
        }
    }
}

/// Collects what a [`Cluster`] is made of.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClusterBuilder {
    name: Arc<str>,
    pool: Arc<PoolConfig>,
    limits: Limits,
    h1: H1Limits,
    hosts: Vec<Host>,
}

impl ClusterBuilder {
    /// Settings of its pools: timeouts, lifetimes, queue. Default: Envoy's.
    pub fn pool(mut self, config: Arc<PoolConfig>) -> Self {
        self.pool = config;
        self
    }

    /// Its circuit breakers, over all clients. Default: Envoy's thresholds.
    pub fn limits(mut self, limits: impl Into<Limits>) -> Self {
        self.limits = limits.into();
        self
    }

    /// Limits on HTTP/1 heads. Default: Envoy's.
    pub fn h1_limits(mut self, limits: H1Limits) -> Self {
        self.h1 = limits;
        self
    }

    /// Its first hosts; [`Cluster::set_hosts`] says what a list of hosts means.
    pub fn hosts(mut self, hosts: impl IntoIterator<Item = Host>) -> Self {
        self.hosts = hosts.into_iter().collect();
        self
    }

    /// Makes the cluster.
    #[must_use]
    pub fn build(self) -> Cluster {
        let Self { name, pool, limits, h1, hosts } = self;
        let ledger = Shared::new(limits);
        let inner = Inner {
            // Nobody waits for a retry's seat: there is nothing to be told.
            retries: Mutex::new(ledger.worker(Arc::new(|| {}))),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name,
            pool,
            h1,
            ledger,
            roster: Mutex::default(),
            version: AtomicU64::new(0),
            over: AtomicBool::new(false),
            workers: Mutex::default(),
            tallies: Arc::default(),
            counters: Counters::default(),
        };
        inner.set_hosts(hosts);
        Cluster(Arc::new(Owner(Arc::new(inner))))
    }
}

#[cfg(test)]
mod tests;
