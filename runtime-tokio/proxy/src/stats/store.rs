//! All cells of all workers, and the readings that come from elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::distribution::Distribution;
use super::fields::{
    ClusterManagerValues, ClusterStats, ClusterValues, FilesystemValues, HttpStats, HttpValues,
    ListenerManagerValues, ListenerStats, ListenerValues, ServerValues,
};
use super::hosts::{HostCells, HostResults};
use crate::config::model::{Bootstrap, Cluster};

/// The cells of one worker. Clones are the same cells; only one thread may write them.
///
/// Listeners and clusters are numbered as in the configuration. A listener has one HTTP connection
/// manager, so [`WorkerStats::http`] goes by the listener too; managers with the same `stat_prefix`
/// are added up when they are read.
#[derive(Clone, Debug)]
pub struct WorkerStats {
    pub(super) cells: Arc<Cells>,
}

#[derive(Debug)]
pub(super) struct Cells {
    pub(super) listeners: Vec<(ListenerStats, HttpStats)>,
    pub(super) clusters: Vec<ClusterStats>,
    /// By cluster and number of the host.
    pub(super) hosts: Vec<Box<[HostCells]>>,
}

impl WorkerStats {
    /// The connection manager of a listener.
    ///
    /// # Panics
    /// If the configuration has no such listener.
    #[must_use]
    #[inline]
    pub fn http(&self, listener: usize) -> &HttpStats {
        &self.cells.listeners[listener].1
    }

    /// A listener.
    ///
    /// # Panics
    /// If the configuration has no such listener.
    #[must_use]
    #[inline]
    pub fn listener(&self, listener: usize) -> &ListenerStats {
        &self.cells.listeners[listener].0
    }

    /// A cluster.
    ///
    /// # Panics
    /// If the configuration has no such cluster.
    #[must_use]
    #[inline]
    pub fn cluster(&self, cluster: usize) -> &ClusterStats {
        &self.cells.clusters[cluster]
    }

    /// A host of a cluster, by its number there (`HostId`); none if it is not of the configuration.
    #[must_use]
    #[inline]
    pub fn host(&self, cluster: usize, host: usize) -> Option<&HostCells> {
        self.cells.hosts.get(cluster)?.get(host)
    }
}

/// The stats of the proxy. Clones are the same.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) names: Arc<Names>,
    pub(super) workers: Arc<[WorkerStats]>,
    pub(super) memory: Arc<Mutex<Memory>>,
}

/// What the scopes are called.
#[derive(Debug)]
pub(super) struct Names {
    /// Address and `stat_prefix`.
    pub(super) listeners: Vec<(String, String)>,
    pub(super) clusters: Vec<String>,
}

/// What is remembered between readings, by name.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Counters at the last reset.
    pub(super) reset: HashMap<String, u64>,
    /// Histograms at the last flush.
    pub(super) flushed: HashMap<String, Distribution>,
    /// What histograms got between the last two flushes.
    pub(super) interval: HashMap<String, Distribution>,
}

/// What others count and is asked of them when stats are read: the server, the pools, the process.
/// Every method adds to values that already hold the workers' own cells; what it leaves alone stays.
/// Indexes are those of the configuration.
pub trait Readings {
    /// `http.<stat_prefix>.` of one worker: the server's snapshot.
    fn add_http(&self, listener: usize, worker: usize, values: &mut HttpValues);

    /// `listener.<address>.` of one worker: the server's snapshot.
    fn add_listener(&self, listener: usize, worker: usize, values: &mut ListenerValues);

    /// `cluster.<name>.`, all workers: the pools' counters and the hosts.
    fn add_cluster(&self, cluster: usize, values: &mut ClusterValues);

    /// `cluster.<name>.circuit_breakers.<priority>.`.
    fn breaker(
        &self,
        cluster: usize,
        priority: pool_core::limits::Priority,
        resource: pool_core::limits::Resource,
    ) -> Option<pool_core::limits::Gauge>;

    /// `server.`; version and memory are known already.
    fn add_server(&self, values: &mut ServerValues);

    /// `listener_manager.`
    fn add_listener_manager(&self, values: &mut ListenerManagerValues);

    /// `cluster_manager.`
    fn add_cluster_manager(&self, values: &mut ClusterManagerValues);

    /// `filesystem.`: [`access_log::Logs::values`](crate::access_log::Logs::values).
    fn add_filesystem(&self, values: &mut FilesystemValues);
}

impl Store {
    /// Cells for every worker, named after the configuration.
    #[must_use]
    pub fn new(config: &Bootstrap, workers: usize) -> Self {
        let listeners = config.listeners.iter().map(|listener| {
            (listener.address.to_string().replace(':', "_"), listener.manager.stat_prefix.clone())
        });
        let names = Names {
            listeners: listeners.collect(),
            clusters: config.clusters.iter().map(|cluster| cluster.stat_name.replace(':', "_")).collect(),
        };
        let worker = |_| {
            let listeners = names.listeners.iter().map(|_| Default::default()).collect();
            let clusters = names.clusters.iter().map(|_| ClusterStats::default()).collect();
            let of_cluster =
                |cluster: &Cluster| cluster.endpoints.iter().map(|_| HostCells::default()).collect();
            let hosts = config.clusters.iter().map(of_cluster).collect();
            WorkerStats { cells: Arc::new(Cells { listeners, clusters, hosts }) }
        };
        let workers = (0..workers).map(worker).collect();
        Self { names: Arc::new(names), workers, memory: Arc::default() }
    }

    /// Results of requests at a host of a cluster, over all workers.
    #[must_use]
    pub fn host(&self, cluster: usize, host: usize) -> HostResults {
        let mut results = HostResults::default();
        for cells in self.workers.iter().filter_map(|worker| worker.host(cluster, host)) {
            results.absorb(cells);
        }
        results
    }

    /// How many workers there are.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.workers.len()
    }

    /// The cells of one worker, for that worker.
    #[must_use]
    pub fn worker(&self, worker: usize) -> Option<WorkerStats> {
        self.workers.get(worker).cloned()
    }
}
