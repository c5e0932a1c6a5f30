//! A cluster's counters: of every client's pools, of those that are gone, and of its calls.
//!
//! A pool's counters live in its worker, behind its lock, and possibly on a thread that nobody else may
//! enter. So each worker publishes: what a request moves by a store into a line of its own, everything else
//! by a copy whenever it has moved. Who reads takes no lock that a request takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::host::Host;
use super::leash::lock;
use crate::pool::{Pool, Stats};

/// Envoy's counters of a cluster, without `upstream_`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStats {
    /// Sums over all pools that there are and that there were.
    pub pools: Stats,
    /// What its pools have now.
    pub gauges: Gauges,
    /// Requests that found no host (Envoy: `upstream_cx_none_healthy`).
    pub cx_none_healthy: u64,
    /// Pools that `max_connection_pools` refused.
    pub cx_pool_overflow: u64,
    /// Retries that were begun.
    pub rq_retry: u64,
    /// Retries that got a response.
    pub rq_retry_success: u64,
    /// Retries that the `max_retries` breaker refused.
    pub rq_retry_overflow: u64,
    /// Failures that would have been retried but for the number of retries.
    pub rq_retry_limit_exceeded: u64,
    /// Changes of the list of hosts (Envoy: `membership_change`).
    pub membership_change: u64,
    /// Its present hosts, in the order of their list.
    pub hosts: Vec<HostStats>,
}

/// One host of a [`ClusterStats`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostStats {
    /// The host.
    pub host: Arc<Host>,
    /// Sums over its pools that there are and that there were.
    pub pools: Stats,
    /// What its pools have now.
    pub gauges: Gauges,
}

impl PartialEq for HostStats {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.host, &other.host) && self.pools == other.pools && self.gauges == other.gauges
    }
}

impl Eq for HostStats {}

/// What pools have at a moment (Envoy's gauges).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gauges {
    /// Connections that were ordered and not ordered to close.
    pub cx_active: u64,
    /// Connections that were ordered to close and whose socket is not known to be gone.
    pub cx_closing: u64,
    /// Requests on a connection.
    pub rq_active: u64,
    /// Requests that wait for a connection.
    pub rq_pending_active: u64,
    /// Pools.
    pub cx_pools: u64,
}

impl Gauges {
    fn add(&mut self, other: &Self) {
        let Self { cx_active, cx_closing, rq_active, rq_pending_active, cx_pools } = other;
        self.cx_active += cx_active;
        self.cx_closing += cx_closing;
        self.rq_active += rq_active;
        self.rq_pending_active += rq_pending_active;
        self.cx_pools += cx_pools;
    }
}

/// What the calls of a cluster count, on whatever thread they are.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) none_healthy: Counter,
    pub(crate) pool_overflow: Counter,
    pub(crate) retry: Counter,
    pub(crate) retry_success: Counter,
    pub(crate) retry_overflow: Counter,
    pub(crate) retry_limit_exceeded: Counter,
    pub(crate) membership_change: Counter,
}

/// Counts what is rare.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The pools of a cluster, of all workers.
#[derive(Default)]
pub(crate) struct Tallies(Mutex<Known>);

#[derive(Default)]
struct Known {
    live: Vec<Arc<Page>>,
    /// Sums over the pools that are gone.
    gone: Stats,
}

/// What one pool publishes. Lines of its own: its worker writes it with every request.
#[repr(align(128))]
struct Page {
    rq_total: AtomicU64,
    rq_active: AtomicU64,
    host: Arc<Host>,
    rest: Mutex<Rest>,
}

/// What does not move with every request.
#[derive(Clone, Default)]
struct Rest {
    stats: Stats,
    gauges: Gauges,
}

impl Page {
    fn read(&self) -> Rest {
        let Rest { mut stats, mut gauges } = lock(&self.rest).clone();
        stats.rq_total = self.rq_total.load(Ordering::Relaxed);
        gauges.rq_active = self.rq_active.load(Ordering::Relaxed);
        Rest { stats, gauges }
    }
}

/// The worker's hand on the page of one of its pools. When it is dropped the pool is gone, and what it
/// counted is the cluster's.
pub(crate) struct Meter {
    page: Arc<Page>,
    tallies: Arc<Tallies>,
}

impl Tallies {
    /// A page for a new pool.
    pub(crate) fn open(self: &Arc<Self>, host: Arc<Host>) -> Meter {
        let page = Arc::new(Page {
            rq_total: AtomicU64::new(0),
            rq_active: AtomicU64::new(0),
            host,
            rest: Mutex::new(Rest {
                stats: Stats::default(),
                gauges: Gauges { cx_pools: 1, ..Gauges::default() },
            }),
        });
        lock(&self.0).live.push(page.clone());
        Meter { page, tallies: self.clone() }
    }

    /// Everything now, with the given hosts one by one.
    pub(crate) fn read(&self, hosts: &[Arc<Host>], counters: &Counters) -> ClusterStats {
        let mut stats = ClusterStats {
            cx_none_healthy: counters.none_healthy.get(),
            cx_pool_overflow: counters.pool_overflow.get(),
            rq_retry: counters.retry.get(),
            rq_retry_success: counters.retry_success.get(),
            rq_retry_overflow: counters.retry_overflow.get(),
            rq_retry_limit_exceeded: counters.retry_limit_exceeded.get(),
            membership_change: counters.membership_change.get(),
            ..ClusterStats::default()
        };
        // A pool that goes meanwhile is either among those that are there or among those that are gone.
        let known = lock(&self.0);
        stats.pools = known.gone.clone();
        stats.hosts = hosts
            .iter()
            .map(|host| HostStats { host: host.clone(), pools: host.gone(), gauges: Gauges::default() })
            .collect();
        let places: BTreeMap<_, _> =
            hosts.iter().enumerate().map(|(place, host)| (host.id(), place)).collect();
        for page in &known.live {
            let Rest { stats: pool, gauges } = page.read();
            stats.pools.add(&pool);
            stats.gauges.add(&gauges);
            let place = places.get(&page.host.id());
            if let Some(of_host) = place.and_then(|place| stats.hosts.get_mut(*place)) {
                of_host.pools.add(&pool);
                of_host.gauges.add(&gauges);
            }
        }
        stats
    }
}

impl Meter {
    /// A request was bound, or has ended.
    #[inline]
    pub(crate) fn publish_requests(&self, pool: &Pool) {
        let (total, active) = pool.requests();
        self.page.rq_total.store(total, Ordering::Relaxed);
        self.page.rq_active.store(active, Ordering::Relaxed);
    }

    /// Anything may have happened.
    #[cold]
    pub(crate) fn publish(&self, pool: &Pool) {
        self.publish_requests(pool);
        let counts = pool.counts();
        let gauges = Gauges {
            cx_active: u64::from(counts.active()),
            cx_closing: u64::from(counts.closing),
            rq_active: 0,
            rq_pending_active: pool.triple().pending,
            cx_pools: 1,
        };
        let stats = pool.stats();
        *lock(&self.page.rest) = Rest { stats, gauges };
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let mut known = lock(&self.tallies.0);
        let Some(at) = known.live.iter().position(|page| Arc::ptr_eq(page, &self.page)) else { return };
        let page = known.live.swap_remove(at);
        let Rest { stats, .. } = page.read();
        known.gone.add(&stats);
        page.host.add_gone(&stats);
    }
}
